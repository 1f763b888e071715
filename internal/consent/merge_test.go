package consent_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

func (o *office) follow(medium, address string, purposes ...consent.Purpose) consent.Reader {
	o.t.Helper()
	r, err := o.reg.Follow(o.t.Context(), consent.Follow{From: sdk.Handle{Medium: medium, Value: address}, Purposes: purposes,
		Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self, Version: "2026-01"}})
	must(o.t, err)
	return r
}

func (o *office) leave(r consent.Reader, p consent.Purpose) {
	o.t.Helper()
	_, err := o.reg.Withdraw(o.t.Context(), r.ID, consent.Withdrawal{Purpose: &p, Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
	must(o.t, err)
}

// states are the grants of a person, as "channel alertes email active".
func (o *office) states(ref string) []string {
	o.t.Helper()
	look, err := o.reg.Look(o.t.Context(), consent.Lookup{Ref: ref, Operator: "test", Reason: "test"})
	must(o.t, err)
	var out []string
	for _, g := range look.Grants {
		out = append(out, g.Purpose.String()+" "+g.Medium+" "+string(g.State))
	}
	return out
}

// Two people are one: a withdrawal of either holds for both, and consent stays with the address that it was given for.
func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		from, into func(o *office) consent.Reader
		want       []string
		addresses  []string
	}{
		{"an address that the other lacks goes along", func(o *office) consent.Reader { return o.follow(consent.Telegram, "4711", alertes, brief) },
			func(o *office) consent.Reader { return o.follow(consent.Email, "lea@example.org", alertes) },
			[]string{"channel alertes telegram active", "channel brief telegram active", "channel alertes email active"}, []string{consent.Email, consent.Telegram}},
		{"a withdrawal wins", func(o *office) consent.Reader {
			r := o.follow(consent.Email, "old@example.org", alertes)
			o.leave(r, alertes)
			return r
		}, func(o *office) consent.Reader { return o.follow(consent.Email, "lea@example.org", alertes) },
			[]string{"channel alertes email withdrawn"}, []string{consent.Email}},
		{"nobody is brought back", func(o *office) consent.Reader { return o.follow(consent.Email, "old@example.org", alertes) }, func(o *office) consent.Reader {
			r := o.follow(consent.Email, "lea@example.org", alertes)
			o.leave(r, alertes)
			return r
		}, []string{"channel alertes email withdrawn"}, []string{consent.Email}},
		{"consent for another address waits", func(o *office) consent.Reader { return o.follow(consent.Email, "old@example.org", brief) },
			func(o *office) consent.Reader { return o.follow(consent.Email, "lea@example.org", alertes) },
			[]string{"channel brief email pending", "channel alertes email active"}, []string{consent.Email}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			from, into := tt.from(o), tt.into(o)
			_, err := o.reg.Merge(t.Context(), from.Ref, into.Ref, "anna", "wrote from both")
			must(t, err)
			if diff := cmp.Diff(tt.want, o.states(into.Ref)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			reader, err := o.reg.Reader(t.Context(), from.Link)
			must(t, err)
			var media []string
			for _, a := range reader.Addresses {
				media = append(media, a.Medium)
			}
			if diff := cmp.Diff(tt.addresses, media); diff != "" || reader.Ref != into.Ref {
				t.Errorf("the link of the first leads to %s (-want +got)\n%s", reader.Ref, diff)
			}
			if _, err := o.reg.Look(t.Context(), consent.Lookup{Ref: from.Ref, Operator: "test", Reason: "test"}); !errors.Is(err, consent.ErrNotFound) {
				t.Errorf("the first is still there: %v", err)
			}
			record, err := o.reg.Record(t.Context(), into.ID)
			must(t, err)
			granted := 0
			for _, e := range record.Events {
				if e.Kind == consent.EventGranted {
					granted++
				}
			}
			if want := len(tt.from(newOffice(t)).Grants) + len(tt.into(newOffice(t)).Grants); granted != want {
				t.Errorf("the record holds %d of %d consents", granted, want)
			}
		})
	}
}

