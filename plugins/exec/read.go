package exec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// Bounds of what one run may print. A command that has more says more: true in its last line.
const (
	maxItems  = 5000     // items and withdrawals together
	maxLines  = 10_000   // whatever stands in them
	maxLine   = 4 << 20  // bytes of one line
	maxOutput = 64 << 20 // bytes of all lines
	maxDepth  = 64       // nested brackets
	maxNotes  = 100
)

// lineReader reads what a command prints. A line that is wrong ends the reading.
type lineReader struct {
	source *Source
	cursor json.RawMessage // with which the run began

	batch sdk.Batch
	// keys has the line of each item and each withdrawal.
	keys  map[string]int
	line  int
	bytes int
	last  lastLine
	next  json.RawMessage
	ended bool // the last line was read
	// cut says that the output ended in the middle of a line. How the command ended may say more.
	cut error
}

// soFar tells how much was read, in the midst of a sentence.
func (r *lineReader) soFar() string {
	switch n := len(r.batch.Items); {
	case r.line == 0:
		return " without having printed anything"
	case n == 1:
		return fmt.Sprintf(" after 1 item in %d lines", r.line)
	default:
		return fmt.Sprintf(" after %d items in %d lines", n, r.line)
	}
}

// read reads to the end of the output. Its errors are *sdk.Error and name the line.
func (r *lineReader) read(in io.Reader) error {
	r.keys = map[string]int{}
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, whole, err := r.nextLine(lines)
		if err != nil {
			return err
		}
		if r.line >= maxLines {
			return r.fail(sdk.CodeTooLarge, "there are more than %d lines; print less at a time, and more: true in the last line", maxLines)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			r.line++
			wrong := r.take(line)
			if wrong != nil && !whole && truncated(line) {
				r.cut = r.fail(sdk.CodeUnavailable, "the output ends in the middle of the line; nothing of it was taken")
				return nil
			}
			if wrong != nil {
				return wrong
			}
		} else if whole {
			r.line++
		}
		if !whole {
			return nil // the end
		}
	}
}

// truncated reports whether a text ends in the middle of a JSON value.
func truncated(text []byte) bool {
	var v json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&v), io.ErrUnexpectedEOF)
}

// nextLine gives the next line; the last one, which may be empty, is not whole.
func (r *lineReader) nextLine(in *bufio.Reader) (line []byte, whole bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if r.bytes += len(part); r.bytes > maxOutput {
			return nil, false, r.fail(sdk.CodeTooLarge, "the output has more than %d MiB; print less at a time, and more: true in the last line", maxOutput>>20)
		}
		if len(line)+len(part) > maxLine {
			r.line++
			return nil, false, r.fail(sdk.CodeTooLarge, "the line has more than %d MiB; an item holds one article", maxLine>>20)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return line, false, nil // also of a pipe that was closed from here
		}
	}
}

// fail is an error about the present line.
func (r *lineReader) fail(code sdk.Code, format string, args ...any) *sdk.Error {
	return sdk.Errorf(code, opFetch, "line %d of the output: %s", max(r.line, 1), fmt.Sprintf(format, args...))
}

// take reads one line.
func (r *lineReader) take(text []byte) error {
	if r.ended {
		return r.fail(sdk.CodeInvalid, "something follows the line with the cursor, which must be the last; print items before it")
	}
	tree, err := parseLine(text)
	if err != nil {
		return r.fail(sdk.CodeInvalid, "%s", err.Error())
	}
	var shape string
	for _, key := range []string{"item", "removed", "notice", "about", "error", "cursor"} {
		if _, there := tree[key]; there {
			shape = key
			break
		}
	}
	if shape != "cursor" && shape != "" && len(tree) > 1 {
		for other := range tree {
			if other != shape {
				return r.fail(sdk.CodeInvalid, "%q stands beside %q; print each in a line of its own", other, shape)
			}
		}
	}
	switch shape {
	case "item":
		return r.item(tree["item"])
	case "removed":
		return r.removed(tree["removed"])
	case "notice":
		return r.notice(tree["notice"])
	case "about":
		return r.about(tree["about"])
	case "error":
		return r.reported(tree["error"])
	case "cursor":
		return r.end(tree, text)
	}
	return r.fail(sdk.CodeInvalid, "%s", unknownShape(tree))
}

// unknownShape says what is wrong with a line that is none of those there are.
func unknownShape(tree map[string]any) string {
	keys := make([]string, 0, len(tree))
	for k := range tree {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if slices.Contains([]string{"key", "title", "html", "url"}, k) {
			return `an item is printed as {"item": {…}}`
		}
		if slices.Contains([]string{"complete", "more", "whole", "reset", "wait", "unchanged"}, k) {
			return fmt.Sprintf("%q belongs into the last line, which has a cursor; write {\"cursor\": null, %q: …} where there is none", k, k)
		}
		if near := sdk.Nearest(k, []string{"item", "removed", "notice", "about", "error", "cursor"}); near != "" {
			return fmt.Sprintf("unknown key %q; did you mean %q?", cutText(k), near)
		}
	}
	return "the object has none of the keys item, removed, notice, about, error and cursor"
}

