package i18n

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhatIsAskedFor holds that every message a package or a page asks for exists, and that none is kept for nothing. A
// literal that ends with a full stop asks for all messages below it.
func TestWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	words := For("en").words
	topics := map[string]bool{}
	for key := range words {
		topic, _, _ := strings.Cut(key, ".")
		topics[topic] = true
	}
	asked := map[string]bool{"months": true, "weekdays": true} // by this package itself
	literal := regexp.MustCompile("[\"`]([a-z]+\\.[a-z0-9_.]+|[1-5][0-9][0-9](?:\\.[a-z]+)?)[\"`]")
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "scaffold" {
			return filepath.SkipDir // it shows readers nothing, and has names of processors that look like a status
		}
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".html") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			key := m[1]
			if key[0] <= '9' {
				key = "error." + key
			}
			topic, _, _ := strings.Cut(key, ".")
			if ext := filepath.Ext(key); !topics[topic] || ext == ".css" || ext == ".js" {
				continue
			}
			asked[key] = true
			if _, known := words[key]; !known && !strings.HasSuffix(key, ".") && words[key+".other"] == "" {
				t.Errorf("%s asks for %q, which no catalogue has", path, key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range words {
		used := asked[key]
		for _, suffix := range []string{".one", ".other", ".day", ".text"} {
			used = used || asked[strings.TrimSuffix(key, suffix)]
		}
		for i := range len(key) {
			used = used || key[i] == '.' && asked[key[:i+1]]
		}
		if !used {
			t.Errorf("the catalogues have %q, for which nothing asks", key)
		}
	}
}
