package sdk

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Untyped is a scalar of a configuration that came without a type, from the environment or a flag: it takes the type
// that its setting wants.
type Untyped string

// Validator is a part of a configuration that checks itself after decoding. Its error may be Problems with pointers
// relative to it. It is asked even when some of its settings could not be decoded and still have their defaults: of what it
// then says, only that counts which rests on none of those (see Problem.Needs), so that one look tells all.
type Validator interface{ Validate() error }

// Defaulter is a part of a configuration that occurs many times, in a map or list, and sets its own defaults before it
// is decoded.
type Defaulter interface{ SetDefaults() }

// Decode reads a configuration into the struct that into points to, whose present values are the defaults. The tree
// holds nil, bool, json.Number, string, Untyped, []any and map[string]any. It is strict: an unknown key, a value of
// another type and a missing required setting are problems, all of them reported at once. Settings are named by the yaml
// tag; a field tagged ",inline" of type map[string]any takes the keys that no other field has.
//
// Tags it reads: yaml, required:"true", enum:"a|b|c", min:"1", max:"10"; doc, example and key, which says
// what the keys of a map are, are for Schema and Fields.
func Decode(tree any, into any) error {
	d := decoder{}
	d.value("", tree, reflect.ValueOf(into).Elem(), fieldTags{})
	sort.SliceStable(d.problems, func(i, j int) bool { return d.problems[i].Pointer < d.problems[j].Pointer })
	return d.problems.Err()
}

type decoder struct {
	problems Problems
	// wrong are the pointers of the settings that have no value of their own because of a problem.
	wrong []string
}

type fieldTags struct {
	enum     []string
	min, max string
}

func (d *decoder) add(pointer, fix, format string, args ...any) {
	d.report(Problem{Pointer: pointer, What: fmt.Sprintf(format, args...), Fix: fix})
}

func (d *decoder) report(p Problem) {
	p.Needs = nil // it is told
	d.problems = append(d.problems, p)
	d.wrong = append(d.wrong, p.Pointer)
}

// failed reports an error of a setting that reads or checks itself.
func (d *decoder) failed(at string, err error) {
	ps, ok := errors.AsType[Problems](err)
	if !ok {
		what, fix := Sentence(err)
		ps = Problems{{What: what, Fix: fix}}
	}
	for _, p := range ps {
		d.report(p.below(at))
	}
}

// value decodes one node and then lets it validate itself.
func (d *decoder) value(at string, tree any, v reflect.Value, tags fieldTags) {
	before := len(d.wrong)
	d.plain(at, tree, v, tags)
	val, ok := reflect.TypeAssert[Validator](v.Addr())
	if !ok {
		return
	}
	wrong := slices.Clone(d.wrong[before:])
	if len(wrong) == 0 {
		if err := val.Validate(); err != nil {
			d.failed(at, err)
		}
		return
	}
	for _, p := range validateWhatIsThere(val) {
		p.Pointer = at + p.Pointer
		p.Needs = slices.Clone(p.Needs)
		for i := range p.Needs {
			p.Needs[i] = at + p.Needs[i]
		}
		if p.Pointer != at && !slices.ContainsFunc(wrong, p.restsOn) {
			d.report(p)
		}
	}
}

// validateWhatIsThere validates a part of which some settings could not be decoded. An error about the whole says nothing,
// and code that takes a required setting for granted must not bring the check down.
func validateWhatIsThere(val Validator) (ps Problems) {
	defer func() {
		if recover() != nil {
			ps = nil
		}
	}()
	ps, _ = errors.AsType[Problems](val.Validate())
	return ps
}

// TreeDecoder is a setting that may be written in several shapes and reads the tree itself.
type TreeDecoder interface{ DecodeTree(tree any) error }

func (d *decoder) plain(at string, tree any, v reflect.Value, tags fieldTags) {
	if td, ok := reflect.TypeAssert[TreeDecoder](v.Addr()); ok {
		if err := td.DecodeTree(tree); err != nil {
			d.failed(at, err)
		}
		return
	}
	if tree == nil {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			v.SetZero()
		case reflect.Struct:
			// "key:" with nothing below it is an empty mapping, unless the struct is written as a scalar.
			if _, scalar := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); !scalar {
				d.plain(at, map[string]any{}, v, tags)
				return
			}
			fallthrough
		default:
			d.add(at, "give it a value or take the line out", "%s expected, found nothing", kindName(v))
		}
		return
	}
	if tu, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		d.text(at, tree, v, tu)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		n := reflect.New(v.Type().Elem())
		setDefaults(n)
		d.value(at, tree, n.Elem(), tags)
		v.Set(n)
	case reflect.Struct:
		d.structure(at, tree, v)
	case reflect.Map:
		d.mapping(at, tree, v)
	case reflect.Slice:
		d.list(at, tree, v, tags)
	case reflect.Interface:
		v.Set(reflect.ValueOf(tree))
	default:
		d.scalar(at, tree, v, tags)
	}
}

