package operations

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever reads how it works finds every folder with code there, and nothing that is gone.
func TestArchitectureNamesEveryFolder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Where things are")
	if !found {
		t.Fatal("the page does not say where things are")
	}
	there := map[string]bool{}
	for _, pattern := range []string{"../../internal/*", "../../connectors/*", "../../plugins/*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil || len(folders) == 0 {
			t.Fatalf("%q, %v", folders, err)
		}
		for _, folder := range folders {
			name := filepath.Base(folder)
			if filepath.Base(filepath.Dir(folder)) == "internal" {
				name = "internal/" + name
			}
			there[name] = true
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("docs/architecture.md does not name %s", folder)
			}
		}
	}
	for i, name := range strings.Split(table, "`") {
		if i%2 == 1 && strings.HasPrefix(name, "internal/") && !there[name] {
			t.Errorf("docs/architecture.md names %s, which is not there", name)
		}
	}
}
