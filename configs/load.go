package configs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

// Options say what to load.
type Options struct {
	// Path is a YAML file, whose conf.d beside it is merged over it, or a folder of YAML files merged in name order.
	Path string
	// Environ is the environment, as os.Environ gives it. BELFRY__SITE__URL sets site.url.
	Environ []string
	// Flags override everything; keys are dotted paths.
	Flags map[string]string
	// Specs are the types that sources and destinations may have.
	Specs []*sdk.Spec
	// Trusted reads the types of the plugins that are trusted in a folder; its error is a sentence. Nil means that there are
	// none.
	Trusted func(folder string) ([]Trusted, error)
	// Checks look at the decoded configuration for what this package cannot tell, such as templates.
	Checks []func(*Loaded) sdk.Problems
}

// Loaded is a configuration without problems.
type Loaded struct {
	Config
	// Path is what was loaded and Dir the folder that relative names start from.
	Path, Dir string
	// Files are the files it was made of, templates included.
	Files []string
	// Warnings are worth a look and stop nothing.
	Warnings []Located
	// Hash is of every value, secrets included, to notice a change. It is never stored or shown.
	Hash string

	specs map[string]*sdk.Spec
	// trusted are the types of trusted plugins.
	trusted map[string]Trusted
	nodes   map[string]node
	// referred are the values that came from references, by pointer. Nothing shows them.
	referred map[string]referred
	// templates are the files that settings name, by pointer.
	templates map[string]string
	// outside are the dotted paths of settings from flags or the environment.
	outside []string
	// withheld are the destinations whose credentials are not known; see Withheld.
	withheld map[string]bool
}

// Invalid is every problem of a configuration.
type Invalid struct{ Problems []Located }

// Error lists the problems, one a line, and counts them.
func (e *Invalid) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.String())
		b.WriteByte('\n')
	}
	if n := len(e.Problems); n == 1 {
		b.WriteString("1 problem")
	} else {
		fmt.Fprintf(&b, "%d problems", n)
	}
	return b.String()
}

const delimiter = "::"

// Load reads, merges, decodes and checks a configuration. Its error is *Invalid.
func Load(o Options) (*Loaded, error) {
	l := newLoaded(o)
	c := newCollector(l, o)
	files, err := configFiles(o.Path)
	if err != nil {
		return nil, &Invalid{[]Located{{What: err.Error(), Fix: "give the right path with --config"}}}
	}
	tree := l.merge(o, files, c)
	if !c.broken {
		tree, _ = l.substitute("", tree, c).(map[string]any)
		c.decode(sdk.Decode(tree, &l.Config))
	}
	if !c.broken {
		l.readTrusted(o, c)
		// From here on everything is looked at, so that one look tells all.
		for _, look := range []func(*collector){l.checkOptions, l.readTemplates, l.check} {
			c.next()
			look(c)
		}
		c.next()
		for _, check := range o.Checks {
			c.addAll(check(l))
		}
	}
	if len(c.problems) > 0 {
		inOrder(c.problems, files)
		return nil, &Invalid{c.problems}
	}
	l.warn(tree)
	inOrder(l.Warnings, files)
	l.Hash = hashTree(tree, l.Files, l.trusted)
	return l, nil
}

