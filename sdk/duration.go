package sdk

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a length of time in a configuration: "90s", "10m", "1h30m", "7d", "2w". A day has 24 hours.
type Duration time.Duration

// D makes a Duration from a time.Duration.
func D(d time.Duration) Duration { return Duration(d) }

// Std gives the time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

const day = 24 * time.Hour

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	bad := fmt.Errorf("%q is no duration; write it like 90s, 10m, 1h30m or 7d", s)
	var total time.Duration
	rest := s
	for _, unit := range []struct {
		suffix string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		i := strings.Index(rest, unit.suffix)
		if i < 0 {
			continue
		}
		n := 0
		if i == 0 || i > 5 {
			return bad
		}
		for _, r := range rest[:i] {
			if r < '0' || r > '9' {
				return bad
			}
			n = n*10 + int(r-'0')
		}
		total += time.Duration(n) * unit.length
		rest = rest[i+1:]
	}
	if rest != "" || s == "" {
		std, err := time.ParseDuration(rest)
		if err != nil {
			return bad
		}
		total += std
	}
	if total < 0 {
		return fmt.Errorf("%q is negative; a duration counts forward", s)
	}
	*d = Duration(total)
	return nil
}

// String writes the duration the short way: "7d", "1h30m", "0s".
func (d Duration) String() string {
	std := time.Duration(d)
	if std == 0 {
		return "0s"
	}
	var b strings.Builder
	if days := std / day; days > 0 {
		fmt.Fprintf(&b, "%dd", days)
		std -= days * day
	}
	if std > 0 {
		s := std.String()
		if strings.HasSuffix(s, "m0s") {
			s = s[:len(s)-2]
		}
		if strings.HasSuffix(s, "h0m") {
			s = s[:len(s)-2]
		}
		b.WriteString(s)
	}
	return b.String()
}

// MarshalText writes the duration as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
