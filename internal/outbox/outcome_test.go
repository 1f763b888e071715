package outbox

import "testing"

// What mends a destination stands once, in the mend, however its connector words it.
func TestCauseAndMend(t *testing.T) {
	t.Parallel()
	const check = "belfry destination check ops"
	for sentence, want := range map[string][2]string{
		"the credential may not do this": {"the credential may not do this", "mend that, then: " + check},
		"x.example has nothing at this address (404 Not Found); check url:, then: " + check: {
			"x.example has nothing at this address (404 Not Found)", "check url:, then: " + check},
		`bot @b may not post in @g (Telegram: 403 "no; never"); mend: @g → Administrators → add @b, then: ` + check: {
			`bot @b may not post in @g (Telegram: 403 "no; never")`, "@g → Administrators → add @b, then: " + check},
		"no such bot (404): the token is wrong, or the server in api: is too old; then: " + check: {
			"no such bot (404): the token is wrong, or the server in api: is too old", "mend that, then: " + check},
		"check url:, then: belfry destination check other": {"check url:, then: belfry destination check other", "mend that, then: " + check},
	} {
		cause, mend := causeAndMend(sentence, check)
		if got := [2]string{cause, mend}; got != want {
			t.Errorf("%s:\n got %q\nwant %q", sentence, got, want)
		}
	}
}
