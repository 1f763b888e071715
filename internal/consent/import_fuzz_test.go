package consent_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/consent"
)

// Whatever a file holds, reading it ends, each row begins after the one before, and what is taken from it is fit for use.
func FuzzImportReader(f *testing.F) {
	for _, text := range []string{
		"address\nlea@example.org\n", "address;mode\nlea@example.org;digest\n", "\ufeffaddress\tslot\nlea@example.org\t07:00", "address,source\nlea@example.org,\"a\nb\"\nmax@example.org,\"never\n",
		"address\n\n\n\xff\xfe\n", "\xff\xfea\x00d\x00", "address,wording\na@b.cc,\"" + strings.Repeat("x\n", 30), "address,address\nx,y\n", "address,consented_at\na@b.cc,2024-03-31 02:30:15\n",
		"\"address\"\r\n\"a\"\"b@example.org\"\r\n", "address,zone,lang\na@b.cc,Europe/Paris,fr-CH\n",
		"address,languages,breaking,quiet,paused_until,per_day\na@b.cc,fr|en,yes,22:00-07:00,2027-01-01,3\n",
	} {
		f.Add([]byte(text))
	}
	reg := consent.New(consent.Settings{Offers: func() []consent.Offer {
		return []consent.Offer{{Purpose: alertes, Media: []consent.Medium{{Name: consent.Email}}, Modes: []consent.Mode{consent.Instant, consent.Digest}, Slots: []string{"07:00"}, Topics: []string{"sport"}}}
	}})
	f.Fuzz(func(t *testing.T, data []byte) {
		now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		in, err := reg.NewImportReader("f.csv", strings.NewReader(string(data)), consent.ImportDefaults{Channel: "alertes", Medium: consent.Email, Zone: time.UTC, Now: now})
		if err != nil {
			return
		}
		last := 0
		for n := 0; ; n++ {
			row, err := in.Next()
			var re *consent.RowError
			if err != nil && !errors.As(err, &re) {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				return
			}
			if row.Line <= last || re != nil && re.Line != row.Line {
				t.Fatalf("row %d begins on line %d after %d (%v)", n, row.Line, last, err)
			}
			if last = row.Line; n > len(data) {
				t.Fatal("it does not end")
			}
			if err == nil && (strings.ContainsAny(row.Address, "\r\n") || !utf8.ValidString(row.Evidence.Wording) || row.Evidence.At.After(now) || row.Purpose != alertes) {
				t.Fatalf("%+v", row)
			}
		}
	})
}
