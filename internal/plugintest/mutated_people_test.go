//go:build linux

package plugintest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/pluginhost"
)

// TestMutatedEarsAreFound breaks how the example in Python hears people, in one place, and wants the suites to say so.
func TestMutatedEarsAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ from, to, suite, want string }{
		"nothing said of it": {`plugin_pb2.Medium(hears=["message", "button", "stop", "reopen"])`, `plugin_pb2.Medium()`, "listener", "does not say of what it tells"},
		"never waits":        {`&wait={wait:.3f}`, `&wait=0`, "listener", "with nothing; Belfry would ask all the time"},
		"silence is an error": {`        told = [(what, behind)`, `        if not heard:
            raise belfry_plugin.Error("unavailable", "nobody wrote")
        told = [(what, behind)`, "listener", "a call that waits for half a second ended with an error"},
		"in small letters":  {`belfry_plugin.text(one.get("text") or "")`, `belfry_plugin.text(one.get("text") or "").lower()`, "listener", "what was written: the events are"},
		"a kind of its own": {`"wrote": "message"`, `"wrote": "song"`, "receiver", "Belfry drops an event: its kind is none of those that the medium of the type hears"},
		"a name each time":  {`id=belfry_plugin.text(one["id"]), kind`, `id=belfry_plugin.text(one["id"]) + str(datetime.datetime.now().timestamp()), kind`, "receiver", "would count twice"},
		"who wrote in the log": {`    out = inbox_pb2.InboxEvent(`, `    print("heard", one["from"], flush=True)
    out = inbox_pb2.InboxEvent(`, "listener", "the address of the person stands in the log"},
		"any signature":       {`if not hmac.compare_digest(`, `if False and hmac.compare_digest(`, "receiver", "anybody could say that somebody follows or leaves"},
		"the secret repeated": {`            return refused(401)`, `            return source_pb2.WebhookReply(status=401, body=self.webhook_secret), []`, "receiver", "a secret of the configuration stands in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := copied(t, "../../plugins/example-python")
			path := filepath.Join(folder, "pager.py")
			mutate(t, tc.from, tc.to, path)
			o := options(t, pluginhost.Command{Path: path, Foreign: true}, "pager-py")
			o.Fake, o.Only = startFake(t, filepath.Join(folder, "fake_pager.py")), []string{tc.suite}
			o.Scenario = scenario(t, filepath.Join(folder, "pager.test.yaml"), o.Fake)
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
