package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// toConfig writes a configuration for the way. The error has CodeInvalid.
func toConfig(tree map[string]any) (*Config, error) {
	if tree == nil {
		tree = map[string]any{}
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "the configuration cannot be written as JSON: %w", err)
	}
	out := &Config{Json: b}
	findUntyped(tree, "", &out.Untyped)
	slices.Sort(out.GetUntyped())
	return out, nil
}

// fromConfig reads a configuration into the tree that sdk.Decode takes.
func fromConfig(c *Config) (map[string]any, error) {
	tree := map[string]any{}
	if len(c.GetJson()) > 0 {
		d := json.NewDecoder(bytes.NewReader(c.GetJson()))
		d.UseNumber()
		err := d.Decode(&tree)
		if err == nil {
			if _, more := d.Token(); !errors.Is(more, io.EOF) {
				err = errors.New("something follows the object")
			}
		}
		if err != nil || tree == nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, "open", "the configuration is not one JSON object")
		}
	}
	if len(c.GetUntyped()) > 0 {
		pointers := make(map[string]bool, len(c.GetUntyped()))
		for _, p := range c.GetUntyped() {
			pointers[p] = true
		}
		setUntyped(tree, "", pointers)
	}
	return tree, nil
}

func findUntyped(tree any, at string, out *[]string) {
	switch t := tree.(type) {
	case sdk.Untyped:
		*out = append(*out, text(at))
	case map[string]any:
		for k, v := range t {
			findUntyped(v, at+sdk.Pointer(k), out)
		}
	case []any:
		for i, v := range t {
			findUntyped(v, at+"/"+strconv.Itoa(i), out)
		}
	}
}

// setUntyped turns the strings at the pointers into sdk.Untyped.
func setUntyped(tree any, at string, pointers map[string]bool) any {
	switch t := tree.(type) {
	case string:
		if pointers[at] {
			return sdk.Untyped(t)
		}
	case map[string]any:
		for k, v := range t {
			t[k] = setUntyped(v, at+sdk.Pointer(k), pointers)
		}
	case []any:
		for i, v := range t {
			t[i] = setUntyped(v, at+"/"+strconv.Itoa(i), pointers)
		}
	}
	return tree
}

func toProblem(p *sdk.Problem) *Problem {
	return &Problem{Pointer: text(p.Pointer), OnKey: p.OnKey, What: text(p.What), Fix: text(p.Fix),
		Line: int64(p.Line), Column: int64(p.Column)}
}

func fromProblem(p *Problem) sdk.Problem {
	return sdk.Problem{Pointer: p.GetPointer(), OnKey: p.GetOnKey(), What: p.GetWhat(), Fix: p.GetFix(),
		Line: int(p.GetLine()), Column: int(p.GetColumn())}
}

// problems finds the sdk.Problems in an error of Check or Open.
func problems(err error) (sdk.Problems, bool) {
	var ps sdk.Problems
	ok := errors.As(err, &ps)
	return ps, ok && len(ps) > 0
}

// Description is what a process says of one type that it offers.
type Description struct {
	Type, Summary string
	Roles         []sdk.Role
	Schema        json.RawMessage
	Fields        []sdk.Field
	// Medium is nil when the type does not say what its medium allows, and then it writes to nobody.
	Medium *sdk.Medium
}

func toType(s *sdk.Spec) *Type {
	return &Type{Name: text(s.Type), Summary: text(s.Summary), Roles: words(s.Roles), SchemaJson: s.SchemaJSON(),
		Settings: each(s.Fields(), toSetting), Medium: toMedium(s.Medium)}
}

func fromType(t *Type) Description {
	return Description{Type: t.GetName(), Summary: t.GetSummary(), Roles: fromWords[sdk.Role](t.GetRoles()),
		Schema: t.GetSchemaJson(), Fields: eachFrom(t.GetSettings(), fromSetting), Medium: fromMedium(t.GetMedium())}
}

func toSetting(f *sdk.Field) *Setting {
	return &Setting{Path: text(f.Path), Type: text(f.Type), Default: text(f.Default), Doc: text(f.Doc), Example: text(f.Example),
		Required: f.Required, Enum: texts(f.Enum)}
}

func fromSetting(s *Setting) sdk.Field {
	return sdk.Field{Path: s.GetPath(), Type: s.GetType(), Default: s.GetDefault(), Doc: s.GetDoc(), Example: s.GetExample(),
		Required: s.GetRequired(), Enum: s.GetEnum()}
}
