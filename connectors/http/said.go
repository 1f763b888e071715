package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"mime"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// anything is what accept: says to take every 2xx answer as a yes, whatever its body says.
const anything = "*"

// contradicted judges the body of a 2xx answer of which accept: asks nothing. An empty body, a text and JSON that says
// nothing against it are a yes. A plain "no" in JSON is a refusal. A web page, an error without a "no", and JSON that broke
// off leave open whether the receiver took the call: sign-in pages and proxies answer with 200 too. whole says that the
// answer came in full.
func (c *Connector) contradicted(a act, answer sdk.Answer, whole bool) *sdk.Error {
	unclear := func(format string, args ...any) *sdk.Error {
		return sdk.Errorf(sdk.CodeUnknownOutcome, a.op, "%s answers %s %s; whether it took the call is not known", c.host,
			status(answer.Status), fmt.Sprintf(format, args...))
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(answer.Body, []byte("\ufeff")))
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if page(body, mediaType) {
		return unclear(`with a web page%s where a receiver says yes or no (accept: "%s" takes that for a yes)`,
			c.title(body), anything)
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		if !whole && len(body) == 0 && strings.HasSuffix(mediaType, "json") {
			return unclear("and breaks off before it says more")
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var said map[string]any
	if d.Decode(&said) != nil {
		if !whole {
			return unclear("and breaks off before it has said all")
		}
		return nil
	}
	no, yes := verdict(said)
	switch {
	case no != "":
		e := sdk.Errorf(sdk.CodeInvalid, a.op, "%s answers %s but refuses: %s%s", c.host, status(answer.Status), no,
			c.excerpt(answer))
		if wait := bodyWait(answer.Body); wait > 0 {
			e.Code, e.Scope, e.RetryAfter = sdk.CodeRateLimited, sdk.ScopeDestination, wait
		}
		return e
	case yes:
		return nil
	}
	for _, name := range []string{"error", "errors"} {
		if something(said[name]) {
			return unclear("with an %s in its answer%s", strings.TrimSuffix(name, "s"), c.excerpt(answer))
		}
	}
	return nil
}

// verdict finds a plain no, in words, or a plain yes in what a receiver says.
func verdict(said map[string]any) (no string, yes bool) {
	for _, name := range []string{"ok", "success"} {
		v, there := said[name]
		if !there {
			continue
		}
		switch v {
		case false, json.Number("0"), "false":
			return fmt.Sprintf("%s is %v", name, v), false
		case true:
			yes = true
		}
	}
	for _, name := range []string{"status", "result"} {
		text, _ := said[name].(string)
		switch strings.ToLower(text) {
		case "error", "fail", "failed", "failure":
			return fmt.Sprintf("%s is %s", name, text), false
		case "ok", "success", "accepted":
			yes = true
		}
	}
	return "", yes
}

// something reports whether a member says anything at all.
func something(v any) bool {
	switch v := v.(type) {
	case string:
		return v != ""
	case bool:
		return v
	case json.Number:
		return v.String() != "0"
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// page reports whether a body is a web page. What is merely called text/html is none: some servers call everything so.
func page(body []byte, mediaType string) bool {
	start := strings.ToLower(string(body[:min(len(body), 64)]))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if strings.HasPrefix(start, tag) {
			return true
		}
	}
	return (mediaType == "text/html" || mediaType == "application/xhtml+xml") && strings.HasPrefix(start, "<")
}

var titleTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`) })

// title is what a page calls itself, in quotes, when it does.
func (c *Connector) title(page []byte) string {
	found := titleTag().FindSubmatch(page)
	if found == nil {
		return ""
	}
	if text := c.cleaned(found[1]); text != "" {
		return fmt.Sprintf(" (%q)", text)
	}
	return ""
}

// bodyWait is how long a refusal in JSON asks to wait: retry_after in seconds, as Discord and the Bot API say it, or
// retry_after_ms, as Matrix does; 0 when it says nothing of the kind.
func bodyWait(body []byte) time.Duration {
	longest := time.Duration(0)
	for _, w := range []struct {
		pointer string
		unit    time.Duration
	}{{"/retry_after", time.Second}, {"/parameters/retry_after", time.Second}, {"/retry_after_ms", time.Millisecond}} {
		v, ok := pointed(body, w.pointer)
		n, number := v.(json.Number)
		if !ok || !number {
			continue
		}
		f, err := n.Float64()
		switch wait := f * float64(w.unit); {
		case f <= 0:
		case err != nil || wait > float64(sdk.Forever)/2:
			longest = sdk.Forever / 2
		default:
			longest = max(longest, time.Duration(math.Ceil(wait)))
		}
	}
	return longest
}
