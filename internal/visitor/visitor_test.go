package visitor

import (
	"errors"
	"net/url"
	"testing"
)

func TestFields(t *testing.T) {
	t.Parallel()
	form, err := Fields(`<p>x</p><form><input type="hidden" name="a" value="1&amp;2"><input type="radio" name="mode" value="instant" checked><input type="radio" name="mode" value="digest">
		<input type="checkbox" name="slot" value="07:00" checked><input type="checkbox" name="slot" value="18:00" checked><input name="website">
		<select name="zone"><option value="UTC"><option value="Europe/Paris" selected></select></form><form><input name="b" value="no"></form>`)
	want := url.Values{"a": {"1&2"}, "mode": {"instant"}, "slot": {"07:00", "18:00"}, "website": {""}, "zone": {"Europe/Paris"}}
	if err != nil || form.Encode() != want.Encode() {
		t.Errorf("got %v, %v", form, err)
	}
	if _, err := Fields("<p>no form</p>"); !errors.Is(err, ErrNoForm) {
		t.Errorf("a page without a form: %v", err)
	}
}
