package ics

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind says how a time is written.
type kind int

const (
	date     kind = iota // a whole day, in no zone
	floating             // the same wall time everywhere
	utc
	zoned
)

// moment is a time as it is written: a wall time, which stands in UTC, and what it counts in.
type moment struct {
	wall time.Time
	kind kind
	zone *time.Location // of a zoned one
}

func (m moment) isZero() bool { return m.wall.IsZero() }

// in gives the zone that the moment's wall time counts in, of which a floating one and a date have none.
func (m moment) in(none *time.Location) *time.Location {
	switch m.kind {
	case utc:
		return time.UTC
	case zoned:
		return m.zone
	}
	return none
}

// at is the instant.
func (m moment) at(none *time.Location) time.Time { return Resolve(m.wall, m.in(none)) }

// errWall says what a time looks like.
func errWall(s string) error {
	return fmt.Errorf("the time %.40q cannot be read", s)
}

// parseWall reads a date or a date with a time, with or without Z.
func parseWall(s string) (moment, error) {
	s = strings.TrimSpace(s)
	num := func(from, to int) int {
		n, err := strconv.Atoi(s[from:to])
		if err != nil || s[from] == '+' || s[from] == '-' {
			return -1
		}
		return n
	}
	if len(s) < 8 {
		return moment{}, errWall(s)
	}
	y, mo, d := num(0, 4), num(4, 6), num(6, 8)
	h, mi, sec, k := 0, 0, 0, date
	if len(s) > 8 {
		if len(s) < 15 || s[8] != 'T' && s[8] != 't' {
			return moment{}, errWall(s)
		}
		h, mi, sec, k = num(9, 11), num(11, 13), num(13, 15), floating
		switch s[15:] {
		case "":
		case "Z", "z":
			k = utc
		default:
			return moment{}, errWall(s)
		}
	}
	if sec == 60 {
		sec = 59 // a leap second
	}
	if y < 1 || mo < 1 || mo > 12 || d < 1 || h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
		return moment{}, errWall(s)
	}
	t := time.Date(y, time.Month(mo), d, h, mi, sec, 0, time.UTC)
	if t.Day() != d {
		return moment{}, errWall(s)
	}
	return moment{wall: t, kind: k}, nil
}

// length is a duration: whole days, which a clock change does not shorten, and an exact rest.
type length struct {
	days  int
	exact time.Duration
}

// after is the end of what begins at a wall time.
func (l length) after(wall time.Time, zone *time.Location) time.Time {
	return Resolve(wall.AddDate(0, 0, l.days), zone).Add(l.exact)
}

// longest bounds a duration, in days.
const longest = 400

// parseLength reads a DURATION.
func parseLength(s string) (length, error) {
	bad := fmt.Errorf("the duration %.40q cannot be read", s)
	rest := strings.ToUpper(strings.TrimSpace(s))
	rest = strings.TrimPrefix(rest, "+")
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" {
		return length{}, bad
	}
	var l length
	inTime := false
	for rest != "" {
		if rest[0] == 'T' && !inTime {
			inTime, rest = true, rest[1:]
			continue
		}
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 0 || i > 8 || i == len(rest) {
			return length{}, bad
		}
		n, _ := strconv.Atoi(rest[:i])
		switch unit := rest[i]; {
		case unit == 'W' && !inTime:
			l.days += 7 * n
		case unit == 'D' && !inTime:
			l.days += n
		case unit == 'H' && inTime:
			l.exact += time.Duration(n) * time.Hour
		case unit == 'M' && inTime:
			l.exact += time.Duration(n) * time.Minute
		case unit == 'S' && inTime:
			l.exact += time.Duration(n) * time.Second
		default:
			return length{}, bad
		}
		rest = rest[i+1:]
		if l.days > longest || l.exact > longest*24*time.Hour || l.exact < 0 {
			return length{}, bad
		}
	}
	return l, nil
}
