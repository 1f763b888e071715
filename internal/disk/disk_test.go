package disk

import "testing"

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1234: "1.2 kB", 999_600: "1 MB", 500_000_000: "500 MB", 1_500_000_000: "1.5 GB",
		12_345_678: "12 MB", 1 << 62: "4.6 EB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	if free, known := Free(t.TempDir()); known && free <= 0 {
		t.Errorf("%d bytes are free where files are written", free)
	}
	if _, known := Free(t.TempDir() + "/nowhere"); known {
		t.Error("a folder that does not exist has room")
	}
}
