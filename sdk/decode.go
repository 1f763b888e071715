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
	"sync"
	"unicode"
	"unicode/utf8"
)

// Untyped is a scalar of a configuration that came without a type, from the environment or a flag: it takes the type
// that its setting wants.
type Untyped string

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Pointer is the JSON Pointer (RFC 6901) of the setting; empty for the whole.
	Pointer string
	// OnKey says that the name of the setting is wrong, not its value.
	OnKey bool
	// What is wrong, and Fix what would be right; Fix may be empty.
	What, Fix string
	// Line and Column, from 1, say where inside the text of the setting, when it is a program or a template; 0 when it is
	// about the whole.
	Line, Column int
}

// String gives "what; fix".
func (p Problem) String() string {
	if p.Fix == "" {
		return p.What
	}
	return p.What + "; " + p.Fix
}

// Problems is everything that is wrong, as an error.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
		if p.Pointer != "" {
			lines[i] = p.Pointer + ": " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// Add appends a problem at a pointer below the struct that is validated ("" for the struct itself).
func (ps *Problems) Add(pointer, what, fix string) {
	*ps = append(*ps, Problem{Pointer: pointer, What: what, Fix: fix})
}

// Err gives the problems as an error, or nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Validator is a part of a configuration that checks itself after decoding. Its error may be Problems with pointers
// relative to it.
type Validator interface{ Validate() error }

// Defaulter is a part of a configuration that occurs many times, in a map or list, and sets its own defaults before it
// is decoded.
type Defaulter interface{ SetDefaults() }

// Decode reads a configuration into the struct that into points to, whose present values are the defaults. The tree
// holds nil, bool, json.Number, string, Untyped, []any and map[string]any. It is strict: an unknown key, a value of
// another type and a missing required setting are problems, all of them reported at once. Settings are named by the yaml
// tag; a field tagged ",inline" of type map[string]any takes the keys that no other field has.
//
// Tags it reads: yaml, required:"true", enum:"a|b|c", min:"1", max:"10"; doc and example are for Schema and Fields.
func Decode(tree any, into any) error {
	d := decoder{}
	d.value("", tree, reflect.ValueOf(into).Elem(), fieldTags{})
	sort.SliceStable(d.problems, func(i, j int) bool { return d.problems[i].Pointer < d.problems[j].Pointer })
	return d.problems.Err()
}

type decoder struct{ problems Problems }

type fieldTags struct {
	enum     []string
	min, max string
}

func (d *decoder) add(pointer, fix, format string, args ...any) {
	d.problems.Add(pointer, fmt.Sprintf(format, args...), fix)
}

// value decodes one node and then lets it validate itself, unless something below it is already wrong.
func (d *decoder) value(at string, tree any, v reflect.Value, tags fieldTags) {
	before := len(d.problems)
	d.plain(at, tree, v, tags)
	if len(d.problems) > before || !v.CanAddr() {
		return
	}
	if val, ok := reflect.TypeAssert[Validator](v.Addr()); ok {
		err := val.Validate()
		if ps, ok := errors.AsType[Problems](err); ok {
			for _, p := range ps {
				p.Pointer = at + p.Pointer
				d.problems = append(d.problems, p)
			}
		} else if err != nil {
			d.add(at, "", "%s", err)
		}
	}
}

// TreeDecoder is a setting that may be written in several shapes and reads the tree itself.
type TreeDecoder interface{ DecodeTree(tree any) error }

func (d *decoder) plain(at string, tree any, v reflect.Value, tags fieldTags) {
	if td, ok := reflect.TypeAssert[TreeDecoder](v.Addr()); ok {
		if err := td.DecodeTree(tree); err != nil {
			if ps, ok := errors.AsType[Problems](err); ok {
				for _, p := range ps {
					p.Pointer = at + p.Pointer
					d.problems = append(d.problems, p)
				}
				return
			}
			d.add(at, "", "%s", err)
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
		d.add(at, "", "%s expected, found %s", kindName(v), describe(tree))
		return
	}
	if err := tu.UnmarshalText([]byte(s)); err != nil {
		if _, network := reflect.TypeAssert[*netip.Prefix](v.Addr()); network {
			d.add(at, networkFix(s), "%q is no network", s)
			return
		}
		d.add(at, "", "%s", err)
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
		d.add(at, "", "settings expected (key: value), found %s", describe(tree))
		return
	}
	fields := fieldsOf(v.Type())
	known := make([]string, 0, len(fields))
	rest := reflect.Value{}
	for _, f := range fields {
		fv := v.FieldByIndex(f.index)
		if f.inline {
			rest = fv
			continue
		}
		known = append(known, f.name)
		sub, present := m[f.name]
		if !present {
			if f.required {
				d.add(at+"/"+escapePointer(f.name), "", "%q is missing%s", f.name, because(f.doc))
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

func because(doc string) string {
	if doc == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(doc)
	if second, _ := utf8.DecodeRuneInString(doc[size:]); !unicode.IsUpper(second) { // not "URL of…"
		doc = string(unicode.ToLower(first)) + doc[size:]
	}
	return ": " + strings.TrimSuffix(doc, ".")
}

// UnknownKey is the problem of a key that nothing reads, with the nearest known one.
func UnknownKey(at, key string, known []string) Problem {
	where := ""
	if at != "" {
		where = " in " + strings.ReplaceAll(strings.TrimPrefix(at, "/"), "/", ".")
	}
	p := Problem{Pointer: at + "/" + escapePointer(key), OnKey: true, What: fmt.Sprintf("unknown key %q%s", key, where)}
	if near := Nearest(key, known); near != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) > 0 && len(known) <= 24 {
		sorted := slices.Sorted(slices.Values(known))
		p.Fix = "known are " + strings.Join(sorted, ", ")
	}
	return p
}

func (d *decoder) mapping(at string, tree any, v reflect.Value) {
	m, ok := tree.(map[string]any)
	if !ok {
		d.add(at, "", "settings expected (name: …), found %s", describe(tree))
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
		d.add(at, "write it as [a, b] or as lines that begin with \"- \"", "a list expected, found %s", describe(tree))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(l), len(l))
	for i := range l {
		setDefaults(out.Index(i).Addr())
		d.value(at+"/"+strconv.Itoa(i), l[i], out.Index(i), tags)
	}
	v.Set(out)
}

func (d *decoder) scalar(at string, tree any, v reflect.Value, tags fieldTags) {
	if u, ok := tree.(Untyped); ok {
		tree = typed(string(u), v.Kind())
	}
	wrong := func(fix string) { d.add(at, fix, "%s expected, found %s", kindName(v), describe(tree)) }
	switch v.Kind() {
	case reflect.String:
		s, ok := tree.(string)
		if !ok {
			fix := "write a single text"
			switch tree.(type) {
			case bool, json.Number:
				fix = fmt.Sprintf("put it in quotes: \"%v\"", tree)
			}
			wrong(fix)
			return
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := tree.(bool)
		if !ok {
			wrong("write true or false" + looksBool(tree))
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, ok := tree.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, v.Type().Bits())
		if !ok || err != nil {
			wrong("")
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		n, ok := tree.(json.Number)
		f, err := strconv.ParseFloat(n.String(), 64)
		if !ok || err != nil {
			wrong("")
			return
		}
		v.SetFloat(f)
	default:
		panic("sdk: a configuration field of type " + v.Type().String() + " cannot be decoded")
	}
	d.bounds(at, v, tags)
}

func (d *decoder) bounds(at string, v reflect.Value, tags fieldTags) {
	if v.Kind() == reflect.String && tags.enum != nil && !slices.Contains(tags.enum, v.String()) {
		fix := "one of " + strings.Join(tags.enum, ", ")
		if near := Nearest(v.String(), tags.enum); near != "" {
			fix = fmt.Sprintf("did you mean %q? (%s)", near, fix)
		}
		d.add(at, fix, "%q is not possible here", v.String())
	}
	var n float64
	switch {
	case v.CanInt():
		n = float64(v.Int())
	case v.CanFloat():
		n = v.Float()
	default:
		return
	}
	if low, err := strconv.ParseFloat(tags.min, 64); err == nil && n < low {
		d.add(at, "at least "+tags.min, "%v is too small", v.Interface())
	}
	if high, err := strconv.ParseFloat(tags.max, 64); err == nil && n > high {
		d.add(at, "at most "+tags.max, "%v is too large", v.Interface())
	}
}

// typed reads an untyped scalar as the kind wants it; what cannot be read so stays text, and is then refused as such.
func typed(s string, kind reflect.Kind) any {
	switch kind {
	case reflect.Bool:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Float64:
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return json.Number(s)
		}
	}
	return s
}

func looksBool(tree any) string {
	s, _ := tree.(string)
	switch strings.ToLower(s) {
	case "yes", "on", "y":
		return ": true"
	case "no", "off", "n":
		return ": false"
	}
	return ""
}

// describe names what was found, without more of a text than is needed to recognise it.
func describe(tree any) string {
	switch t := tree.(type) {
	case nil:
		return "nothing"
	case bool:
		return strconv.FormatBool(t)
	case json.Number:
		return "the number " + t.String()
	case string, Untyped:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "settings"
	}
	return fmt.Sprintf("%T", tree)
}

func kindName(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *Duration:
		return "a duration (90s, 10m, 1h30m, 7d)"
	case *Secret:
		return "text"
	case *netip.Prefix:
		return "a network (10.0.3.7/32)"
	case encoding.TextUnmarshaler:
		return "a value"
	}
	switch v.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "settings"
}

// field is one setting of a struct.
type field struct {
	name     string
	index    []int
	inline   bool
	required bool
	doc      string
	example  string
	tags     fieldTags
	typ      reflect.Type
}

// fieldsByType is a cache of what fieldsOf gives, by reflect.Type: a configuration with thousands of sources decodes the
// same few types again and again. Types do not change.
var fieldsByType sync.Map

// fieldsOf lists the settings of a struct type; embedded structs count as their own fields. The list is shared.
func fieldsOf(t reflect.Type) []field {
	cached, _ := fieldsByType.Load(t)
	if fields, ok := cached.([]field); ok {
		return fields
	}
	fields := readFields(t)
	fieldsByType.Store(t, fields)
	return fields
}

func readFields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, opt, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if sf.Anonymous && name == "" {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		}
		if !sf.IsExported() || name == "-" || (name == "" && opt != "inline") {
			continue
		}
		f := field{name: name, index: []int{i}, inline: opt == "inline", required: sf.Tag.Get("required") == "true",
			doc: sf.Tag.Get("doc"), example: sf.Tag.Get("example"), typ: sf.Type}
		f.tags = fieldTags{min: sf.Tag.Get("min"), max: sf.Tag.Get("max")}
		if e := sf.Tag.Get("enum"); e != "" {
			f.tags.enum = strings.Split(e, "|")
		}
		out = append(out, f)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(key string) string { return pointerEscaper.Replace(key) }

// Pointer builds a JSON Pointer (RFC 6901) from keys and list positions.
func Pointer(keys ...any) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteByte('/')
		b.WriteString(escapePointer(fmt.Sprint(k)))
	}
	return b.String()
}

// Nearest gives the known name that a misspelt one most probably means, or "" when none is near: at most a third of its
// letters apart, counting a swap of neighbours as one.
func Nearest(name string, known []string) string {
	best, bestAt := "", (len(name)+2)/3
	if len(name) < 3 {
		bestAt = 1
	}
	for _, k := range slices.Sorted(slices.Values(known)) {
		if n := editDistance(strings.ToLower(name), strings.ToLower(k)); n <= bestAt && n < max(len(name), len(k)) && (best == "" || n < bestAt) {
			best, bestAt = k, n
		}
	}
	return best
}

// editDistance is the optimal string alignment distance of a and b, in bytes.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
