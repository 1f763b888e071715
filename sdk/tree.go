package sdk

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// TreeEncoder is the opposite of TreeDecoder, for what is shown and compared.
type TreeEncoder interface{ Tree() any }

// Hider is a setting of which Tree shows less than it holds, such as a Secret.
type Hider interface {
	// Hidden gives all of it; false when Tree shows it whole.
	Hidden() (value string, hides bool)
}

// Tree turns a decoded configuration back into the tree that Decode reads, every default filled in and every Secret
// masked. It is what may be shown.
func Tree(config any) any { return Marked(config, nil) }

// Marked is Tree with a mark behind what is shown of every Hider, by which two trees can be told apart that show the same.
// mark makes it of what the setting holds; it must tell nothing of it, so it needs a key.
func Marked(config any, mark func(value string) string) any {
	return marker(mark).tree(reflect.ValueOf(config))
}

type marker func(value string) string

// text is a text that is shown of a setting, with its mark when it hides something.
func (m marker) text(setting any, shown string) string {
	if h, ok := setting.(Hider); ok && m != nil {
		if value, hides := h.Hidden(); hides {
			return shown + m(value)
		}
	}
	return shown
}

func (m marker) tree(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch t := v.Interface().(type) {
	case TreeEncoder:
		return Marked(t.Tree(), m)
	case json.Number:
		return t
	case Secret:
		if t.Empty() {
			return "" // there is nothing to mask
		}
		return m.text(t, t.String())
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil
		}
		text, err := t.MarshalText()
		if err != nil {
			return nil
		}
		return m.text(t, string(text))
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return m.tree(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for _, f := range fieldsOf(v.Type()) {
			fv := v.FieldByIndex(f.index)
			if !f.inline {
				out[f.name] = m.tree(fv)
				continue
			}
			inline, _ := reflect.TypeAssert[map[string]any](fv) // Define allows no other inline field
			for k, sub := range inline {
				out[k] = Marked(sub, m)
			}
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = m.tree(v.MapIndex(k))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = m.tree(v.Index(i))
		}
		return out
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return strings.Clone(v.String())
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return nil
	}
	return json.Number(b)
}

// Masked decodes a configuration strictly and gives it back as Tree does.
func (s *Spec) Masked(tree map[string]any) (any, error) { return s.Marked(tree, nil) }

// Marked decodes a configuration strictly and gives it back as Marked does.
func (s *Spec) Marked(tree map[string]any, mark func(value string) string) (any, error) {
	c := s.defaults()
	if err := Decode(tree, c); err != nil {
		return nil, err
	}
	return Marked(c, mark), nil
}
