package sdk

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
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

// durationPattern is what a duration looks like; an empty text looks like one too, and is none.
const durationPattern = `^([0-9]{1,5}w)?([0-9]{1,6}d)?(([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms))*)$|^0$`

var durationText = regexp.MustCompile(durationPattern)

// UnmarshalText reads a duration that is not negative and at most 292 years long.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	bad := fmt.Errorf("%q is no duration; write it like 90s, 10m, 1h30m or 7d", s)
	parts := durationText.FindStringSubmatch(s)
	switch {
	case strings.HasPrefix(s, "-"):
		return fmt.Errorf("%q is negative; a duration counts forward", s)
	case parts == nil || s == "":
		return bad
	}
	var total time.Duration
	for i, length := range []time.Duration{7 * day, day} {
		n, err := strconv.Atoi(strings.TrimRight("0"+parts[i+1], "wd"))
		if err != nil {
			return bad
		}
		if time.Duration(n) > (math.MaxInt64-total)/length {
			return fmt.Errorf("%q is too long; 292 years are possible", s)
		}
		total += time.Duration(n) * length
	}
	if parts[3] != "" {
		rest, err := time.ParseDuration(parts[3])
		if err != nil || rest > math.MaxInt64-total {
			return fmt.Errorf("%q is too long; 292 years are possible", s)
		}
		total += rest
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
		std %= day
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