// decode reads an object strictly. What is wrong is told with the name of the field.
func (r *lineReader) decode(at string, tree, into any) error {
	err := sdk.Decode(withoutNulls(tree), into)
	ps, ok := errors.AsType[sdk.Problems](err)
	if !ok {
		if err != nil {
			return r.fail(sdk.CodeInvalid, "%s", err.Error())
		}
		return nil
	}
	p := ps[0]
	field := at + strings.ReplaceAll(p.Pointer, "/", ".")
	if p.OnKey {
		field = at
	}
	return r.fail(sdk.CodeInvalid, "%s: %s", cutText(field), cutText(p.String()))
}

// withoutNulls takes the fields out of an object that are null: programs print them for what they do not know.
func withoutNulls(tree any) any {
	object, ok := tree.(map[string]any)
	if !ok {
		return tree
	}
	out := make(map[string]any, len(object))
	for k, v := range object {
		if v != nil {
			out[k] = withoutNulls(v)
		}
	}
	return out
}

// once notes the key of an item or a withdrawal.
func (r *lineReader) once(at, key string) error {
	switch {
	case strings.TrimSpace(key) == "":
		return r.fail(sdk.CodeInvalid, "%s.key is empty; it names the item for good, so take the CMS's own id", at)
	case len(key) > sdk.MaxKey:
		return r.fail(sdk.CodeTooLarge, "%s.key has %d bytes; at most %d are possible", at, len(key), sdk.MaxKey)
	case strings.ContainsRune(key, 0):
		return r.fail(sdk.CodeInvalid, "%s.key holds a zero byte", at)
	}
	if line, there := r.keys[key]; there {
		return r.fail(sdk.CodeInvalid, "the key %q stands in line %d already; print one line for each key", cutText(key), line)
	}
	if r.keys[key] = r.line; len(r.keys) > maxItems {
		return r.fail(sdk.CodeTooLarge, "there are more than %d items; print less at a time, and more: true in the last line", maxItems)
	}
	return nil
}

// removedLine is a withdrawal.
type removedLine struct {
	Key    string `yaml:"key" required:"true"`
	Reason string `yaml:"reason"`
	At     stamp  `yaml:"at"`
}

func (r *lineReader) removed(tree any) error {
	if key, ok := tree.(string); ok { // the key alone
		tree = map[string]any{"key": key}
	}
	l := removedLine{At: stamp{zone: r.source.zone}}
	if err := r.decode("removed", tree, &l); err != nil {
		return err
	}
	if err := r.once("removed", l.Key); err != nil {
		return err
	}
	if l.Reason == "" {
		l.Reason = "withdrawn by the command"
	}
	r.batch.Removed = append(r.batch.Removed, sdk.Removal{Key: l.Key, Reason: cutText(l.Reason), At: l.At.Time})
	return nil
}

func (r *lineReader) notice(tree any) error {
	text, ok := tree.(string)
	if !ok || strings.TrimSpace(text) == "" {
		return r.fail(sdk.CodeInvalid, "a notice is a sentence for the admin, in quotes")
	}
	if len(r.batch.Notices) < maxNotes {
		r.batch.Notices = append(r.batch.Notices, r.source.mask.text(cutText(readable(text))))
	}
	return nil
}

type aboutLine struct {
	Title       string `yaml:"title"`
	URL         string `yaml:"url"`
	Description string `yaml:"description"`
	Lang        string `yaml:"lang"`
}

func (r *lineReader) about(tree any) error {
	var l aboutLine
	if err := r.decode("about", tree, &l); err != nil {
		return err
	}
	address, err := r.link("about.url", l.URL)
	if err != nil {
		return err
	}
	r.batch.About = sdk.About{Title: cutText(l.Title), URL: address, Description: cutText(l.Description), Lang: l.Lang}
	return nil
}

// errorLine is how a command says itself what is wrong.
type errorLine struct {
	Code       string       `yaml:"code" enum:"unavailable|rate_limited|unauthenticated|forbidden|gone|invalid"`
	Message    string       `yaml:"message" required:"true" doc:"what happened, and what would mend it"`
	RetryAfter sdk.Duration `yaml:"retry_after"`
}

func (r *lineReader) reported(tree any) error {
	l := errorLine{Code: string(sdk.CodeUnavailable)}
	if err := r.decode("error", tree, &l); err != nil {
		return err
	}
	e := sdk.Errorf(sdk.Code(l.Code), opFetch, "the command says: %s", cutText(readable(l.Message)))
	e.RetryAfter = l.RetryAfter.Std()
	return e
}

