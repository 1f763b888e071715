package configs

import (
	"maps"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

// Schema is the JSON Schema (draft-07, which editors understand best) of a configuration whose sources and destinations
// have these types. Other types of third parties are allowed, and their settings are not checked.
func Schema(specs []*sdk.Spec, trusted []Trusted) map[string]any {
	root := sdk.SchemaOf(Default())
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Belfry's configuration"
	props, _ := root["properties"].(map[string]any)
	if alerts, ok := props["alerts"].(map[string]any); ok {
		props["alerts"] = map[string]any{"oneOf": []any{map[string]any{"const": "none"}, alerts}, "description": alerts["description"]}
	}
	for section, roles := range map[string][]sdk.Role{
		"sources":      sourceRoles,
		"destinations": destinationRoles,
	} {
		all, _ := props[section].(map[string]any)
		entry, _ := all["additionalProperties"].(map[string]any)
		var each []any
		for _, s := range specs {
			if slices.ContainsFunc(roles, s.Has) {
				each = append(each, ifType(s.Type, withOwn(entry, s.Schema())))
			}
		}
		for _, t := range trusted {
			if t.has(roles) && t.Schema != nil {
				each = append(each, ifType(t.Type, withOwn(entry, t.Schema)))
			}
		}
		entry["allOf"] = each
	}
	return root
}

// ifType is a schema that holds for the entries of a type.
func ifType(typ string, then map[string]any) map[string]any {
	return map[string]any{
		"if":   map[string]any{"properties": map[string]any{"type": map[string]any{"const": typ}}, "required": []string{"type"}},
		"then": then,
	}
}

// withOwn is the schema of an entry whose type's settings stand beside the host's.
func withOwn(entry, own map[string]any) map[string]any {
	props := map[string]any{}
	for _, s := range []map[string]any{own, entry} {
		p, _ := s["properties"].(map[string]any)
		maps.Copy(props, p)
	}
	out := map[string]any{"properties": props, "additionalProperties": false}
	if required, ok := own["required"]; ok {
		out["required"] = required
	}
	return out
}

// Origin says where a setting was given, by its JSON Pointer: in a file, by an environment variable or by a flag. It is
// false for a setting that has its default.
func (l *Loaded) Origin(pointer string) (Position, bool) {
	n, ok := l.nodes[pointer]
	return n.value, ok
}
