package permit_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// allowed is what a third party's module may write. It holds a messenger, as one would.
var allowed = map[string]string{
	"a messenger": `
type messenger struct{}

func (messenger) Message(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	value, _ := to.Reveal()
	return sdk.MessageRef{ID: m.ID() + value}, nil
}

func (messenger) Close(context.Context) error { return nil }

var _ sdk.Messenger = messenger{}`,
	"a message to nobody": `var _ = sdk.NewDirectMessage(sdk.Permit{}, sdk.MessageContent{Slots: map[string]string{"a": "b"}})`,
	"an empty message":    `var _ = sdk.DirectMessage{MessageContent: sdk.MessageContent{Template: "t"}}`,
	"passing one on":      `func again(m sdk.DirectMessage) sdk.DirectMessage { return m }; var _ = again`,
}

// forbidden is what must not compile, with a word of the compiler's complaint. These are all the ways of safe Go to come
// by a value that names somebody.
var forbidden = map[string]struct{ code, complaint string }{
	"importing the mint":             {`import "github.com/belfry-news/belfry/internal/permit"; var _ = permit.Mint`, "use of internal package"},
	"a mint in sdk":                  {`var _ = sdk.Mint("d", "email", "a@b", sdk.PurposeDelivery, time.Now())`, "undefined: sdk.Mint"},
	"an address with a value":        {`var _ = sdk.Address{at: nil}`, "cannot refer to unexported field at"},
	"an address by position":         {`var _ = sdk.Address{nil}`, "implicit assignment to unexported field"},
	"a permit with a value":          {`var _ = sdk.Permit{p: nil}`, "cannot refer to unexported field p "},
	"a permit by position":           {`var _ = sdk.Permit{nil}`, "implicit assignment to unexported field"},
	"a message with a permit":        {`var _ = sdk.DirectMessage{permit: sdk.Permit{}}`, "cannot refer to unexported field permit"},
	"a message by position":          {`var _ = sdk.DirectMessage{sdk.Permit{}, sdk.MessageContent{}}`, "implicit assignment to unexported field"},
	"a message with an address":      {`var _ = sdk.DirectMessage{Address: "a@b"}`, "unknown field Address"},
	"writing into a message":         {`func f(m sdk.DirectMessage) { m.permit = sdk.Permit{} }; var _ = f`, "m.permit undefined"},
	"swapping a message's address":   {`func f(m sdk.DirectMessage, a sdk.Address) { m.address = a }; var _ = f`, "m.address undefined"},
	"reading a permit's inside":      {`func f(p sdk.Permit) any { return p.p }; var _ = f`, "p.p undefined"},
	"a shape that looks the same":    {`type shape struct{ at *struct{ medium, value string } }; var _ = sdk.Address(shape{})`, "cannot convert"},
	"a permit that looks the same":   {`type shape struct{ p *struct{ id string } }; var _ = sdk.Permit(shape{})`, "cannot convert"},
	"a message made from a string":   {`var _ = sdk.NewDirectMessage("a@b", sdk.MessageContent{})`, "as sdk.Permit value"},
	"a message made from an address": {`func f(a sdk.Address) any { return sdk.NewDirectMessage(a, sdk.MessageContent{}) }; var _ = f`, "as sdk.Permit value"},
	"a message without a permit":     {`var _ = sdk.NewDirectMessage(sdk.MessageContent{})`, "not enough arguments"},
	"a handle as an address":         {`var _ sdk.Address = sdk.Handle{Medium: "email", Value: "a@b"}`, "as sdk.Address value"},
}

// TestAForeignModuleCannotWriteToAnybody compiles programs in a module of another path, offline.
func TestAForeignModuleCannotWriteToAnybody(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write("go.sum", string(sum))
	write("go.mod", fmt.Sprintf("module example.org/foreign\n\ngo 1.26.0\n\nrequire github.com/belfry-news/belfry v0.0.0\n\nreplace github.com/belfry-news/belfry => %s\n", root))
	compile := func(folder, code string) (string, error) {
		imports := `import ("context"; "time"; "github.com/belfry-news/belfry/sdk")` + "\nvar (_ context.Context; _ time.Time; _ sdk.Code)\n"
		if own, rest, ok := strings.Cut(code, ";"); ok && strings.HasPrefix(own, "import ") {
			imports, code = own+"\n"+imports, rest
		}
		write(folder+"/x.go", "package x\n\n"+imports+code+"\n")
		cmd := exec.Command("go", "build", "-mod=mod", "./"+folder)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		return string(bytes.TrimSpace(out)), err
	}
	n := 0
	for name, code := range allowed {
		n++
		if out, err := compile(fmt.Sprintf("p%d", n), code); err != nil {
			t.Errorf("%s does not compile: %v\n%s", name, err, out)
		}
	}
	for name, tc := range forbidden {
		n++
		out, err := compile(fmt.Sprintf("p%d", n), tc.code)
		switch {
		case err == nil:
			t.Errorf("%s compiles", name)
		case !strings.Contains(out, tc.complaint):
			t.Errorf("%s is refused for another reason than %q:\n%s", name, tc.complaint, out)
		}
	}
}
