package scheduler

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// zoneNames are the names in the embedded zone database, one in a line. They serve suggestions only, and
// go test ./scheduler -run TestZoneNames -update renews them.
//
//go:embed zones.txt
var zoneNames string

// ZoneNames lists the known names of time zones, sorted. A newer zone database on the machine may know more.
func ZoneNames() []string { return strings.Fields(zoneNames) }

// ZoneError says why a name is no zone, and what would be right.
type ZoneError struct {
	Name    string // the name as it was given
	Near    string // the nearest known name, or ""
	Problem string // what is wrong
	Fix     string // what would be right
}

// Error gives both as one sentence.
func (e *ZoneError) Error() string { return e.Problem + "; " + e.Fix }

// LoadZone is time.LoadLocation for the names of places and for UTC. It refuses what means another zone on another
// machine ("", "Local", "localtime") and what counts other seconds ("right/…"). The error is a *ZoneError.
func LoadZone(name string) (*time.Location, error) {
	zone, bad := findZone(name)
	if bad != nil {
		return nil, bad
	}
	return zone, nil
}

const aPlace = "name a place, such as Europe/Paris, or UTC"

func findZone(name string) (*time.Location, *ZoneError) {
	bad := &ZoneError{Name: name, Problem: fmt.Sprintf("time zone %s is unknown", shown(name)), Fix: aPlace}
	first, rest, _ := strings.Cut(name, "/")
	switch {
	case strings.TrimSpace(name) == "":
		bad.Problem = "the time zone is empty"
		return nil, bad
	case strings.EqualFold(name, "local"), name == "localtime", name == "posixrules", name == "Factory":
		bad.Problem = fmt.Sprintf("time zone %s means something else on every machine", shown(name))
		return nil, bad
	case first == "right" || first == "posix":
		if bad.Near = nearestZone(rest); bad.Near != "" {
			bad.Fix = "write " + bad.Near
		}
		return nil, bad
	}
	known := ZoneNames()
	spelled := func(k string) bool { return k != name && strings.EqualFold(k, name) }
	if path.Clean(name) == name && !slices.ContainsFunc(known, spelled) { // some file systems are lax about both
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	if fix := fixedOffset(name); fix != "" {
		bad.Fix = fix
		return nil, bad
	}
	if bad.Near = nearestZone(name); bad.Near != "" {
		bad.Fix = "did you mean " + bad.Near + "?"
	} else if isAbbreviation(name) {
		bad.Problem += ", and abbreviations mean several zones"
	}
	return nil, bad
}

// fixedOffset explains how to write "UTC+2": the names of the zone database count the other way round.
func fixedOffset(name string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(name), "UTC"), "GMT")
	if len(rest) < 2 || (rest[0] != '+' && rest[0] != '-') {
		return ""
	}
	hours := strings.TrimSuffix(strings.TrimSuffix(rest[1:], "00"), ":")
	if hours == "" || !isNumber(hours) {
		return ""
	}
	n := number(hours)
	switch {
	case rest[0] == '+' && n >= 1 && n <= 14:
		return fmt.Sprintf("name a place, or write Etc/GMT-%d for %d h ahead of UTC all year", n, n)
	case rest[0] == '-' && n >= 1 && n <= 12:
		return fmt.Sprintf("name a place, or write Etc/GMT+%d for %d h behind UTC all year", n, n)
	}
	return ""
}

func isAbbreviation(name string) bool {
	return len(name) >= 3 && len(name) <= 4 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// nearestZone finds the zone that was probably meant, also by its last part alone, or "".
func nearestZone(name string) string {
	if len(name) > 64 {
		return ""
	}
	name = strings.ReplaceAll(strings.TrimSpace(name), " ", "_")
	known := ZoneNames()
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
		return known[i]
	}
	if strings.Contains(name, "/") {
		return nearest(name, known)
	}
	zones := make(map[string]string, len(known))
	places := make([]string, len(known))
	for i, k := range slices.Backward(known) { // so that the first of several zones with one place stays
		places[i] = strings.ToLower(k[strings.LastIndex(k, "/")+1:])
		zones[places[i]] = k
	}
	if zone, found := zones[strings.ToLower(name)]; found || len(name) <= 4 {
		return zone // a typing error in so few letters makes another abbreviation of them
	}
	return zones[nearest(name, places)]
}

// nearest finds the candidate that was probably meant, or "": one typing error is allowed, and one more for every
// fourteen letters.
func nearest(name string, candidates []string) string {
	best, least := "", 2+len(name)/14
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c), least); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, change or swap with their neighbour between two words; it stops at most.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	var last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], last[j-2]+1)
			}
		}
		last, row = row, next
	}
	return row[len(b)]
}
