package sdk_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * day, "2w": 14 * day,
		"1w2d3h4m5s6ms": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond, "1.5h": 90 * time.Minute,
		"106751d": 106751 * day, "36h": 36 * time.Hour, "0w": 0, "00001d": day, "1m1m": 2 * time.Minute,
	} {
		var d sdk.Duration
		if err := d.UnmarshalText([]byte(in)); err != nil || d.Std() != want {
			t.Errorf("%q: got %v, %v; want %v", in, d.Std(), err, want)
		}
	}
	for in, want := range map[string]string{
		"": "is no duration", "10": "is no duration", "d": "is no duration", "w1": "is no duration", "1d2w": "is no duration",
		"1h2d": "is no duration", "1 h": "is no duration", " 1h": "is no duration", "+1h": "is no duration", "1d-1h": "is no duration",
		"1d+1h": "is no duration", "1H": "is no duration", "1y": "is no duration", "1us": "is no duration", "1µs": "is no duration",
		".5h": "is no duration", "1.h": "is no duration", "1e3s": "is no duration", "0x1h": "is no duration", "١h": "is no duration",
		"-1h": "is negative", "-": "is negative", "123456d": "is too long", "1234567d": "is no duration", "99999w": "is too long", "99999d9999999h": "is too long",
		"106751d24h": "is too long", "999999999h": "is too long", "\x00": "is no duration",
	} {
		var d sdk.Duration
		if err := d.UnmarshalText([]byte(in)); err == nil || !strings.Contains(err.Error(), want) || d != 0 {
			t.Errorf("%q: got %v, %v; want %q", in, d.Std(), err, want)
		}
	}
}

func TestDurationIsWrittenShortly(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Minute: "1h30m", time.Hour: "1h",
		24 * time.Hour: "1d", 25 * time.Hour: "1d1h", 61 * time.Second: "1m1s", 1500 * time.Millisecond: "1.5s", 10 * time.Hour: "10h",
		7 * 24 * time.Hour: "7d", 20 * time.Minute: "20m", 100 * time.Second: "1m40s", 3601 * time.Second: "1h0m1s"} {
		if got := sdk.D(d).String(); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
		b, err := json.Marshal(sdk.D(d))
		if err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%v: JSON %s, %v", d, b, err)
		}
	}
}

// FuzzDuration: what is read is written in a form that is read as the same.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1w2d3h4m5.6s", "0", "106751d23h", "99999w", "1ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var one, two sdk.Duration
		if one.UnmarshalText([]byte(s)) != nil {
			return
		}
		if one < 0 {
			t.Fatalf("%q became %d", s, one)
		}
		if err := two.UnmarshalText([]byte(one.String())); err != nil && one.Std()%time.Millisecond == 0 || err == nil && one != two {
			t.Fatalf("%q is written %q, which is read as %v, %v", s, one, two, err)
		}
	})
}
