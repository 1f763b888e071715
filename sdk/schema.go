package sdk

import (
	"encoding"
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// SchemaOf describes the settings of a struct as a JSON Schema (draft-07, which editors understand best), with its
// present values as defaults. A type may describe itself with a method JSONSchema() map[string]any.
func SchemaOf(defaults any) map[string]any {
	v := reflect.ValueOf(defaults)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return schemaOf(v.Type(), v)
}

type schemer interface{ JSONSchema() map[string]any }

func schemaOf(t reflect.Type, def reflect.Value) map[string]any {
	ptr := reflect.New(t)
	if s, ok := reflect.TypeAssert[schemer](ptr); ok {
		return s.JSONSchema()
	}
	switch ptr.Interface().(type) {
	case *Duration:
		// A zero needs no unit, and YAML reads it as a number.
		return map[string]any{"anyOf": []any{map[string]any{"type": "string", "minLength": 1, "pattern": durationPattern}, map[string]any{"const": 0}}}
	case *Secret, *netip.Prefix:
		return map[string]any{"type": "string"}
	case encoding.TextUnmarshaler:
		return map[string]any{"type": []any{"string", "number"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(schemaOf(t.Elem(), reflect.Value{}))
	case reflect.Struct:
		if !def.IsValid() {
			setDefaults(ptr)
			def = ptr.Elem()
		}
		return structSchema(t, def)
	case reflect.Map:
		return nullable(map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), reflect.Value{})})
	case reflect.Slice:
		return nullable(map[string]any{"type": "array", "items": schemaOf(t.Elem(), reflect.Value{})})
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Int32:
		return map[string]any{"type": "integer", "minimum": math.MinInt32, "maximum": math.MaxInt32}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "string"}
}

// nullable lets a setting stand with nothing behind it, where Decode reads that as none.
func nullable(s map[string]any) map[string]any {
	if word, ok := s["type"].(string); ok {
		s["type"] = []any{word, "null"}
	} else if shapes, ok := s["anyOf"].([]any); ok {
		s["anyOf"] = append(shapes, map[string]any{"type": "null"})
	}
	return s
}

func structSchema(t reflect.Type, def reflect.Value) map[string]any {
	props := map[string]any{}
	out := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	var required []string
	for _, f := range fieldsOf(t) {
		if f.inline {
			out["additionalProperties"] = true
			continue
		}
		fv := def.FieldByIndex(f.index)
		s := schemaOf(f.typ, fv)
		if f.doc != "" {
			s["description"] = f.doc
		}
		f.tags.constrain(s)
		if f.example != "" {
			s["examples"] = []any{f.example}
		}
		if text := DefaultText(fv); text != "" && f.typ.Kind() != reflect.Struct {
			s["default"] = fv.Interface()
		}
		if f.required {
			required = append(required, f.name)
		}
		props[f.name] = s
	}
	if required != nil {
		out["required"] = required
		return out
	}
	return nullable(out)
}

// constrain writes the tags into the schema of a setting, or of the entries of a list.
func (t fieldTags) constrain(s map[string]any) {
	if items, ok := s["items"].(map[string]any); ok {
		s = items
	}
	if _, isMap := s["additionalProperties"]; isMap {
		return
	}
	if t.enum != nil {
		words := make([]any, 0, len(t.enum)+1)
		for _, w := range t.enum {
			words = append(words, w)
		}
		if types, ok := s["type"].([]any); ok && slices.Contains(types, any("null")) {
			words = append(words, nil)
		}
		s["enum"] = words
	}
	for key, text := range map[string]string{"minimum": t.min, "maximum": t.max} {
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			s[key] = n
		}
	}
}

// Field is one setting, for a reference page.
type Field struct {
	// Path is dotted, with <name>, or another word in such brackets, for the keys of a map and [] for the entries of a list.
	Path, Type, Default, Doc, Example string
	Required                          bool
	Enum                              []string
}

// Fields lists the settings of a struct in the order of their declaration, with its present values as defaults.
func Fields(defaults any) []Field {
	v := reflect.ValueOf(defaults)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var out []Field
	listFields("", v.Type(), v, &out)
	return out
}

func listFields(prefix string, t reflect.Type, def reflect.Value, out *[]Field) {
	for _, f := range fieldsOf(t) {
		if f.inline {
			continue
		}
		fv := def.FieldByIndex(f.index)
		entry := Field{Path: prefix + f.name, Type: strings.Replace(typeName(f.typ), settingsByName, "settings by "+f.key, 1), Default: DefaultText(fv), Doc: f.doc,
			Example: f.example, Required: f.required, Enum: f.tags.enum}
		*out = append(*out, entry)
		sub, path := f.typ, entry.Path+"."
		for {
			if scalarType(sub) {
				break
			}
			switch sub.Kind() {
			case reflect.Pointer:
				sub = sub.Elem()
				continue
			case reflect.Map:
				sub, path = sub.Elem(), path+"<"+f.key+">."
				continue
			case reflect.Slice:
				sub, path = sub.Elem(), entry.Path+"[]."
				continue
			case reflect.Struct:
				n := reflect.New(sub)
				setDefaults(n)
				if sub == f.typ {
					n.Elem().Set(fv)
				}
				listFields(path, sub, n.Elem(), out)
			}
			break
		}
	}
}

func scalarType(t reflect.Type) bool {
	_, text := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t))
	return text
}

// DefaultText writes a default as the configuration would; empty when there is none.
func DefaultText(v reflect.Value) string {
	if !v.IsValid() || v.IsZero() {
		if v.IsValid() && v.Kind() == reflect.Bool {
			return "false"
		}
		if v.IsValid() && v.Type() == reflect.TypeFor[Duration]() {
			return "0s"
		}
		return ""
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Map:
		if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
			b, _ := m.MarshalText()
			return string(b)
		}
		return ""
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		b, _ := m.MarshalText()
		return string(b)
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return ""
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return string(b)
}

// settingsByName is the type of a map, unless its keys are said to be something else.
const settingsByName = "settings by name"

func typeName(t reflect.Type) string {
	if named, ok := reflect.TypeAssert[interface{ TypeName() string }](reflect.New(t)); ok {
		return named.TypeName()
	}
	switch reflect.New(t).Interface().(type) {
	case *Duration:
		return "duration"
	case *Secret:
		return "secret"
	}
	if scalarType(t) {
		return "text"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Struct:
		return "settings"
	case reflect.Map:
		return settingsByName
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any"
	}
	return "text"
}