// inOrder sorts by file, line and column; what is about no file of the configuration comes first.
func inOrder(list []Located, files []string) {
	slices.SortStableFunc(list, func(a, b Located) int {
		return cmp.Or(slices.Index(files, a.File)-slices.Index(files, b.File), strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
}

// lookIn looks names up in an environment, as os.Environ gives it.
func lookIn(environ []string) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		for _, e := range slices.Backward(environ) {
			if k, v, ok := strings.Cut(e, "="); ok && k == name {
				return v, true
			}
		}
		return "", false
	}
}

// InOrder sorts what is located in the configuration as its own problems are.
func (l *Loaded) InOrder(list []Located) { inOrder(list, l.Files) }

// Says reports whether a setting, given as a JSON pointer, was written somewhere; what was not has its default.
func (l *Loaded) Says(pointer string) bool {
	_, says := l.nodes[pointer]
	return says
}

// configFiles lists the files to merge, in order.
func configFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file", path)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", path, pathCause(err))
	}
	files := []string{}
	folder := filepath.Join(filepath.Dir(path), "conf.d")
	if info.IsDir() {
		folder = path
	} else {
		files = append(files, path)
	}
	more, err := os.ReadDir(folder) // in the order of names
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s cannot be read: %w", folder, pathCause(err))
	}
	for _, f := range more {
		ext := filepath.Ext(f.Name())
		// What begins with a dot is an editor's.
		if (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(f.Name(), ".") {
			files = append(files, filepath.Join(folder, f.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: the folder holds no .yaml file", path)
	}
	return files, nil
}

// naming says what is known of the names of settings. The value of one is never a secret when it is one of Belfry's own
// and no type has a secret of that name.
func (l *Loaded) naming() naming {
	own := [][]sdk.Field{sdk.Fields(Default()), sdk.Fields(Source{}), sdk.Fields(Destination{}), sdk.Fields(Channel{})}
	for _, spec := range l.specs {
		own = append(own, spec.Fields())
	}
	return namingOf(own)
}

func namingOf(own [][]sdk.Field) naming {
	known, secret, nested := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, fields := range own {
		for _, f := range fields {
			parts := strings.FieldsFunc(f.Path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
			if len(parts) == 0 {
				continue
			}
			name := parts[len(parts)-1]
			known[name] = true
			secret[name] = secret[name] || strings.Contains(f.Type, "secret")
			nested[name] = nested[name] || strings.HasPrefix(f.Type, "settings")
		}
	}
	return naming{known: func(name string) bool { return known[name] }, open: func(name string) bool { return known[name] && !secret[name] },
		nested: func(name string) bool { return nested[name] }}
}

// pathCause takes the path out of a file error whose sentence names it already.
func pathCause(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

// merge layers files, environment and flags with koanf, and keeps where each setting stands.
func (l *Loaded) merge(o Options, files []string, c *collector) map[string]any {
	k := koanf.New(delimiter)
	load := func(tree map[string]any) {
		if err := k.Load(confmap.Provider(tree, ""), nil); err != nil {
			c.problems = append(c.problems, Located{Position{File: l.Path}, err.Error(), ""})
		}
	}
	names := l.naming()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.problems = append(c.problems, Located{Position{File: file}, "the file cannot be read: " + pathCause(err).Error(),
				"let the user that runs Belfry read it, or take it away"})
			c.broken = true
			continue
		}
		l.Files = append(l.Files, file)
		doc := parseYAML(file, text, names)
		c.problems = append(c.problems, doc.problems...)
		c.pointers = append(c.pointers, doc.wrong...)
		c.broken = c.broken || doc.broken || len(doc.tree) == 0
		maps.Copy(l.nodes, doc.nodes)
		maps.Copy(c.commented, doc.commented)
		load(doc.tree)
	}
	envTree := map[string]any{}
	provider := env.Provider(delimiter, env.Opt{Prefix: "BELFRY__", EnvironFunc: func() []string { return o.Environ },
		TransformFunc: func(name, value string) (string, any) {
			keys := strings.Split(strings.ToLower(strings.TrimPrefix(name, "BELFRY__")), "__")
			l.layer(envTree, keys, value, Position{File: "environment variable " + name})
			return "", nil
		}})
	if _, err := provider.Read(); err != nil {
		c.problems = append(c.problems, Located{Position{File: "environment"}, err.Error(), ""})
	}
	load(envTree)
	flagTree := map[string]any{}
	for name, value := range o.Flags {
		l.layer(flagTree, strings.Split(name, "."), value, Position{File: "--set " + name})
	}
	load(flagTree)
	return k.Raw()
}

// layer sets one value of the environment or of a flag in a tree.
func (l *Loaded) layer(tree map[string]any, keys []string, value string, at Position) {
	for i, key := range keys {
		path := make([]any, i+1)
		for j := range path {
			path[j] = keys[j]
		}
		pointer := sdk.Pointer(path...)
		if _, known := l.nodes[pointer]; !known || i == len(keys)-1 {
			l.nodes[pointer] = node{key: at, value: at}
		}
		if i == len(keys)-1 {
			l.outside = append(l.outside, strings.Join(keys, "."))
			tree[key] = sdk.Untyped(value)
			return
		}
		sub, ok := tree[key].(map[string]any)
		if !ok {
			sub = map[string]any{}
			tree[key] = sub
		}
		tree = sub
	}
}

// collector gathers problems and finds their places.
type collector struct {
	loaded   *Loaded
	problems []Located
	// pointers are of the settings that problems are about, and settled are those of earlier looks: what rests on a
	// setting that is wrong already says nothing more about it.
	pointers, settled []string
	environ           func(string) (string, bool)
	// commented are fixes for settings without a value, by pointer; see document.
	commented map[string]string
	// broken says that something is missing from the configuration because it could not be read.
	broken bool
}

func newCollector(l *Loaded, o Options) *collector {
	return &collector{loaded: l, environ: lookIn(o.Environ), commented: map[string]string{}}
}

// decode adds the problems of decoding. The settings they are about keep their defaults, so that the others can be looked
// at all the same.
func (c *collector) decode(err error) {
	var ps sdk.Problems
	if !errors.As(err, &ps) {
		if err != nil {
			c.problems = append(c.problems, Located{Position{File: c.loaded.Path}, err.Error(), ""})
			c.broken = true
		}
		return
	}
	c.next()
	c.addAll(ps)
}

// next begins another look at the settings.
func (c *collector) next() { c.settled = slices.Clone(c.pointers) }

func (c *collector) addAll(ps sdk.Problems) {
	for _, p := range ps {
		wrong := func(s string) bool {
			return s == p.Pointer || strings.HasPrefix(s, p.Pointer+"/") || strings.HasPrefix(p.Pointer, s+"/")
		}
		if slices.ContainsFunc(c.settled, wrong) {
			continue
		}
		if fix, isComment := c.commented[p.Pointer]; isComment && strings.HasSuffix(p.What, "found nothing") {
			p.Fix = fix
		}
		c.problems = append(c.problems, c.loaded.Locate(c.loaded.discreet(p)))
		if !p.OnKey { // then what stands there can be looked at all the same
			c.pointers = append(c.pointers, p.Pointer)
		}
	}
}

func (c *collector) at(pointer, what, fix string) {
	c.addAll(sdk.Problems{{Pointer: pointer, What: what, Fix: fix}})
}

// Locate finds the place of a problem: of its setting, or else of the nearest setting around it.
func (l *Loaded) Locate(p sdk.Problem) Located {
	for pointer := p.Pointer; pointer != ""; pointer = pointer[:strings.LastIndexByte(pointer, '/')] {
		n, ok := l.nodes[pointer]
		if !ok {
			continue
		}
		at := n.value
		if p.OnKey || pointer != p.Pointer || at.Line == 0 && n.key.Line != 0 {
			at = n.key
		}
		if p.Line > 0 && pointer == p.Pointer {
			at = l.inside(p, at)
		}
		return Located{at, p.What, p.Fix}
	}
	return Located{Position{File: l.Path}, p.What, p.Fix}
}

// LocateOptions finds the places of what a third party's plugin says of the options of a source or destination (section
// "sources" or "destinations"), without what references stand for.
func (l *Loaded) LocateOptions(section, name string, ps sdk.Problems) []Located {
	out := make([]Located, len(ps))
	for i, p := range ps {
		p.Pointer = sdk.Pointer(section, name) + p.Pointer
		out[i] = l.Locate(l.discreet(p))
	}
	return out
}

// inside refines the place of a problem that has a line and column within the text of its setting.
func (l *Loaded) inside(p sdk.Problem, at Position) Position {
	if _, ok := l.referred[p.Pointer]; ok {
		return at // the text does not stand here
	}
	if file, ok := l.templates[p.Pointer]; ok {
		return Position{File: file, Line: p.Line, Column: max(p.Column, 1)}
	}
	if n := l.nodes[p.Pointer]; n.inner != nil {
		if exact, ok := n.inner.place(p.Line, p.Column); ok {
			return exact
		}
	}
	return at
}

// Spec gives the declaration of a type; nil for a plugin of a third party.
func (l *Loaded) Spec(typ string) *sdk.Spec { return l.specs[typ] }

// hashTree identifies every value and every template.
func hashTree(tree map[string]any, files []string, trusted map[string]Trusted) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(tree); err != nil {
		return "" // a tree of texts can be written
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".tmpl") {
			text, _ := os.ReadFile(f)
			h.Write(text)
			h.Write([]byte{0})
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(trusted)) {
		t := trusted[typ]
		fmt.Fprintf(h, "%q %q %q %q %q %v\n", typ, t.Path, t.Args, t.Checksum, t.Roles, t.rules())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Stamp identifies the present state of the files that a configuration was made of, by names, sizes and times.
func Stamp(l *Loaded) string {
	h := sha256.New()
	files, err := configFiles(l.Path)
	if err != nil {
		return "absent" // being replaced, or gone: nothing to load
	}
	for _, f := range append(files, l.Files...) {
		info, err := os.Stat(f)
		if err != nil {
			return "absent"
		}
		fmt.Fprintln(h, f, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil))
}
