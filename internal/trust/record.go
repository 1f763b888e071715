package trust

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/sdk"
)

// format is the version of the record. A newer one is refused.
const format = 1

// suffix of the name of a record.
const suffix = ".trust.json"

// Record is the trust in one plugin.
type Record struct {
	Format int `json:"format"`
	// Name is that of the plugin's file or folder.
	Name string `json:"name"`
	// Program is its path in the folder, with slashes; "." for a plugin that is a single file.
	Program string   `json:"program"`
	Args    []string `json:"args,omitempty"`
	// Checksum is the filetree.Tree.Sum of Files.
	Checksum string    `json:"checksum"`
	Trusted  time.Time `json:"trusted"`
	Types    []Type    `json:"types"`
	// Files are everything that belongs to the plugin.
	Files filetree.Tree `json:"files"`
}

// Type is a type of sources or destinations, as the plugin described it.
type Type struct {
	Type    string          `json:"type"`
	Summary string          `json:"summary"`
	Roles   []sdk.Role      `json:"abilities"`
	Medium  *Medium         `json:"medium,omitempty"`
	Fields  []Setting       `json:"settings"`
	Schema  json.RawMessage `json:"schema"`
}

// Setting is one setting of a type.
type Setting struct {
	Path     string   `json:"path"`
	Type     string   `json:"type"`
	Default  string   `json:"default,omitempty"`
	Doc      string   `json:"doc,omitempty"`
	Example  string   `json:"example,omitempty"`
	Required bool     `json:"required,omitempty"`
	Enum     []string `json:"enum,omitempty"`
}

// Settings gives fields the form in which they are recorded.
func Settings(fields []sdk.Field) []Setting {
	out := make([]Setting, len(fields))
	for i, f := range fields {
		out[i] = Setting(f)
	}
	return out
}

// FieldsOf are the settings of a type.
func (t Type) FieldsOf() []sdk.Field {
	out := make([]sdk.Field, len(t.Fields))
	for i, s := range t.Fields {
		out[i] = sdk.Field(s)
	}
	return out
}

// RecordPath is where the trust in a plugin is recorded.
func RecordPath(folder, name string) string { return filepath.Join(folder, name+suffix) }

// Write records the trust in a plugin of the folder and gives the path of the record.
func (r Record) Write(folder string) (string, error) {
	r.Format = format
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := RecordPath(folder, r.Name)
	if err := replace(path, append(text, '\n')); err != nil {
		return "", fmt.Errorf("the record of trust %s cannot be written: %w; run this as the owner of the folder", path, filetree.Cause(err))
	}
	return path, nil
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".trust-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// read reads the record of a plugin; fs.ErrNotExist when there is none.
func read(folder, name string) (Record, error) {
	path := RecordPath(folder, name)
	again := fmt.Sprintf("make it anew: belfry plugin trust %s", name)
	info, err := os.Stat(path)
	if err != nil {
		return Record{}, err
	}
	if err := filetree.SafeFrom(path, info); err != nil {
		return Record{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Record{}, fmt.Errorf("the record of trust %s cannot be read: %w", path, filetree.Cause(err))
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("the record of trust %s cannot be understood: %w; %s", path, err, again)
	}
	switch {
	case r.Format != format:
		return Record{}, fmt.Errorf("the record of trust %s has the format %d, and this Belfry knows %d; %s", path, r.Format, format, again)
	case r.Name != name || !filepath.IsLocal(filepath.FromSlash(r.Program)) || len(r.Types) == 0 || r.Checksum != r.Files.Sum():
		return Record{}, fmt.Errorf("the record of trust %s does not hold together; %s", path, again)
	}
	return r, nil
}

// ChangedError says that a plugin is not what was trusted.
type ChangedError struct {
	Name string
	// Changes are what is other than it was, for people.
	Changes []string
}

// Error says what changed and what to do.
func (e *ChangedError) Error() string {
	const most = 3
	what := strings.Join(e.Changes[:min(len(e.Changes), most)], ", ")
	if n := len(e.Changes) - most; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("the plugin %s changed since it was trusted (%s); if you wanted that: belfry plugin trust %s", e.Name, what, e.Name)
}

// Verify compares a plugin with its record: every file, its rights, every link. The error is a *ChangedError, or says why the
// plugin cannot be looked at, or who else could change it.
func (r Record) Verify(folder string) error {
	tree, err := filetree.Read(filepath.Join(folder, r.Name))
	if err != nil {
		return err
	}
	return r.Compare(tree)
}

// Compare is Verify for a tree that was read.
func (r Record) Compare(tree filetree.Tree) error {
	if changes := filetree.Changes(r.Files, tree); len(changes) > 0 {
		return &ChangedError{r.Name, changes}
	}
	return nil
}

// Explain says what a tree that was read has other than the record of a plugin.
func Explain(folder, name string, tree filetree.Tree) error {
	r, err := read(folder, name)
	if err != nil {
		return err
	}
	return r.Compare(tree)
}

// Path is the plugin's program, from the root on.
func (r Record) Path(folder string) string {
	return filepath.Join(folder, r.Name, filepath.FromSlash(r.Program))
}

// TypeNames lists the types.
func (r Record) TypeNames() []string {
	out := make([]string, len(r.Types))
	for i, t := range r.Types {
		out[i] = t.Type
	}
	slices.Sort(out)
	return out
}
