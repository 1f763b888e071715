package scheduler

import (
	"math/bits"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	secondsPerMinute = 60
	minutesPerHour   = 60
	minutesPerDay    = 24 * minutesPerHour
	secondsPerDay    = minutesPerDay * secondsPerMinute

	// horizonMonths bounds the search for a planned day. The sparsest expression, 29 February, waits eight years around
	// 2100, which is no leap year.
	horizonMonths = 12 * 12

	// starBit is how robfig/cron marks a field that was written as unrestricted.
	starBit = 1 << 63

	allHours = 1<<24 - 1
)

// calendar is the set of wall times that an expression plans, without any zone. A wall time is counted in seconds as if
// the clock that shows it stood in UTC.
type calendar struct {
	minute, hour uint64
	dom          uint64 // bits 1 to 31
	month        uint64 // bits 1 to 12
	dow          uint64 // bits 0 (Sunday) to 6
	either       bool   // a day matches by its date or by its weekday, not by both
}

func newCalendar(s *cron.SpecSchedule) calendar {
	return calendar{
		minute: s.Minute &^ starBit,
		hour:   s.Hour &^ starBit,
		dom:    s.Dom &^ starBit,
		month:  s.Month &^ starBit,
		dow:    s.Dow &^ starBit,
		either: s.Dom&starBit == 0 && s.Dow&starBit == 0,
	}
}

// days gives the planned days of a month as the bits 1 to 31.
func (c *calendar) days(year int, month time.Month) uint64 {
	if c.month&(1<<uint(month)) == 0 {
		return 0
	}
	first := dayNumber(year, month, 1)
	length := dayNumber(year, month+1, 1) - first
	exist := uint64(1)<<(length+1) - 2

	weekday := uint(mod(first+4, 7)) // 1970-01-01 was a Thursday
	week := (c.dow>>weekday | c.dow<<(7-weekday)) & 0x7f
	byWeekday := (week | week<<7 | week<<14 | week<<21 | week<<28) << 1
	if c.either {
		return exist & (c.dom | byWeekday)
	}
	return exist & c.dom & byWeekday
}

// next gives the first planned wall time after w; false when there is none within the horizon.
func (c *calendar) next(w int64) (int64, bool) {
	minute := div(w, secondsPerMinute) + 1
	day, inDay := div(minute, minutesPerDay), mod(minute, minutesPerDay)
	year, month, date := dateOf(day)
	planned := c.days(year, month)
	if planned&(1<<uint(date)) != 0 {
		if m, ok := c.nextInDay(inDay); ok {
			return (day*minutesPerDay + m) * secondsPerMinute, true
		}
	}
	first, ok := c.nextInDay(0)
	if !ok {
		return 0, false
	}
	planned &^= 1<<uint(date+1) - 1
	for range horizonMonths {
		if planned != 0 {
			day = dayNumber(year, month, bits.TrailingZeros64(planned))
			return (day*minutesPerDay + first) * secondsPerMinute, true
		}
		if month++; month > time.December {
			year, month = year+1, time.January
		}
		planned = c.days(year, month)
	}
	return 0, false
}

// nextInDay gives the first planned minute of a day from the given one on.
func (c *calendar) nextInDay(from int64) (int64, bool) {
	h, m := uint(from/minutesPerHour), uint(from%minutesPerHour)
	if c.hour&(1<<h) != 0 {
		if rest := c.minute >> m << m; rest != 0 {
			return int64(h)*minutesPerHour + int64(bits.TrailingZeros64(rest)), true
		}
	}
	later := c.hour >> (h + 1) << (h + 1)
	if later == 0 || c.minute == 0 {
		return 0, false
	}
	return int64(bits.TrailingZeros64(later))*minutesPerHour + int64(bits.TrailingZeros64(c.minute)), true
}

// count gives the number of planned wall times after lo, up to and including hi. Whole months are counted at once.
func (c *calendar) count(lo, hi int64) int {
	from, to := div(lo, secondsPerMinute)+1, div(hi, secondsPerMinute)
	if from > to {
		return 0
	}
	firstDay, lastDay := div(from, minutesPerDay), div(to, minutesPerDay)
	if firstDay == lastDay {
		return c.countDays(firstDay, lastDay) * (c.upTo(mod(to, minutesPerDay)) - c.upTo(mod(from, minutesPerDay)-1))
	}
	whole := c.upTo(minutesPerDay - 1)
	return c.countDays(firstDay, firstDay)*(whole-c.upTo(mod(from, minutesPerDay)-1)) +
		c.countDays(firstDay+1, lastDay-1)*whole +
		c.countDays(lastDay, lastDay)*c.upTo(mod(to, minutesPerDay))
}

// upTo counts the planned minutes of one day up to and including the given one.
func (c *calendar) upTo(minute int64) int {
	if minute < 0 {
		return 0
	}
	h, m := uint(minute/minutesPerHour), uint(minute%minutesPerHour)
	n := bits.OnesCount64(c.hour&(1<<h-1)) * bits.OnesCount64(c.minute)
	if c.hour&(1<<h) != 0 {
		n += bits.OnesCount64(c.minute & (1<<(m+1) - 1))
	}
	return n
}

// countDays counts the planned days from the first to the last, both included.
func (c *calendar) countDays(first, last int64) int {
	if first > last {
		return 0
	}
	year, month, from := dateOf(first)
	lastYear, lastMonth, to := dateOf(last)
	n := 0
	for {
		planned := c.days(year, month) &^ (1<<uint(from) - 1)
		if year == lastYear && month == lastMonth {
			return n + bits.OnesCount64(planned&(1<<uint(to+1)-1))
		}
		n += bits.OnesCount64(planned)
		from = 1
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
}

// dayNumber counts days since 1970-01-01 in the Gregorian calendar. The date stands in UTC, where no day has a gap.
func dayNumber(year int, month time.Month, day int) int64 {
	return div(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), secondsPerDay)
}

func dateOf(day int64) (int, time.Month, int) {
	return time.Unix(day*secondsPerDay, 0).UTC().Date()
}

// div and mod round towards minus infinity, so that instants before 1970 behave like those after.
func div(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func mod(a, b int64) int64 { return a - div(a, b)*b }
