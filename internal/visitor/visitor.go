// Package visitor asks Belfry's own pages as the browser of somebody made up does: in the demonstration and while a plugin is
// developed. It keeps nothing between two requests.
package visitor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Visitor asks for pages. It follows no redirects, as a mail program's one click must not (RFC 8058, section 3.1).
type Visitor struct{ client *http.Client }

// mostPage is how many bytes of a page are read.
const mostPage = 1 << 20

// New makes a visitor who waits for an answer for so long.
func New(patience time.Duration) *Visitor {
	return &Visitor{&http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Ask asks for a page, or sends a form where there is one.
func (v *Visitor) Ask(ctx context.Context, address string, form url.Values) (status int, body string, err error) {
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, content = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostPage))
	return resp.StatusCode, string(text), err
}

// Close gives the connections back.
func (v *Visitor) Close() { v.client.CloseIdleConnections() }

// ErrNoForm says that a page has no form.
var ErrNoForm = errors.New("the page has no form")

// Fields reads the first form of a page as it would be sent without a change.
func Fields(page string) (url.Values, error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil, err
	}
	for n := range root.Descendants() {
		if n.DataAtom == atom.Form {
			return fieldsOf(n), nil
		}
	}
	return nil, ErrNoForm
}

func fieldsOf(form *html.Node) url.Values {
	out := url.Values{}
	for n := range form.Descendants() {
		name, _ := attribute(n, "name")
		if name == "" || disabled(n) {
			continue
		}
		switch n.DataAtom {
		case atom.Input:
			kind, _ := attribute(n, "type")
			value, valued := attribute(n, "value")
			_, checked := attribute(n, "checked")
			switch strings.ToLower(kind) {
			case "submit", "button", "image", "reset": // sent only when they are pressed
			case "radio", "checkbox":
				if checked && !valued {
					value = "on"
				}
				if checked {
					out.Add(name, value)
				}
			default:
				out.Add(name, value)
			}
		case atom.Select:
			for _, value := range chosen(n) {
				out.Add(name, value)
			}
		case atom.Textarea:
			out.Add(name, strings.ReplaceAll(textOf(n), "\n", "\r\n"))
		}
	}
	return out
}

// chosen are the values of the options of a list that are selected; where one has to be and none is, the first.
func chosen(list *html.Node) (out []string) {
	var first *html.Node
	for o := range list.Descendants() {
		if o.DataAtom != atom.Option || disabled(o) {
			continue
		}
		if first == nil {
			first = o
		}
		if _, selected := attribute(o, "selected"); selected {
			out = append(out, valueOf(o))
		}
	}
	if _, several := attribute(list, "multiple"); several {
		return out
	}
	switch {
	case len(out) > 0:
		return out[len(out)-1:]
	case first != nil:
		return []string{valueOf(first)}
	}
	return nil
}

func valueOf(option *html.Node) string {
	if value, ok := attribute(option, "value"); ok {
		return value
	}
	return strings.Join(strings.Fields(textOf(option)), " ")
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// disabled reports whether a field or an option, or what it stands in, is switched off.
func disabled(n *html.Node) bool {
	if _, off := attribute(n, "disabled"); off {
		return true
	}
	for above := range n.Ancestors() {
		if _, off := attribute(above, "disabled"); off && (above.DataAtom == atom.Fieldset || above.DataAtom == atom.Optgroup) {
			return true
		}
	}
	return false
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
