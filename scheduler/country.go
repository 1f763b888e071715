package scheduler

import (
	_ "embed"
	"strings"
)

// countries has a line for each country: its code, and the zones that are in it and in no other country. It was made from
// zone.tab of the time zone database 2026, which is in the public domain, and some older names that browsers still give.
//
//go:embed countries.txt
var countries string

// CountryOf gives the country of a time zone (ISO 3166-1 alpha-2); empty for a zone of no country, such as UTC, and for one
// that is not known.
func CountryOf(zone string) string {
	if zone == "" || strings.ContainsAny(zone, " \n") {
		return ""
	}
	i := strings.Index(countries, " "+zone+" ")
	if i < 0 {
		return ""
	}
	line := strings.LastIndexByte(countries[:i], '\n') + 1
	return countries[line : line+2]
}

// KnownCountry reports whether this is the code of a country with a time zone, in capitals (ISO 3166-1 alpha-2).
func KnownCountry(code string) bool {
	return len(code) == 2 && (strings.HasPrefix(countries, code+" ") || strings.Contains(countries, "\n"+code+" "))
}
