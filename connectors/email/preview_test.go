package email

import (
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// TestPreview: it is what a relay would get, signed as always, and says nobody's name.
func TestPreview(t *testing.T) {
	t.Parallel()
	c := offline(t, map[string]any{"dkim": []any{map[string]any{"domain": "news.example", "selector": "a", "key": pkcs8(t, edKey())}}})
	values := slots("Zoé")
	got, err := c.PreviewMessage(t.Context(), sdk.MessageContent{Common: common(), Slots: values})
	if err != nil {
		t.Fatal(err)
	}
	sent := build(t, c, message(t, previewID, common(), values)).data
	names := func(data []byte) (out []string) {
		head, _, _ := strings.Cut(string(data), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if name, _, found := strings.Cut(line, ":"); found && !strings.HasPrefix(line, " ") {
				out = append(out, name)
			}
		}
		return out
	}
	if a, b := strings.Join(names(got), " "), strings.Join(names(sent), " "); a != b || !strings.Contains(a, "DKIM-Signature") {
		t.Errorf("the preview has %s, a mail %s", a, b)
	}
	if !strings.Contains(string(got), "\r\nTo: <reader@example.invalid>\r\n") {
		t.Errorf("%s", got)
	}
}
