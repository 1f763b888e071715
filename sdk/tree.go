package sdk

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// TreeEncoder is the opposite of TreeDecoder, for what is shown and compared.
type TreeEncoder interface{ Tree() any }

// Tree turns a decoded configuration back into the tree that Decode reads, every default filled in and every Secret
// masked. It is what may be stored, shown and compared.
func Tree(config any) any { return treeOf(reflect.ValueOf(config)) }

func treeOf(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch t := v.Interface().(type) {
	case TreeEncoder:
		return Tree(t.Tree())
	case json.Number:
		return t
	case Secret:
		if t.Empty() {
			return "" // there is nothing to mask
		}
		return t.String()
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil
		}
		text, err := t.MarshalText()
		if err != nil {
			return nil
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return treeOf(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for _, f := range fieldsOf(v.Type()) {
			fv := v.FieldByIndex(f.index)
			if !f.inline {
				out[f.name] = treeOf(fv)
				continue
			}
			inline, _ := reflect.TypeAssert[map[string]any](fv) // Define allows no other inline field
			for k, sub := range inline {
				out[k] = Tree(sub)
			}
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = treeOf(v.MapIndex(k))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = treeOf(v.Index(i))
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
func (s *Spec) Masked(tree map[string]any) (any, error) {
	c := s.defaults()
	if err := Decode(tree, c); err != nil {
		return nil, err
	}
	return Tree(c), nil
}
