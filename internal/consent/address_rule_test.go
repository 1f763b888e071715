package consent_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// TestRulesOfAddresses brings what people type, and what platforms tell, into one form by the rule of the medium.
func TestRulesOfAddresses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule        sdk.AddressRule
		typed, want string // an empty want is refused
	}{
		"nothing said":           {"", "Anna B", "Anna B"},
		"exactly":                {sdk.AddressExact, " Anna B ", "Anna B"},
		"small letters":          {sdk.AddressLowercase, "Anna.B@Élan", "anna.b@élan"},
		"a number":               {sdk.AddressE164, "+33612345678", "+33612345678"},
		"a number with spaces":   {sdk.AddressE164, " +33 6 12 34 56 78 ", "+33612345678"},
		"narrow and hard ones":   {sdk.AddressE164, "+33\u00a06\u202f12\u202f34\u202f56\u202f78", "+33612345678"},
		"from abroad":            {sdk.AddressE164, "0033 (0)6 12-34-56-78", "+33612345678"},
		"with marks":             {sdk.AddressE164, "+1 (202) 555.0143", "+12025550143"},
		"a link":                 {sdk.AddressE164, "tel:+44‑20‑7946‑0000", "+442079460000"},
		"without a country":      {sdk.AddressE164, "06 12 34 56 78", ""},
		"too short":              {sdk.AddressE164, "+33 17", ""},
		"too long":               {sdk.AddressE164, "+1234567890123456", ""},
		"no number":              {sdk.AddressE164, "+33 anna", ""},
		"two numbers":            {sdk.AddressE164, "+33612345678+33612345679", ""},
		"other digits":           {sdk.AddressE164, "+٣٣٦١٢٣٤٥٦٧٨", ""},
		"a country that is none": {sdk.AddressE164, "+0612345678", ""},
		"a rule of tomorrow":     {"mindreading", "anna", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			use, compare, err := consent.NormalizeBy(tc.rule, "sms", tc.typed)
			if use != tc.want || compare != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%q becomes %q and %q, %v", tc.typed, use, compare, err)
			}
			if err != nil && strings.Contains(err.Error(), "612345678") {
				t.Errorf("the address stands in the error: %v", err)
			}
		})
	}
	if use, _, err := consent.NormalizeBy(sdk.AddressE164, consent.Email, "Anna@example.org"); use != "Anna@example.org" || err != nil {
		t.Errorf("a mail address becomes %q, %v", use, err)
	}
}

// FuzzAddressRules: a form is its own form, and no rule makes two of it.
func FuzzAddressRules(f *testing.F) {
	for _, s := range []string{"+33 6 12 34 56 78", "0033 (0)6", "İstanbul", "tel:+1", "(0)+", "\u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		for _, rule := range []sdk.AddressRule{sdk.AddressExact, sdk.AddressLowercase, sdk.AddressE164} {
			use, compare, err := consent.NormalizeBy(rule, "sms", typed)
			if err != nil {
				continue
			}
			again, same, err := consent.NormalizeBy(rule, "sms", use)
			if err != nil || again != use || same != compare || !utf8.ValidString(use) {
				t.Errorf("%s: %q becomes %q, and then %q, %v", rule, typed, use, again, err)
			}
		}
	})
}

// TestOneNumberIsOnePerson: whoever writes STOP from a number is the person who gave it with spaces in a form or a list.
func TestOneNumberIsOnePerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	reg := consent.New(consent.Settings{Store: o.db, Keys: o.keys, Journal: o.journal, Now: func() time.Time { return o.now }, Deadline: time.Second,
		Offers: func() []consent.Offer {
			return []consent.Offer{{Purpose: alertes, Media: []consent.Medium{{Name: "sms", Destination: "gateway"}}, Modes: []consent.Mode{consent.Instant}}}
		},
		Rule: func(medium string) sdk.AddressRule { return map[string]sdk.AddressRule{"sms": sdk.AddressE164}[medium] }})
	from := func(number string) sdk.Handle { return sdk.Handle{Medium: "sms", Value: number} }
	followed, err := reg.Follow(t.Context(), consent.Follow{From: from("0033 (0)6 12 34 56 78"), Purposes: []consent.Purpose{alertes}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
	must(t, err)
	for _, number := range []string{"+33612345678", "+33 6 12 34 56 78", "+33-6-12-34-56-78"} {
		r, found, err := reg.ReaderOf(t.Context(), from(number))
		if err != nil || !found || r.Ref != followed.Ref {
			t.Errorf("%s is somebody else: %t, %v", number, found, err)
		}
	}
	ack, err := reg.WithdrawAt(t.Context(), "sms", "+33 6 12 34 56 78", "", consent.Evidence{Method: consent.ByKeyword, Actor: consent.Self})
	if err != nil || len(ack.Ended) != 1 {
		t.Errorf("STOP ended %v, %v", ack.Ended, err)
	}
	if _, err := reg.Follow(t.Context(), consent.Follow{From: from("06 12 34 56 78"), Purposes: []consent.Purpose{alertes}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); sdk.AsError(err).Code != sdk.CodeInvalid {
		t.Errorf("a number without a country: %v", err)
	}
	in, err := reg.NewImportReader("r.csv", strings.NewReader("address,consented_at\n+33 6 99 99 99 99,2026-01-02\n06 99 99 99 99,2026-01-02\n"),
		consent.ImportDefaults{Channel: "alertes", Medium: "sms", Source: "form", Version: "1", Zone: time.UTC, Now: o.now})
	must(t, err)
	if _, err = in.Next(); err != nil {
		t.Errorf("a number with spaces in a list: %v", err)
	}
	if _, err = in.Next(); err == nil || !strings.Contains(err.Error(), "no telephone number with its country") {
		t.Errorf("a number without a country in a list: %v", err)
	}
}
