package rehearse

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Request is an HTTP request as it would leave, with [secret] in place of every credential. Of a connector that cannot
// play its platform's part only the body is known.
type Request struct {
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Body is a JSON value where the request's body is JSON, an object of its fields where it is a form, and a text
	// otherwise; null when there is none.
	Body json.RawMessage `json:"body"`
	// Files are uploaded with it, in order.
	Files []File `json:"files"`
}

// File is a file that a request uploads.
type File struct {
	// Field is the name of the form's field.
	Field string `json:"field,omitempty"`
	// Name is what the host calls its copy.
	Name string `json:"name,omitempty"`
	Type string `json:"type"`
	// Source is where a file comes from that the host has not fetched.
	Source string `json:"source,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// Hidden are the texts that no record shows, with what stands in their place.
type Hidden struct {
	replace []string
	// origins are the beginnings of addresses of which nothing further is shown.
	origins []string
}

const (
	mask = "[secret]"
	// rest stands for the end of an address that is a credential as a whole.
	rest = "/[…]"
)

// Hide finds the credentials of a configuration: its secrets, and what its type does not show either, such as the path
// of a webhook's address.
func Hide(spec *sdk.Spec, options map[string]any) Hidden {
	found := map[string]string{}
	if spec != nil {
		if masked, err := spec.Masked(options); err == nil {
			hide(options, masked, found)
		}
	}
	var h Hidden
	for _, plain := range slices.SortedFunc(maps.Keys(found), func(a, b string) int { return len(b) - len(a) }) {
		h.replace = append(h.replace, plain, found[plain])
		if origin, ok := strings.CutSuffix(found[plain], rest); ok {
			h.origins = append(h.origins, origin)
		}
		if escaped := url.QueryEscape(plain); escaped != plain {
			h.replace = append(h.replace, escaped, found[plain])
		}
	}
	return h
}

// hide collects the texts of a tree of which the masked tree shows something else.
func hide(plain, masked any, found map[string]string) {
	switch p := plain.(type) {
	case map[string]any:
		if m, ok := masked.(map[string]any); ok {
			for key, sub := range p {
				hide(sub, m[key], found)
			}
		}
	case []any:
		if m, ok := masked.([]any); ok {
			for i := range min(len(p), len(m)) {
				hide(p[i], m[i], found)
			}
		}
	case string:
		hideText(p, masked, found)
	case sdk.Untyped:
		hideText(string(p), masked, found)
	}
}

func hideText(plain string, masked any, found map[string]string) {
	shown, ok := masked.(string)
	if !ok || len(plain) < 4 || shown == plain || !strings.Contains(shown, mask) && !strings.HasSuffix(shown, rest) {
		return
	}
	found[plain] = shown
	// Of "Bearer abc" the credential is "abc".
	if _, credential, ok := strings.Cut(plain, " "); ok && len(credential) >= 4 {
		found[credential] = mask
	}
}

func (h Hidden) text(s string) string { return strings.NewReplacer(h.replace...).Replace(s) }

func (h Hidden) address(s string) string {
	for _, origin := range h.origins {
		if strings.HasPrefix(s, origin+"/") || strings.HasPrefix(s, origin+"?") {
			return origin + rest
		}
	}
	return h.text(s)
}

// request makes the record of a request.
func (h Hidden) request(r *http.Request, body []byte, files []sdk.File) Request {
	out := Request{Method: r.Method, URL: h.address(r.URL.String()), Headers: map[string]string{}, Files: []File{}}
	for name := range r.Header {
		out.Headers[name] = h.text(strings.Join(r.Header.Values(name), ", "))
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		if v, ok := out.Headers[name]; ok {
			scheme, _, several := strings.Cut(v, " ")
			if out.Headers[name] = mask; several {
				out.Headers[name] = scheme + " " + mask
			}
		}
	}
	if mediaType, _, err := mime.ParseMediaType(out.Headers["Content-Type"]); err == nil && mediaType == "multipart/form-data" {
		out.Headers["Content-Type"] = mediaType // its boundary is another one each time
	}
	var parts []File
	out.Body, parts = h.body(r.Header.Get("Content-Type"), body)
	for i, f := range files {
		file := File{Name: f.Name, Type: f.Type, SHA256: f.SHA256, Size: f.Size, Width: f.Width, Height: f.Height}
		if i < len(parts) {
			file.Field = parts[i].Field
		}
		out.Files = append(out.Files, file)
	}
	return out
}

// body shows a body by its type. The files of a form are given apart.
func (h Hidden) body(contentType string, body []byte) (json.RawMessage, []File) {
	if len(body) == 0 {
		return json.RawMessage("null"), nil
	}
	mediaType, params, _ := mime.ParseMediaType(contentType)
	switch {
	case mediaType == "multipart/form-data":
		return h.form(multipart.NewReader(bytes.NewReader(body), params["boundary"]))
	case (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")) && json.Valid(body):
		if shown := []byte(h.text(string(body))); json.Valid(shown) {
			return shown, nil
		}
	case mediaType == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(body)); err == nil {
			fields := map[string]string{}
			for name := range values {
				fields[name] = h.text(strings.Join(values[name], ", "))
			}
			return encode(fields), nil
		}
	}
	return encode(h.text(string(body))), nil
}

func (h Hidden) form(form *multipart.Reader) (json.RawMessage, []File) {
	fields := map[string]any{}
	var files []File
	for {
		p, err := form.NextPart()
		if err != nil {
			return encode(fields), files
		}
		if p.FileName() != "" {
			files = append(files, File{Field: p.FormName(), Type: p.Header.Get("Content-Type")})
			continue
		}
		text, _ := io.ReadAll(p)
		shown := h.text(string(text))
		// A field that holds a list or an object is shown as such.
		if trimmed := strings.TrimSpace(shown); (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) && json.Valid([]byte(trimmed)) {
			fields[p.FormName()] = json.RawMessage(trimmed)
			continue
		}
		fields[p.FormName()] = shown
	}
}

// partRequest shows what is known of the call of a connector in another process.
func partRequest(part sdk.Part) Request {
	out := Request{Headers: map[string]string{}, Files: []File{}}
	if part.Type != "" {
		out.Headers["Content-Type"] = part.Type
	}
	out.Body, _ = Hidden{}.body(part.Type, part.Request)
	for _, f := range part.Files {
		out.Files = append(out.Files, File{Name: f.Name, Type: f.Type, SHA256: f.SHA256, Size: f.Size, Width: f.Width, Height: f.Height})
	}
	return out
}

func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
