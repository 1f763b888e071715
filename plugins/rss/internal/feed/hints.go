package feed

import (
	"strconv"
	"strings"
	"time"
)

// maxHint is the longest wait that a document may ask for.
const maxHint = 24 * time.Hour

// hints reads ttl, skipHours, skipDays (RSS 2.0) and the syndication module of RSS 1.0.
func hints(ttl string, hours, days []string, e extensions) Hints {
	var h Hints
	if n, err := strconv.Atoi(strings.TrimSpace(ttl)); err == nil && n > 0 {
		h.Every = min(time.Duration(min(n, 100_000))*time.Minute, maxHint)
	}
	if period := strings.ToLower(e.text("sy", "updateperiod")); period != "" || e.text("sy", "updatefrequency") != "" {
		length, known := map[string]time.Duration{"hourly": time.Hour, "daily": 24 * time.Hour, "": 24 * time.Hour,
			"weekly": 7 * 24 * time.Hour, "monthly": 30 * 24 * time.Hour, "yearly": 365 * 24 * time.Hour}[period]
		times, err := strconv.Atoi(e.text("sy", "updatefrequency"))
		if err != nil || times < 1 {
			times = 1
		}
		if known {
			h.Every = max(h.Every, min(length/time.Duration(times), maxHint))
		}
	}
	for _, text := range hours {
		// Some count from 1 to 24.
		if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n >= 0 && n <= 24 {
			h.Hours |= 1 << (n % 24)
		}
	}
	for _, text := range days {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(strings.TrimSpace(text), d.String()) {
				h.Days |= 1 << d
			}
		}
	}
	// What would never allow a fetch is a mistake.
	if h.Hours == 1<<24-1 {
		h.Hours = 0
	}
	if h.Days == 1<<7-1 {
		h.Days = 0
	}
	return h
}
