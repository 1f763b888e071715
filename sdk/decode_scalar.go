package sdk

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

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
		switch {
		case ok && errors.Is(err, strconv.ErrRange):
			d.outOfRange(at, n, v, tags)
			return
		case !ok || err != nil:
			wrong(numberFix(tree, v.Kind()))
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		n, ok := tree.(json.Number)
		f, err := strconv.ParseFloat(n.String(), 64)
		if !ok || err != nil {
			wrong(numberFix(tree, v.Kind()))
			return
		}
		v.SetFloat(f)
	default:
		panic("sdk: a configuration field of type " + v.Type().String() + " cannot be decoded")
	}
	d.bounds(at, v, tags)
}

// numberFix says what to write where a number is wanted.
func numberFix(tree any, kind reflect.Kind) string {
	want := "write a number"
	if kind != reflect.Float64 {
		want = "write a whole number"
	}
	if s, ok := tree.(string); ok {
		if _, number := typed(s, kind).(json.Number); number {
			return fmt.Sprintf("write %s, without quotes", s)
		}
	}
	return want
}

// outOfRange refuses a whole number that its setting cannot hold.
func (d *decoder) outOfRange(at string, n json.Number, v reflect.Value, tags fieldTags) {
	bits := v.Type().Bits() - 1
	if strings.HasPrefix(n.String(), "-") {
		low := tags.min
		if low == "" {
			low = strconv.FormatInt(-1<<bits, 10)
		}
		d.add(at, "at least "+low, "%s is too small", n)
		return
	}
	high := tags.max
	if high == "" {
		high = strconv.FormatInt(1<<bits-1, 10)
	}
	d.add(at, "at most "+high, "%s is too large", n)
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
