package deptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/belfry-news/belfry/"

type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

// packages lists the module's packages as they are built, without tests.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	if len(all) < 15 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

func ours(imports []string) (out []string) {
	for _, i := range imports {
		if rest, ok := strings.CutPrefix(i, module); ok {
			out = append(out, rest)
		}
	}
	return out
}

// under reports whether a package is one of the folders or lies in one.
func under(p string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
}

// The core: what decides and carries. It declares what it needs of others, and knows none of them.
var core = []string{"internal/permit", "internal/alert", "internal/intake", "internal/compose", "internal/outbox", "internal/media", "internal/i18n", "internal/conn", "internal/rehearse", "internal/pluginhost", "internal/web",
	"internal/consent", "internal/policy", "internal/ledger", "internal/websub"}

func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	allowed := []struct {
		who  []string
		may  []string
		rule string
	}{
		{[]string{"internal/permit", "scheduler"}, nil, "imports nothing of ours"},
		{[]string{"sdk"}, []string{"internal/permit"}, "imports only internal/permit"},
		{[]string{"sdk/render"}, []string{"sdk"}, "imports only sdk"},
		{[]string{"connectors", "plugins"}, []string{"sdk", "connectors", "plugins"}, "imports only sdk"},
		{[]string{"configs"}, []string{"sdk", "scheduler"}, "imports only sdk and scheduler"},
		{[]string{"internal/serve", "internal/disk", "internal/memory", "internal/alert"}, []string{"sdk"}, "knows nothing of the daemon"},
		{[]string{"internal/conn", "internal/media", "internal/rehearse"}, []string{"sdk"}, "imports only sdk"},
		// Who may be written to: the rules know the words of consent, the ledger and the model nothing at all.
		{[]string{"internal/policy"}, []string{"internal/consent", "scheduler"}, "decides by facts alone"},
		{[]string{"internal/ledger", "internal/consent/model", "internal/consent/history", "internal/lanes"}, nil, "imports nothing of ours"},
		// What operators see and do: the desk knows the newsroom, what is in front of it knows the desk, and none the daemon.
		{[]string{"internal/desk"}, []string{"sdk", "scheduler", "configs", "internal/alert", "internal/choices", "internal/compose", "internal/consent", "internal/disk", "internal/i18n", "internal/intake", "internal/ledger", "internal/media", "internal/policy",
			"internal/outbox", "internal/store", "internal/websub"}, "is asked by programs and commands, and knows neither them nor the daemon"},
		{[]string{"internal/api"}, []string{"sdk", "configs", "internal/compose", "internal/consent", "internal/policy", "internal/desk", "internal/serve", "internal/store"}, "speaks for the desk, and knows no daemon"},
		{[]string{"internal/metrics"}, []string{"sdk", "scheduler", "configs", "internal/alert", "internal/compose", "internal/store", "internal/websub"}, "reads the store, and knows no daemon"},
		{[]string{"internal/admin"}, []string{"internal/api", "internal/memory", "internal/serve"}, "puts what others made behind one address"},
	}
	all := packages(t)
	for name, p := range all {
		for _, rule := range allowed {
			exact := slices.Contains(rule.who, name) || !slices.Contains([]string{"sdk"}, rule.who[0]) && under(name, rule.who...)
			if !exact {
				continue
			}
			for _, i := range ours(p.Imports) {
				own := under(i, name) || under(name, i) && under(i, rule.who...) && rule.may != nil
				if !under(i, rule.may...) && !own {
					t.Errorf("%s imports %s; it %s", name, i, rule.rule)
				}
			}
		}
		if under(name, core...) {
			for _, i := range ours(p.Imports) {
				if under(i, "internal/store", "internal/app", "cmd") {
					t.Errorf("%s imports %s; the core declares what it needs and imports no store", name, i)
				}
				if under(i, "connectors", "plugins") {
					t.Errorf("%s imports %s; the core knows no connector", name, i)
				}
			}
		}
		if slices.Contains(ours(p.Imports), "internal/visitor") && !under(name, "internal/demo", "internal/plugindev") {
			t.Errorf("%s imports internal/visitor; it dials unguarded, for pages of Belfry's own that a show or a developer started", name)
		}
		if !under(name, "cmd", "bench", "internal/app", "internal/demo", "connectors", "plugins") {
			for _, i := range ours(p.Imports) {
				if under(i, "connectors", "plugins") {
					t.Errorf("%s imports %s; only cmd lists connectors", name, i)
				}
			}
		}
	}
	// Connectors and plugins do not know each other.
	for name, p := range all {
		if !under(name, "connectors", "plugins") {
			continue
		}
		root := strings.Join(strings.SplitN(name, "/", 3)[:2], "/")
		for _, i := range ours(p.Imports) {
			if under(i, "connectors", "plugins") && !under(i, root) {
				t.Errorf("%s imports %s; connectors and plugins do not know each other", name, i)
			}
		}
	}
}

func TestSDKRootImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, i := range packages(t)["sdk"].Imports {
		if strings.Contains(strings.SplitN(i, "/", 2)[0], ".") && i != module+"internal/permit" {
			t.Errorf("sdk imports %s; third parties would inherit it", i)
		}
	}
}

// Only these may mint permits: consent, which has the grants; the wire, which gives a plugin the message that the host
// started; and the suites, for addresses @example.invalid.
func TestWhoMintsPermits(t *testing.T) {
	t.Parallel()
	may := []string{"internal/consent", "internal/wire/v1", "internal/conformance/people"}
	for name, p := range packages(t) {
		for _, i := range ours(p.Imports) {
			if i != "internal/permit" || name == "sdk" || slices.Contains(may, name) {
				continue
			}
			t.Errorf("%s imports internal/permit; only %s may", name, strings.Join(may, ", "))
		}
	}
}

// Packages have no init functions: nothing registers itself.
func TestNoInitRegistration(t *testing.T) {
	t.Parallel()
	for name, p := range packages(t) {
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f, ".pb.go") {
				continue // protobuf's generated code registers its types
			}
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
					t.Errorf("%s/%s has an init function", name, f)
				}
			}
		}
	}
}

// Every package says in its comment what it promises.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	for name, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		said := false
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			said = said || file.Doc != nil && len(file.Doc.Text()) > 40
		}
		if !said {
			t.Errorf("%s has no package comment", name)
		}
	}
}
