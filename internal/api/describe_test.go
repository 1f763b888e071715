package api

import (
	"cmp"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// describe makes the document from the routes and the types of their bodies and answers. It is written to openapi.json,
// where a change is seen.
func describe(routes []route) map[string]any {
	s := schemas{}
	paths := map[string]any{}
	for _, rt := range routes {
		operations, ok := paths[rt.path].(map[string]any)
		if !ok {
			operations = map[string]any{}
			paths[rt.path] = operations
		}
		operations[strings.ToLower(rt.method)] = s.operation(rt)
	}
	paths[documentPath] = map[string]any{"get": map[string]any{"operationId": "getDocument", "summary": "This document", "tags": []any{"openapi"}, "security": []any{},
		"responses": map[string]any{"200": map[string]any{"description": "The document.", "content": map[string]any{
			documentType: map[string]any{"schema": map[string]any{"type": "object"}}}}}}}
	s.of(reflect.TypeFor[Problem]())
	return map[string]any{
		"openapi": "3.1.1",
		"info": map[string]any{"title": "Belfry", "version": "1", "description": "What the commands of belfry tell and do, as JSON. Times are RFC 3339 in UTC, or null. " +
			"Answers may gain properties, and lists of words may grow; nothing else changes below " + Base + "."},
		"servers":  []any{map[string]any{"url": Base}},
		"security": []any{map[string]any{"token": []any{}}},
		"paths":    paths,
		"components": map[string]any{
			"schemas": map[string]any(s),
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer",
				"description": "A token whose SHA-256 stands under admin.tokens, with the scopes that it has there: read, post, operate. " +
					"After ten wrong tokens from an address, and one more each six seconds, the answer to a wrong one is 429; a right one always passes."}},
			"responses": map[string]any{"Problem": map[string]any{"description": "Why not, with a sentence that says how to mend it.",
				"content": map[string]any{"application/problem+json": map[string]any{"schema": ref("Problem")}}}},
		},
	}
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/components/schemas/" + name} }

// schemas are the named types of answers.
type schemas map[string]any

var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

func (s schemas) operation(rt route) map[string]any {
	status := rt.status
	if status == 0 {
		status = http.StatusOK
	}
	success := map[string]any{"description": http.StatusText(status)}
	if file, is := rt.answer.(download); is {
		success["content"] = map[string]any{cmp.Or(file.media, backupMedia): map[string]any{}}
	} else {
		success["content"] = map[string]any{"application/json": map[string]any{"schema": s.of(reflect.TypeOf(rt.answer))}}
	}
	responses := map[string]any{strconv.Itoa(status): success, "default": map[string]any{"$ref": "#/components/responses/Problem"}}
	params := []any{}
	for _, m := range placeholder.FindAllStringSubmatch(rt.path, -1) {
		schema := map[string]any{"type": "string"}
		if m[1] == "scope" {
			schema["enum"] = []any{"source", "channel", "destination"}
		}
		params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": schema})
	}
	for _, p := range rt.query {
		schema := map[string]any{"type": "string"}
		switch p.kind {
		case "number":
			schema = map[string]any{"type": "integer", "minimum": p.min, "maximum": p.max, "default": p.otherwise}
		case "truth":
			schema = map[string]any{"type": "boolean", "default": false}
		}
		if p.enum != nil {
			schema["enum"] = p.enum
		}
		params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.doc, "required": strings.HasSuffix(p.doc, "Required."), "schema": schema})
	}
	if rt.keyed {
		params = append(params, map[string]any{"name": "Idempotency-Key", "in": "header", "required": false, "schema": map[string]any{"type": "string", "maxLength": 255},
			"description": "A text that no other request of this token has. The same request with the same key makes no second post within seven days: it is answered with the first one and the header Idempotency-Replayed."})
	}
	out := map[string]any{"operationId": rt.id, "summary": rt.summary, "tags": []any{strings.Split(rt.path, "/")[1]}, "responses": responses,
		"x-scope": rt.scope, "description": strings.TrimSpace(rt.text + " Needs the scope `" + rt.scope + "`.")}
	if len(params) > 0 {
		out["parameters"] = params
	}
	if rt.body != nil {
		schema := sdk.SchemaOf(rt.body)
		_, required := schema["required"]
		schema["type"] = "object"
		out["requestBody"] = map[string]any{"required": required, "content": map[string]any{"application/json": map[string]any{"schema": schema}}}
	}
	return out
}