// Who leaves by a link in a message of before the merge leaves.
func TestMergeKeepsLinksForLeaving(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	from, into := o.follow(consent.Email, "old@example.org", alertes), o.follow(consent.Email, "lea@example.org", alertes)
	link := o.keys.LeaveLink(from.Ref, from.Grants[0].ID)
	_, err := o.reg.Merge(t.Context(), from.Ref, into.Ref, "anna", "wrote from both")
	must(t, err)
	leaving, err := o.reg.Leaving(t.Context(), link)
	must(t, err)
	if leaving.Masked != "l…@example.org" || leaving.State != consent.Active {
		t.Fatalf("the link ends %+v", leaving)
	}
	if _, err := o.reg.Leave(t.Context(), link, false, consent.Evidence{Method: consent.ByLink, Actor: consent.Self}); err != nil {
		t.Fatal(err)
	}
	if got := o.state("lea@example.org", alertes); got != "withdrawn" {
		t.Errorf("it is %q", got)
	}
	// What was left is left at the address that is no longer used, too.
	if _, got, err := o.take("address,consented_at,source,wording_version\nold@example.org"+proven+"\n", false); err != nil || got.Fates[0] != "2 granted" {
		t.Errorf("an address that nobody left: %v %v", got.Fates, err)
	}
}

// A merge needs a reason, and two people.
func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a, b := o.follow(consent.Email, "a@example.org", alertes), o.follow(consent.Email, "b@example.org", alertes)
	for name, try := range map[string][3]string{"no reason": {a.Ref, b.Ref, ""}, "oneself": {a.Ref, a.Ref, "x"}} {
		if _, err := o.reg.Merge(t.Context(), try[0], try[1], "anna", try[2]); sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := o.reg.Merge(t.Context(), a.Ref, "nobody", "anna", "x"); !errors.Is(err, consent.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if diff := cmp.Diff([]string{"channel alertes email active"}, o.states(a.Ref)); diff != "" {
		t.Error(diff)
	}
}

// What was erased is in no file of the store: neither plain nor sealed, not in tables, nor free pages, nor the log.
func TestEraseLeavesNoBytes(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	text := "address,zone,wording,consented_at,source,external\nmarguerite.zyx@example.org,Antarctica/Troll,these very words,2024-03-01,form,customer-774411\n"
	for n := range 300 { // neighbours, so that pages are shared
		text += "n" + strings.Repeat("x", n%7) + string(rune('a'+n%26)) + strings.Repeat("q", n/26) + "@example.org,,,,,\n"
	}
	_, _, err := o.take(text, false)
	must(t, err)
	ref, err := o.reg.RefAt(t.Context(), sdk.Handle{Medium: consent.Email, Value: "marguerite.zyx@example.org"})
	must(t, err)
	look, err := o.reg.Look(t.Context(), consent.Lookup{Ref: ref, Operator: "test", Reason: "test"})
	must(t, err)
	var address, key []byte
	raw, err := sql.Open("sqlite", filepath.Join(o.dir, "belfry.db"))
	must(t, err)
	must(t, raw.QueryRow(`SELECT a.sealed, k.sealed FROM addresses a JOIN person_keys k ON k.person = a.person WHERE a.person = ?`, look.ID).Scan(&address, &key))
	must(t, raw.Close())
	traces := map[string][]byte{"the zone": []byte("Antarctica/Troll"), "the sealed address": address, "the sealed key": key}
	plain := map[string][]byte{"the address": []byte("marguerite.zyx"), "the reference": []byte("customer-774411"), "the wording": []byte("these very words")}
	for what, trace := range traces {
		if !o.holds(trace) {
			t.Errorf("the test looks for %s, which is not there before either", what)
		}
	}
	for what, trace := range plain {
		if o.holds(trace) {
			t.Errorf("%s is in the files as it is", what)
		}
	}
	_, err = o.reg.Erase(t.Context(), look.ID, consent.Evidence{Method: consent.ByOperator, Actor: consent.Operator, Note: "asked"})
	must(t, err)
	done, err := o.db.Forget(t.Context())
	must(t, err)
	if !done {
		t.Fatal("the log of the store is not empty")
	}
	for what, trace := range traces {
		if o.holds(trace) {
			t.Errorf("%s is still in the files", what)
		}
	}
}

// holds looks for bytes in the files of the office.
func (o *office) holds(trace []byte) bool {
	found := false
	must(o.t, filepath.WalkDir(o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, trace)
		return err
	}))
	return found
}
