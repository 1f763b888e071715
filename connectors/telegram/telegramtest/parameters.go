package telegramtest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// parameters are those of one call, however they were sent, each as text: a string as it is, anything else as JSON.
type parameters struct {
	values  map[string]string
	uploads map[string][]byte
	used    map[string]bool
}

// readParameters takes JSON, a form, or a form with files. A parameter that the method does not know is refused.
func readParameters(r *http.Request, known []string) (*parameters, *refusal) {
	p := &parameters{values: map[string]string{}, uploads: map[string][]byte{}, used: map[string]bool{}}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, refuse(400, "Bad Request: the content type is missing")
	}
	switch mediaType {
	case "application/json":
		if bad := p.fromJSON(r.Body); bad != nil {
			return nil, bad
		}
	case "application/x-www-form-urlencoded":
		if err := r.ParseForm(); err != nil {
			return nil, refuse(400, "Bad Request: the form cannot be read")
		}
		for name, values := range r.PostForm {
			p.values[name] = values[0]
		}
	case "multipart/form-data":
		if bad := p.fromForm(r); bad != nil {
			return nil, bad
		}
	default:
		return nil, refuse(400, "Bad Request: unsupported content type %q", mediaType)
	}
	for name := range p.values {
		if !slices.Contains(known, name) {
			return nil, refuse(400, "Bad Request: unknown parameter %q", name)
		}
	}
	return p, nil
}

func (p *parameters) fromJSON(body io.Reader) *refusal {
	var object map[string]json.RawMessage
	d := json.NewDecoder(body)
	if err := d.Decode(&object); err != nil || d.More() {
		return refuse(400, "Bad Request: can't parse JSON object")
	}
	for name, raw := range object {
		p.values[name] = string(raw)
		var text string
		if json.Unmarshal(raw, &text) == nil {
			p.values[name] = text
		}
	}
	return nil
}

func (p *parameters) fromForm(r *http.Request) *refusal {
	if err := r.ParseMultipartForm(128 << 20); err != nil {
		return refuse(400, "Bad Request: the form cannot be read")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	for name, values := range r.MultipartForm.Value {
		p.values[name] = values[0]
	}
	for name, files := range r.MultipartForm.File {
		f, err := files[0].Open()
		if err != nil {
			return refuse(400, "Bad Request: the file %q cannot be read", name)
		}
		data, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			return refuse(400, "Bad Request: the file %q cannot be read", name)
		}
		p.uploads[name] = data
	}
	return nil
}

func (p *parameters) text(name string) string { return p.values[name] }

func (p *parameters) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(p.values[name], 10, 64)
	return n, err == nil
}

func (p *parameters) flag(name string) (bool, *refusal) {
	switch p.values[name] {
	case "", "false", "False", "0":
		return false, nil
	case "true", "True", "1":
		return true, nil
	}
	return false, refuse(400, "Bad Request: parameter %q must be a boolean", name)
}

// object reads a parameter that is JSON, strictly; false when it is not there.
func (p *parameters) object(name string, into any) (bool, *refusal) {
	text, ok := p.values[name]
	if !ok {
		return false, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || d.More() {
		return false, refuse(400, "Bad Request: can't parse %s JSON object", name)
	}
	return true, nil
}

func (p *parameters) upload(name string) ([]byte, bool) {
	data, ok := p.uploads[name]
	p.used[name] = ok || p.used[name]
	return data, ok
}

// unused refuses files that nothing refers to.
func (p *parameters) unused() *refusal {
	for name := range p.uploads {
		if !p.used[name] {
			return refuse(400, "Bad Request: the file %q is not used", name)
		}
	}
	return nil
}
