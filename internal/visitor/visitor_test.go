package visitor

import (
	"errors"
	"net/url"
	"testing"
)

func TestFields(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		form string
		want url.Values
	}{
		"a form of Belfry's": {`<input type="hidden" name="a" value="1&amp;2"><input type="radio" name="mode" value="instant" checked><input type="radio" name="mode" value="digest">
			<input type="checkbox" name="slot" value="07:00" checked><input type="checkbox" name="slot" value="18:00" checked><input name="website">
			<select name="zone"><option value="UTC"><option value="Europe/Paris" selected></select></form><form><input name="b" value="no">`,
			url.Values{"a": {"1&2"}, "mode": {"instant"}, "slot": {"07:00", "18:00"}, "website": {""}, "zone": {"Europe/Paris"}}},
		"what nobody pressed":         {`<input type="submit" name="a" value="1"><input type="BUTTON" name="b"><input type="image" name="c"><input type="reset" name="d"><button name="e">x</button>`, nil},
		"without a name":              {`<input value="1"><input name="" value="2"><select><option>x</select><textarea>y</textarea>`, nil},
		"switched off":                {`<input name="a" disabled><fieldset disabled><input name="b"></fieldset><select name="c" disabled><option>x</select><textarea name="d" disabled>y</textarea>`, nil},
		"a box without a value":       {`<input type="checkbox" name="a" checked><input type="radio" name="b">`, url.Values{"a": {"on"}}},
		"a list of which none chosen": {`<select name="a"><option disabled value="0">choose<option value="1">One<option value="2">Two</select>`, url.Values{"a": {"1"}}},
		"options without values":      {`<select name="a"><optgroup disabled><option>Zero</optgroup><option> One <b>and</b> a half <option selected>Two </select>`, url.Values{"a": {"Two"}}},
		"the last that is chosen":     {`<select name="a"><option selected>1<option selected>2</select>`, url.Values{"a": {"2"}}},
		"several":                     {`<select name="a" multiple><option>0<option selected>1<option selected>2</select><select name="b" multiple><option>0</select>`, url.Values{"a": {"1", "2"}}},
		"an empty list":               {`<select name="a"></select>`, nil},
		"a text":                      {"<textarea name=a>\nline &amp;\nline</textarea>", url.Values{"a": {"line &\r\nline"}}},
	} {
		form, err := Fields("<p>x</p><form>" + tc.form + "</form>")
		if err != nil || form.Encode() != tc.want.Encode() {
			t.Errorf("%s: got %v, %v", name, form, err)
		}
	}
	if _, err := Fields("<p>no form</p>"); !errors.Is(err, ErrNoForm) {
		t.Errorf("a page without a form: %v", err)
	}
}
