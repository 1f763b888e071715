package sdk

import (
	"cmp"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// field is one setting of a struct.
type field struct {
	name     string
	index    []int
	inline   bool
	required bool
	doc      string
	example  string
	key      string // what the keys of a map are
	tags     fieldTags
	typ      reflect.Type
}

// bareWord is a text that needs no quotation marks.
var bareWord = regexp.MustCompile(`^[a-z]{3,}$`)

// line is how the setting would be written.
func (f field) line() string {
	value := "…"
	switch {
	case strings.HasPrefix(f.example, "[") || strings.HasPrefix(f.example, "{"):
		value = f.example
	case bareWord.MatchString(f.example):
		value = f.example
	case f.example != "":
		value = strconv.Quote(f.example)
	case len(f.tags.enum) > 0 && f.typ.Kind() == reflect.Slice:
		value = "[" + f.tags.enum[0] + "]"
	}
	return f.name + ": " + value
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
			doc: sf.Tag.Get("doc"), example: sf.Tag.Get("example"), key: cmp.Or(sf.Tag.Get("key"), "name"), typ: sf.Type}
		f.tags = fieldTags{min: sf.Tag.Get("min"), max: sf.Tag.Get("max")}
		if e := sf.Tag.Get("enum"); e != "" {
			f.tags.enum = strings.Split(e, "|")
		}
		out = append(out, f)
	}
	return out
}
