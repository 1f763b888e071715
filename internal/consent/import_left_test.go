package consent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
)

// TestRowsOfThoseWhoLeft: a row that says that somebody left ends what an import said of them and begins nothing, whatever stands
// before or after it, in the same file or another; who agreed here by themselves goes on.
func TestRowsOfThoseWhoLeft(t *testing.T) {
	t.Parallel()
	const head = "address,channel,consented_at,source,wording_version,left_at\n"
	const yes, no = "lea@example.org,alertes,2024-03-01,form,1,\n", "lea@example.org,alertes,,,,2024-06-01\n"
	const all = "lea@example.org,*,,complaint,,2024-06-01\n"
	for name, test := range map[string]struct {
		files []string
		// before is done before the files are imported, after before the last of them.
		before, after func(o *office)
		fates         string
		want          string
	}{
		"alone":                      {files: []string{no}, fates: "left", want: ""},
		"after a consent":            {files: []string{yes + no}, fates: "granted, left", want: "withdrawn"},
		"before a consent":           {files: []string{no + yes}, fates: "left, left", want: ""},
		"everything after a consent": {files: []string{yes + all}, fates: "granted, left", want: "withdrawn"},
		"everything, then a consent": {files: []string{all + yes}, fates: "left, left", want: ""},
		"in a later file":            {files: []string{yes, no}, fates: "granted, |, left", want: "withdrawn"},
		"everything in a later file": {files: []string{yes, all}, fates: "granted, |, left", want: "withdrawn"},
		"in an earlier file":         {files: []string{no, yes}, fates: "left, |, left", want: ""},
		"who follows here by themselves": {before: func(o *office) { o.follow(consent.Email, "lea@example.org", alertes) },
			files: []string{no}, fates: "follows", want: "active"},
		"who comes back by themselves": {after: func(o *office) { o.follow(consent.Email, "lea@example.org", alertes) },
			files: []string{no, yes}, fates: "left, |, follows", want: "active"},
		"another channel goes on": {files: []string{strings.ReplaceAll(yes, "alertes", "brief") + no + "lea@example.org,brief,,,,\n"}, fates: "granted, left, follows", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			if test.before != nil {
				test.before(o)
			}
			var fates []string
			for i, file := range test.files {
				if i > 0 {
					fates = append(fates, "|")
				}
				if test.after != nil && i == len(test.files)-1 {
					test.after(o)
				}
				_, got, err := o.take(head+file, false)
				must(t, err)
				for _, fate := range got.Fates {
					_, fate, _ = strings.Cut(fate, " ")
					fates = append(fates, fate)
				}
			}
			if got := strings.Join(fates, ", "); got != test.fates {
				t.Errorf("the fates are %s, want %s", got, test.fates)
			}
			if got := o.state("lea@example.org", alertes); got != test.want {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
}

// TestWhoLeftStandsInTheJournal: a database of before the import honours what the import said, and a dry run says nothing.
func TestWhoLeftStandsInTheJournal(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.follow(consent.Telegram, "4711", brief)
	lines := func() int {
		text, err := os.ReadFile(filepath.Join(o.dir, consent.JournalName))
		must(t, err)
		return strings.Count(string(text), `"hash":`)
	}
	const file = "address,left_at\nlea@example.org,2024-06-01\nmax@example.org,2024-06-01\n"
	for _, step := range []struct {
		dry  bool
		want int
	}{{true, 0}, {false, 2}} {
		_, got, err := o.take(file, step.dry)
		must(t, err)
		if n := lines(); n != step.want || strings.Join(got.Fates, ", ") != "2 left, 3 left" {
			t.Errorf("dry %t: %d lines, %v", step.dry, n, got.Fates)
		}
	}
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		_, compare, err := consent.Normalize(consent.Email, "lea@example.org")
		must(t, err)
		list, err := tx.Suppressions(consent.Email, o.keys.Hash(consent.Email, compare))
		if err != nil || len(list) != 1 || list[0].Purpose != "channel alertes" {
			t.Errorf("%+v, %v", list, err)
		}
		return nil
	}))
}
