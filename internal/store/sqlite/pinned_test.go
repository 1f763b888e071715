package sqlite_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:generate go test -run TestShippedMigrationsStay -args -pin

var pin = flag.Bool("pin", false, "add migrations that are not listed yet to testdata/migrations.sha256")

const pinned = "testdata/migrations.sha256"

// TestShippedMigrationsStay holds every migration to the checksum with which it shipped: a database that has gone through
// it would never get what is changed there afterwards, and would then be refused as altered.
func TestShippedMigrationsStay(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(pinned)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	slices.Sort(files)
	problems, added := compare(string(list), files, os.ReadFile)
	if *pin && len(problems) == 0 && added != "" {
		if err := os.WriteFile(pinned, append(list, added...), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, p := range problems {
		t.Error(p)
	}
	if added != "" {
		t.Errorf("not in %s yet; once they are as they ship, add them with: go generate ./internal/store/sqlite\n%s", pinned, added)
	}
}

// compare says what of the shipped files was changed, and gives the lines of those that are new.
func compare(list string, files []string, read func(string) ([]byte, error)) (problems []string, added string) {
	shipped, order := map[string]string{}, []string{}
	for line := range strings.Lines(list) {
		sum, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: %q is no checksum and file, as sha256sum writes them", pinned, line))
			continue
		}
		shipped[file], order = sum, append(order, file)
	}
	for _, file := range files {
		text, err := read(file)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		sum := sha256.Sum256(text)
		got := hex.EncodeToString(sum[:])
		switch want, known := shipped[file]; {
		case !known && len(order) > 0 && file < slices.Max(order):
			problems = append(problems, fmt.Sprintf("%s comes before %s, which has shipped; add a new migration with the next number instead", file, slices.Max(order)))
		case !known:
			added += fmt.Sprintf("%s  %s\n", got, file)
		case got != want:
			problems = append(problems, fmt.Sprintf("%s has shipped and was changed: databases that went through it never get the change; put it back, and add a new migration instead", file))
		}
	}
	for _, file := range order {
		if !slices.Contains(files, file) {
			problems = append(problems, fmt.Sprintf("%s has shipped and is gone; put it back, and add a new migration that undoes it instead", file))
		}
	}
	return problems, added
}

// TestChangedMigrationsAreSeen holds that the list is worth something.
func TestChangedMigrationsAreSeen(t *testing.T) {
	t.Parallel()
	disk := map[string]string{"migrations/00001_a.sql": "one", "migrations/00003_c.sql": "three"}
	read := func(name string) ([]byte, error) { return []byte(disk[name]), nil }
	files := []string{"migrations/00001_a.sql", "migrations/00003_c.sql"}
	problems, list := compare("", files, read)
	if len(problems) != 0 || strings.Count(list, "\n") != 2 {
		t.Fatalf("%q, %q", problems, list)
	}
	if problems, added := compare(list, files, read); len(problems) != 0 || added != "" {
		t.Errorf("nothing was changed: %q, %q", problems, added)
	}
	for name, c := range map[string]struct {
		change func(d map[string]string)
		files  []string
		want   string
	}{
		"a changed one":      {func(d map[string]string) { d["migrations/00001_a.sql"] = "one, better" }, files, "add a new migration instead"},
		"one that is gone":   {func(map[string]string) {}, files[:1], "add a new migration that undoes it instead"},
		"one in between":     {func(d map[string]string) { d["migrations/00002_b.sql"] = "two" }, append([]string{"migrations/00002_b.sql"}, files...), "with the next number instead"},
		"a list of no files": {func(map[string]string) {}, nil, "is gone"},
	} {
		d := maps.Clone(disk)
		c.change(d)
		problems, _ := compare(list, c.files, func(name string) ([]byte, error) { return []byte(d[name]), nil })
		if len(problems) == 0 || !strings.Contains(problems[0], c.want) {
			t.Errorf("%s: %q", name, problems)
		}
	}
}
