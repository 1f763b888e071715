package configs

import "testing"

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		size Bytes
		as   string
	}{
		"0": {0, "0"}, "0MB": {0, "0"}, "500MB": {500e6, "500MB"}, "500 MB": {500e6, "500MB"}, "1.5GB": {1500e6, "1500MB"}, "2GiB": {2 << 30, "2GiB"},
		"1024": {1024, "1KiB"}, "1000kB": {1e6, "1MB"}, "7B": {7, "7"}, "64KB": {64e3, "64kB"}, "1025": {1025, "1025"}, "3TB": {3e12, "3TB"},
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want.size || b.String() != want.as {
			t.Errorf("%q is %d, written %q (%v); want %d, %q", text, b, b, err, want.size, want.as)
		}
		again := Bytes(-1)
		if err := again.UnmarshalText([]byte(b.String())); err != nil || again != b {
			t.Errorf("%q does not come back: %d, %v", b, again, err)
		}
	}
	for _, text := range []string{"", "MB", "-1MB", "1.5", "1e9", "5 megabytes", "500mb", "9999999TB", "0x10", " 1MB"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, b)
		}
	}
}
