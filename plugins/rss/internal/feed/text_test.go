package feed

import "testing"

// A text without tags takes a shorter way, which must lead where the tokenizer does: a comment before it makes it go there.
func TestTextOfWithoutTags(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"&", "a &lt;b&gt; &eacute; &amp;amp; &copy &nosuch;", "a\r\nb\rc &amp; d", "&#13;a&#10;b&nbsp;c", "a\x00b\xff&#0;&#xD800;"} {
		if got, want := textOf(in, 1000), textOf("<!-- -->"+in, 1000); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