func (d *decoder) text(at string, tree any, v reflect.Value, tu encoding.TextUnmarshaler) {
	var s string
	switch t := tree.(type) {
	case string:
		s = t
	case Untyped:
		s = string(t)
	case json.Number:
		if _, secret := reflect.TypeAssert[*Secret](v.Addr()); secret {
			d.add(at, "put it in quotes", "text expected, found a number")
			return
		}
		s = t.String()
	default:
		d.add(at, "write one value", "%s expected, found %s", kindName(v), describe(tree))
		return
	}
	if err := tu.UnmarshalText([]byte(s)); err != nil {
		if _, network := reflect.TypeAssert[*netip.Prefix](v.Addr()); network {
			d.add(at, networkFix(s), "%q is no network", s)
			return
		}
		d.failed(at, err)
	}
}

// networkFix says how what was meant as a network would be written.
func networkFix(s string) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		return fmt.Sprintf("one address is written %s/%d", addr.WithZone(""), addr.BitLen())
	}
	return "write an address and a number of bits, like 10.0.3.7/32 or 192.168.0.0/16"
}

func setDefaults(ptr reflect.Value) {
	if def, ok := reflect.TypeAssert[Defaulter](ptr); ok {
		def.SetDefaults()
	}
}

func (d *decoder) structure(at string, tree any, v reflect.Value) {
	m, ok := tree.(map[string]any)
	if !ok {
		d.add(at, "write {key: value}, or lines of key: value below it", "settings expected (key: value), found %s", describe(tree))
		return
	}
	fields := fieldsOf(v.Type())
	known := make([]string, 0, len(fields))
	rest := reflect.Value{}
	for _, f := range fields {
		if f.inline {
			rest = v.FieldByIndex(f.index)
			continue
		}
		known = append(known, f.name)
	}
	misspelt := map[string]bool{}
	for key := range m {
		if !rest.IsValid() && !slices.Contains(known, key) {
			misspelt[Nearest(key, known)] = true
		}
	}
	for _, f := range fields {
		if f.inline {
			continue
		}
		fv := v.FieldByIndex(f.index)
		sub, present := m[f.name]
		if !present {
			if misspelt[f.name] {
				d.wrong = append(d.wrong, at+"/"+escapePointer(f.name)) // it is meant, and does not have its value
			} else if f.required {
				d.add(at+"/"+escapePointer(f.name), "write "+f.line(), "%q is missing%s", f.name, because(f.doc))
			}
			continue
		}
		d.value(at+"/"+escapePointer(f.name), sub, fv, f.tags)
	}
	for key, sub := range m {
		if slices.Contains(known, key) {
			continue
		}
		if rest.IsValid() {
			if rest.IsNil() {
				rest.Set(reflect.ValueOf(map[string]any{}))
			}
			rest.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(&sub).Elem())
			continue
		}
		d.problems = append(d.problems, UnknownKey(at, key, known))
	}
}

func (d *decoder) mapping(at string, tree any, v reflect.Value) {
	m, ok := tree.(map[string]any)
	if !ok {
		d.add(at, "write lines of name: … below it", "settings expected (name: …), found %s", describe(tree))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for _, key := range sortedKeys(m) {
		n := reflect.New(v.Type().Elem())
		setDefaults(n)
		d.value(at+"/"+escapePointer(key), m[key], n.Elem(), fieldTags{})
		out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), n.Elem())
	}
	v.Set(out)
}

func (d *decoder) list(at string, tree any, v reflect.Value, tags fieldTags) {
	l, ok := tree.([]any)
	if u, isText := tree.(Untyped); isText {
		numbers := json.NewDecoder(strings.NewReader(string(u)))
		numbers.UseNumber()
		ok = numbers.Decode(&l) == nil && !numbers.More()
	}
	if !ok {
		fix := "write it as [a, b] or as lines that begin with \"- \""
		switch t := tree.(type) {
		case string:
			if len(t) > 1 && t[0] == '-' {
				fix = "write a space after each -"
			}
		case Untyped: // a flag or a variable, where a list is JSON
			fix = `write it as ["a", "b"]`
		}
		d.add(at, fix, "a list expected, found %s", describe(tree))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(l), len(l))
	for i := range l {
		setDefaults(out.Index(i).Addr())
		d.value(at+"/"+strconv.Itoa(i), l[i], out.Index(i), tags)
	}
	v.Set(out)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
