//go:build linux

package plugintest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/pluginhost"
)

// TestMutatedConnectorsAreFound breaks the example in one place and wants the suite to say so.
func TestMutatedConnectorsAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ from, to, suite, want string }{
		"unavailable after sending": {"            if sends:\n", "            if False:\n", "faults",
			"publish: the connection is cut after the work was done: Publish when the connection is cut after the work was done: the error has the code unavailable, wanted is [unknown_outcome]"},
		"unknown before sending": {`raise belfry_plugin.Error("unavailable", "the board cannot be reached")`, `raise belfry_plugin.Error("unknown_outcome", "the board cannot be reached")`,
			"faults", "Publish when nobody listens: the error has the code unknown_outcome, wanted is [unavailable]"},
		"short of patience": {"            answer = connection.getresponse()\n", "            connection.sock.settimeout(0.2)\n            try:\n                answer = connection.getresponse()\n" +
			"            except TimeoutError as slow:\n                raise belfry_plugin.Error(\"unavailable\", \"the board is slow\") from slow\n",
			"faults", "Publish when the answer comes late: the error has the code unavailable, wanted is [unknown_outcome]"},
		"posted by the way": {`        return self.ref(self.ask(call, "POST", "/api/posts", body, key=part.key))`,
			`        return self.ask(call, "POST", "/api/posts", body, key=part.key + "+") and self.ref(self.ask(call, "POST", "/api/posts", body, key=part.key))`,
			"faults", "one attempt when the answer comes late made 2 posts"},
		"its own pause": {`float(after) if after.isdigit() else 60.0`, `60.0`, "faults", "the platform asked for 7s, and the error for 1m0s"},
		"the token in an error": {`"the board does not know the token; make a new one there"`, `"the board does not know canary-4f2e9b"`, "faults",
			"a secret of the configuration stands in the error"},
		"another key each time": {`headers["Idempotency-Key"] = key`, `headers["Idempotency-Key"] = key + str(id(connection)) + str(call.remaining())`, "publisher", "with one key"},
		"blind and sure": {`raise belfry_plugin.Error("unavailable", "the board did not answer") from fault`, `return {"posts": []}`, "faults",
			"answered that nothing was accepted, although it could not look"},
		"settled at once": {`            while any(number in (None, call) for call in self.calls)`, `            while False and any(number in (None, call) for call in self.calls)`, "process",
			"Settle answered for a call that is still under way"},
		"deaf to the end":           {`call.on_end(lambda: cut(connection))`, `connection.sock.settimeout(600)`, "process", "Settle for a call that was given up"},
		"people as channels":        {`if found["kind"] != "channel":`, `if False:`, "resolver", `ResolveChannel("@someone"): no error`},
		"limits that are a lie":     {`limits = channel_pb2.Limits(text=TEXT,`, `limits = channel_pb2.Limits(text=TEXT // 2,`, "publisher", "the channel takes 250"},
		"an edit that does nothing": {`return self.ref(self.ask(call, "PUT", self.at(ref), json.loads(part.request)))`, `return ref`, "editor", "the platform shows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := copied(t, "../../plugins/example-python")
			path := filepath.Join(folder, "board.py")
			mutate(t, tc.from, tc.to, path, filepath.Join(folder, "belfry_plugin.py"))
			o := options(t, pluginhost.Command{Path: path, Foreign: true}, "board-py")
			o.Fake, o.Only = startFake(t, filepath.Join(folder, "fake_board.py")), []string{tc.suite}
			o.Scenario = scenario(t, filepath.Join(folder, "board.test.yaml"), o.Fake)
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if said := broken(r); !strings.Contains(said, tc.want) {
				t.Errorf("said was:\n%s\nwanted is %q", said, tc.want)
			}
		})
	}
}

// mutate replaces what stands once in the files.
func mutate(t *testing.T, from, to string, files ...string) {
	t.Helper()
	found := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), from); n > 0 {
			found += n
			if err := os.WriteFile(path, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if found != 1 {
		t.Fatalf("the example holds %q %d times", from, found)
	}
}