// of describes a type of an answer; structs become named schemas.
func (s schemas) of(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[desk.Stamp]() {
		return map[string]any{"type": []any{"string", "null"}, "format": "date-time"}
	}
	if t == reflect.TypeFor[desk.Span]() {
		return map[string]any{"type": []any{"number", "null"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := s.of(t.Elem())
		if word, ok := inner["type"].(string); ok {
			inner["type"] = []any{word, "null"}
			return inner
		}
		return map[string]any{"anyOf": []any{inner, map[string]any{"type": "null"}}}
	case reflect.Struct:
		name := schemaName(t)
		if _, ok := s[name]; !ok {
			s[name] = nil // it may hold itself
			s[name] = s.structure(t)
		}
		return ref(name)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Map:
		return map[string]any{"type": "object"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	panic("api: a " + t.String() + " cannot be described") // found by the test that makes the document
}

// schemaName names a type: a List of posts is PostList.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if outer, inner, ok := strings.Cut(name, "["); ok {
		name = inner[strings.LastIndex(inner, ".")+1:len(inner)-1] + outer
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func (s schemas) structure(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	for f := range structFields(t) {
		tag, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		schema := s.of(f.Type)
		words := about(schemaName(t), tag)
		if words.text != "" {
			schema["description"] = words.text
		}
		if words.enum != nil {
			schema["examples"] = words.enum
		}
		if words.null {
			schema["type"] = []any{schema["type"], "null"}
		}
		props[tag] = schema
		if rest != "omitempty" {
			required = append(required, tag)
		}
	}
	slices.Sort(required)
	return map[string]any{"type": "object", "properties": props, "required": required}
}

// structFields gives the fields that are marshalled, those of embedded structs among them.
func structFields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if tag := f.Tag.Get("json"); f.IsExported() && !f.Anonymous && tag != "" && tag != "-" && !yield(f) {
				return
			}
		}
	}
}

// words say more of a property.
type words struct {
	text string
	// enum are the words that there are now; more may come.
	enum []any
	// null says that it may be null although its type has no pointer.
	null bool
}

// about says more of the properties whose names do not say it all.
func about(schema, property string) words {
	list := func(text string, enum ...any) words { return words{text: text, enum: enum} }
	states := []any{}
	for _, st := range desk.States() {
		states = append(states, st)
	}
	all := map[string]words{
		"Problem.code": list("For programs. The list grows.", "unauthenticated", "forbidden", "rate_limited", "invalid", "unusable", "unknown_name", "not_found", "conflict",
			"upstream", "too_large", "unsupported_media_type", "method_not_allowed", "store_failed", "store_full", "timeout", "internal"),
		"Problem.detail":             {text: "A sentence for people that says how to mend it."},
		"FieldProblem.pointer":       {text: "A JSON Pointer into the body, or a query parameter behind a question mark."},
		"Source.state":               list("", "ok", "new", "failing", "holds", "gone", "paused"),
		"Source.usable":              {text: "Items that channels can use."},
		"Source.baseline":            {text: "Items that were there at the first fetch, and are not used."},
		"Source.ok":                  {text: "When it last answered well."},
		"Source.new":                 {text: "When it last brought something new."},
		"Source.code":                {text: "The code of the last failure; empty when there is none."},
		"Hold.kind":                  list("", "flood", "rekeyed", "removal"),
		"Channel.kind":               list("", "each", "digest", "editor"),
		"Channel.waiting":            {text: "Items that wait to be used."},
		"Post.kind":                  list("", "each", "digest", "editor"),
		"Post.status":                list("", "scheduled", "held", "live", "withdrawn", "retracted"),
		"Post.visible":               {text: "When it was, or is to be, published."},
		"Post.permalink":             {text: "Its page; empty when the site has no address or the post is not shown."},
		"Copy.state":                 list("", desk.CopyThere, desk.CopyGone, desk.CopyWaiting, desk.CopyUnknown, desk.CopyHeld, desk.CopyByHand, desk.CopyStays, desk.CopyNotSent),
		"Copy.have":                  {text: "The revision that is there; 0 when none is."},
		"Copy.want":                  {text: "The revision that is to be there."},
		"Copy.gone":                  {text: "Whether it is to be gone."},
		"Copy.delivery":              {text: "The delivery that has not ended; 0 when there is none."},
		"Delivery.state":             list("", states...),
		"Delivery.next":              {text: "When it is tried next, while it is pending."},
		"Destination.state":          list("", "ok", "failing", "waits", "stopped", "paused"),
		"Destination.failed":         {text: "Copies that were refused for good."},
		"Destination.needs_a_person": {text: "Copies that a person has to correct or delete there."},
		"Finding.level":              list("", "trouble", "advice", "fine"),
		"Finding.mend":               {text: "What to do; empty when there is nothing to do."},
		"Diagnosis.healthy":          {text: "Nothing needs a person."},
		"Telling.untold":             {text: "Alerts that last and of which nobody was told yet."},
		"Telling.off":                {text: "Nobody is to be told: alerts: none."},
		"AlertPlace.state":           list("", "ok", "failing"),
		"AlertPlace.since":           {text: "Since when it takes no alerts."},
		"AlertPlace.tried":           {text: "When it was last tried."},
		"TestedAlert.outcome":        list("", "arrived", "refused", "unknown"),
		"StorePart.kept":             {text: "How long, as retention: says it; 0s is for ever, and empty is as long as what it belongs to."},
		"StoreSize.reserve_bytes":    {text: "What a file beside the database holds for a full disk; 0 when there is none."},
		"StoreSize.disk_free":        {text: "Null where it cannot be known."},
		"ConnectorType.path":         {text: "The program of a third party; empty for what is built in."},
		"Due.local":                  {text: "`at` in the zone of the schedule."},
		"Due.shift":                  list("", "gap", "overlap"),
		"Setting.origin":             {text: "A place in a file, the environment, a flag, or default."},
		"Plan.changes":               {text: "Null here: a daemon plans with what it runs.", null: true},
		"Plan.more":                  {text: "There is more than is listed."},
		"PlannedPost.local":          {text: "`at` in the zone of the daemon."},
		"PlannedPost.note":           {text: "Why nothing is posted; empty otherwise."},
		"PlannedOut.future":          {text: "It is so only from `at` on."},
		"Pause.scope":                list("", "all", "source", "channel", "destination"),
		"Pause.changed":              {text: "False when it was so before."},
		"WhyItem.state":              list("", "live", "held", "removed", "blocked"),
		"WhyChannel.state":           list("", "waiting", "used", "left_out", "held", "not_taken"),
		"Retraction.done":            {text: "Nothing of it is left anywhere."},
		"Retraction.again":           {text: "It was retracted for good before: nothing changed."},
		"Retraction.digests":         {text: "The digests that lost an item; their copies are corrected."},
		"Retraction.items":           {text: "The items that are blocked for ever."},
		"Retraction.purged":          {text: "No file of the store holds what was purged."},
		"RetractedCopy.digest":       {text: "The copy is of a digest: it is to be corrected, and not to be deleted."},
		"Retraction.trouble":         {text: "Which files could not be removed; empty when every one was."},
		"Fetched.fetched":            {text: "Whether it was fetched within the time that was waited."},
		"CheckedChat.asked":          {text: "The platform was asked; there are receivers that nothing can be asked of but to take a post."},
		"Resolved.resolved":          list("", "arrived", "missing", "done"),
	}
	return all[schema+"."+property]
}
