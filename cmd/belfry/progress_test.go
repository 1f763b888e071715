package main

import (
	"strings"
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		patience time.Duration
		at       []int64
		want     string
	}{
		"a moment":   {time.Hour, []int64{250, 1000}, ""},
		"at once":    {0, []int64{1000}, ""},
		"a while":    {0, []int64{500, 1000}, "\rexport [===============               ] 500 people of about 1,000 people \rexport [==============================] 1,000 people of about 1,000 people \n"},
		"given up":   {0, []int64{100}, "\rexport [===                           ] 100 people of about 1,000 people "},
		"of nothing": {0, []int64{0}, "\rexport [                              ] 0 people of about 1,000 people "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			bar := meter(&out, "export", ofPeople, tt.patience)
			for _, done := range tt.at {
				bar(done, 1000)
			}
			if out.String() != tt.want {
				t.Errorf("%q, want %q", out.String(), tt.want)
			}
		})
	}
}
