package scheduler

import (
	"strings"
	"testing"
)

func TestCountryOf(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{"Europe/Paris": "FR", "America/Guadeloupe": "GP", "Europe/Amsterdam": "NL", "Asia/Calcutta": "IN", "Asia/Kolkata": "IN",
		"America/New_York": "US", "America/Argentina/Ushuaia": "AR", "Europe/Andorra": "AD", "UTC": "", "Etc/UTC": "", "": "", "Paris": "", "Europe": "", "FR": "", "GP America/Guadeloupe": "", "\n": ""} {
		if got := CountryOf(zone); got != want {
			t.Errorf("%q is in %q instead of %q", zone, got, want)
		}
	}
}

func TestKnownCountry(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"FR": true, "AD": true, "ZW": true, "fr": false, "XX": false, "": false, "F": false, "FRA": false, "R" + " ": false} {
		if KnownCountry(code) != want {
			t.Errorf("%q is known: %t", code, !want)
		}
	}
}

// Every zone of the table exists, and is in one country.
func TestCountriesAreTold(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for line := range strings.Lines(countries) {
		fields := strings.Fields(line)
		for _, zone := range fields[1:] {
			if _, err := LoadZone(zone); err != nil {
				t.Errorf("%s of %s: %v", zone, fields[0], err)
			}
			if seen[zone] != "" {
				t.Errorf("%s is in %s and %s", zone, seen[zone], fields[0])
			}
			seen[zone] = fields[0]
		}
	}
	if len(seen) < 400 {
		t.Errorf("only %d zones", len(seen))
	}
}