// lastLine says that this was all.
type lastLine struct {
	Cursor    any          `yaml:"cursor"`
	Complete  bool         `yaml:"complete"`
	Whole     []string     `yaml:"whole"`
	More      bool         `yaml:"more"`
	Reset     bool         `yaml:"reset"`
	Unchanged bool         `yaml:"unchanged"`
	Wait      sdk.Duration `yaml:"wait"`
}

func (r *lineReader) end(tree map[string]any, text []byte) error {
	var own struct {
		Cursor json.RawMessage `json:"cursor"`
	}
	if err := json.Unmarshal(text, &own); err != nil { // it was read before
		return r.fail(sdk.CodeInvalid, "the cursor cannot be read")
	}
	if len(own.Cursor) > maxCursor {
		return r.fail(sdk.CodeTooLarge, "the cursor has %d bytes; at most %d are stored", len(own.Cursor), maxCursor)
	}
	delete(tree, "cursor")
	if err := r.decode("the last line", tree, &r.last); err != nil {
		return err
	}
	var short bytes.Buffer
	if err := json.Compact(&short, own.Cursor); err != nil || short.Len() == 0 {
		short.WriteString("null")
	}
	r.next, r.ended = short.Bytes(), true
	switch found := len(r.batch.Items)+len(r.batch.Removed) > 0; {
	case r.last.Unchanged && found:
		return r.fail(sdk.CodeInvalid, "unchanged says that nothing changed, and there are items")
	case r.last.Unchanged && (len(r.last.Whole) > 0 || r.last.Complete):
		return r.fail(sdk.CodeInvalid, "unchanged says that nothing was looked at, and complete or whole that everything was; print one of them")
	case r.last.Complete && r.last.More:
		return r.fail(sdk.CodeInvalid, "complete says that this is everything, and more that there is more; print one of them")
	case r.last.More && bytes.Equal(r.next, orNull(r.cursor)):
		return r.fail(sdk.CodeInvalid, "more says that there is more, and the cursor is the one that the command was given: it would never get on")
	case r.last.Unchanged && r.cursor == nil:
		return r.fail(sdk.CodeInvalid, "unchanged makes no sense where everything was asked for (fetch: all)")
	}
	return nil
}

func orNull(cursor json.RawMessage) []byte {
	if cursor == nil {
		return []byte("null")
	}
	return cursor
}

// finish gives the batch of an output that was read to its end.
func (r *lineReader) finish() (sdk.Batch, error) {
	b := r.batch
	b.Complete, b.Whole, b.More, b.Reset, b.Unchanged, b.Wait = r.last.Complete, r.last.Whole, r.last.More, r.last.Reset, r.last.Unchanged, r.last.Wait.Std()
	next, err := writeCursor(r.next)
	if err != nil {
		return sdk.Batch{}, r.fail(sdk.CodeInvalid, "the cursor cannot be stored")
	}
	b.Next = next
	if err := b.Validate(); err != nil {
		return sdk.Batch{}, err
	}
	return b, nil
}

// parseLine reads one JSON object: UTF-8, each key once, numbers as they are written.
func parseLine(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("byte %d is not UTF-8; print UTF-8, whatever the database holds", invalidAt(text)+1)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	first, err := d.Token()
	if err != nil {
		return nil, syntaxOf(text, d, err)
	}
	if first != json.Delim('{') {
		return nil, errors.New(`this is no JSON object; a line is written like {"item": {…}}, and everything else goes to standard error`)
	}
	tree, err := parseObject(d, "", 1)
	if err != nil {
		return nil, syntaxOf(text, d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object; print each object in a line of its own")
	}
	return tree, nil
}

// shapeError is about what the JSON says, and not about how it is written.
type shapeError string

func (e shapeError) Error() string { return string(e) }

func syntaxOf(text []byte, d *json.Decoder, err error) error {
	if _, ok := errors.AsType[shapeError](err); ok {
		return err
	}
	at := d.InputOffset()
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = se.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the JSON ends too early (byte %d); print each object in one line", len(text))
	}
	return fmt.Errorf("this is no JSON at byte %d: %w", at, err)
}

func parseObject(d *json.Decoder, at string, depth int) (map[string]any, error) {
	out := map[string]any{}
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return out, nil // the bracket
		}
		if _, twice := out[key]; twice {
			return nil, shapeError(fmt.Sprintf("%s stands twice in the object", cutText(at+key)))
		}
		if out[key], err = parseValue(d, at+key+".", depth); err != nil {
			return nil, err
		}
	}
}

func parseValue(d *json.Decoder, at string, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	bracket, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, shapeError(fmt.Sprintf("the JSON is nested deeper than %d", maxDepth))
	}
	if bracket == '{' {
		return parseObject(d, at, depth+1)
	}
	list := []any{}
	for d.More() {
		v, err := parseValue(d, at, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err = d.Token()
	return list, err
}

func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return 0
}

// cutText bounds what is repeated of a command's words.
func cutText(s string) string {
	const most = 500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
