package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite openapi.json")

// TestDocumentIsFresh holds that the document lists what the code serves.
func TestDocumentIsFresh(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(describe((&handler{}).routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(document), string(got)); diff != "" {
		t.Errorf("openapi.json is stale; make it anew: go generate ./internal/api (-want +got):\n%s", diff)
	}
}

// openAPI is the document as a client reads it.
type openAPI struct {
	tree      any
	OpenAPI   string
	Paths     map[string]map[string]operation
	compiling sync.Mutex
	validator *jsonschema.Compiler
}

type operation struct {
	OperationID string
	Scope       string `json:"x-scope"`
	Security    *[]any
	Parameters  []struct{ Name, In string }
	Responses   map[string]any
	RequestBody any
}

const documentURL = "https://belfry.invalid/openapi.json"

func readDocument(t *testing.T) *openAPI {
	t.Helper()
	o := &openAPI{validator: jsonschema.NewCompiler()}
	if err := json.Unmarshal(document, o); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.tree, err = jsonschema.UnmarshalJSON(bytes.NewReader(document)); err != nil {
		t.Fatal(err)
	}
	// Answers may grow; here, what is not described is found.
	closeObjects(o.tree)
	o.validator.DefaultDraft(jsonschema.Draft2020)
	o.validator.AssertFormat()
	if err := o.validator.AddResource(documentURL, o.tree); err != nil {
		t.Fatal(err)
	}
	return o
}

func closeObjects(tree any) {
	switch x := tree.(type) {
	case map[string]any:
		if _, ok := x["properties"].(map[string]any); ok && x["type"] == "object" {
			x["additionalProperties"] = false
		}
		for _, sub := range x {
			closeObjects(sub)
		}
	case []any:
		for _, sub := range x {
			closeObjects(sub)
		}
	}
}

// at follows a JSON Pointer's parts, and references on the way.
func (o *openAPI) at(parts ...string) (any, string) {
	tree, pointer := o.tree, "#"
	for _, p := range parts {
		m, ok := tree.(map[string]any)
		if !ok {
			return nil, pointer
		}
		tree = m[p]
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
		if m, ok := tree.(map[string]any); ok {
			if to, ok := m["$ref"].(string); ok && !strings.HasPrefix(to, "#/components/schemas/") {
				tree, pointer = o.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
			}
		}
	}
	return tree, pointer
}

// validate holds an answer against what the document says of it.
func (o *openAPI) validate(t *testing.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	status := http.StatusText(w.Code)
	code := "default"
	if op := o.Paths[path][strings.ToLower(method)]; op.Responses[itoa(w.Code)] != nil {
		code = itoa(w.Code)
	} else if w.Code < 400 {
		t.Errorf("%s %s: the status %d %s is not described", method, path, w.Code, status)
		return
	}
	media := w.Header().Get("Content-Type")
	_, pointer := o.at("paths", path, strings.ToLower(method), "responses", code, "content", media, "schema")
	o.compiling.Lock() // a compiler keeps what it has compiled
	schema, err := o.validator.Compile(documentURL + pointer)
	o.compiling.Unlock()
	if err != nil {
		t.Errorf("%s %s: nothing describes an answer of %s: %v", method, path, media, err)
		return
	}
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Errorf("%s %s: %v in %s", method, path, err, w.Body)
		return
	}
	if err := schema.Validate(got); err != nil {
		t.Errorf("%s %s answers otherwise than described: %v\n%s", method, path, err, w.Body)
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// TestDocumentAndRoutes holds that what is described is served, and that what is served is described.
func TestDocumentAndRoutes(t *testing.T) {
	t.Parallel()
	o := readDocument(t)
	f := newFixture(t)
	if !strings.HasPrefix(o.OpenAPI, "3.1.") {
		t.Errorf("it is OpenAPI %q", o.OpenAPI)
	}
	ids := map[string]bool{}
	described := map[string]bool{}
	for path, operations := range o.Paths {
		for method, op := range operations {
			described[strings.ToUpper(method)+" "+path] = true
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s has no id of its own: %q", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			target := Base + placeholder.ReplaceAllString(path, "x")
			r := httptest.NewRequest(strings.ToUpper(method), target, nil)
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			open := op.Security != nil && len(*op.Security) == 0
			switch {
			case open && w.Code != http.StatusOK:
				t.Errorf("%s %s is described as open and answers %d", method, path, w.Code)
			case !open && w.Code != http.StatusUnauthorized:
				t.Errorf("%s %s is described and answers %d without a token: %s", method, path, w.Code, w.Body)
			case !open && !slices.Contains([]string{ScopeRead, ScopePost, ScopeOperate, ScopePeople}, op.Scope):
				t.Errorf("%s %s has the scope %q", method, path, op.Scope)
			}
			// Whoever has every scope but the one is refused.
			if !open {
				others := slices.DeleteFunc([]string{"reader", "poster", "operator", "desk"}, func(n string) bool { return f.scopeOf[n] == op.Scope })
				for _, name := range others {
					if w := f.do(t, name, strings.ToUpper(method), strings.TrimPrefix(target, Base), ""); w.Code != http.StatusForbidden {
						t.Errorf("%s %s with the scope %s answers %d", method, path, f.scopeOf[name], w.Code)
					}
				}
			}
		}
	}
	for _, rt := range (&handler{}).routes() {
		if key := rt.method + " " + rt.path; !described[key] {
			t.Errorf("%s is served and not described", key)
		}
		if rt.scope == "" || rt.answer == nil || rt.do == nil {
			t.Errorf("%s %s is not whole", rt.method, rt.path)
		}
	}
}

// TestDocumentIsServed holds that anybody may read it, as it is.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.do(t, "", http.MethodGet, documentPath, "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != documentType || !bytes.Equal(w.Body.Bytes(), document) {
		t.Errorf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
}
