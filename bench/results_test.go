package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTableSaysWhatIsMissed(t *testing.T) {
	t.Parallel()
	beside := &row{What: "beside", Unit: "feeds/s", Goal: atLeast(310), Values: sample{300, 320, 310}}
	for range 3 {
		beside.beside("feedpull", 620)
	}
	var got strings.Builder
	if err := writeTable(&got, []*row{
		beside,
		{What: "too slow", Unit: "ms", Goal: atMost(20), Values: sample{20.5}},
		{What: "nothing lost", Unit: "items", Goal: atMost(0), Values: sample{0, 0}},
		{What: "without a goal", Unit: "MiB", Values: sample{99.94}},
		{What: "never came to it", Unit: "s", Goal: atMost(0.3)},
	}); err != nil {
		t.Fatal(err)
	}
	want := `| what | goal | measured: median [min .. max] | yardstick in the same run | ratio |
|---|---|---|---|---|
| beside | ≥ 310 | 310 [300 .. 320] feeds/s, n = 3: met | 620 feeds/s (feedpull) | 0.500 |
| too slow | ≤ 20 | 20.5 ms, n = 1: **missed** | – | – |
| nothing lost | ≤ 0 | 0 items, n = 2: met | – | – |
| without a goal | – | 99.9 MiB, n = 1 | – | – |
| never came to it | ≤ 0.300 | not measured | – | – |
`
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
}

func TestReportNamesTheMeasuresThatRan(t *testing.T) {
	t.Parallel()
	chosen, err := choose("pages,feeds")
	if err != nil {
		t.Fatal(err)
	}
	r := report{Begun: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), Took: 61 * time.Second, Machine: []string{"a machine"}, Command: "go run ./bench", Measures: chosen, Quick: true}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A quick look", "- a machine\n", "begun 2027-01-02 03:04 UTC, took 1m1s", "### pages", "### feeds"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "### memory") {
		t.Error("a measure is described that did not run")
	}
	if _, err := choose("feeds,speed"); err == nil || !strings.Contains(err.Error(), `"speed"`) {
		t.Errorf("an unknown measure gives %v", err)
	}
}

func TestCommandLineHidesFolders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":             {nil, "go run ./bench"},
		"a folder":            {[]string{"-yardsticks", "/somewhere/secret", "-quick"}, "go run ./bench -yardsticks FOLDER -quick"},
		"joined":              {[]string{"--dir=/disk", "-runs=3"}, "go run ./bench -dir FOLDER -runs=3"},
		"empty, as make says": {[]string{"-yardsticks", ""}, "go run ./bench"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := commandLine(test.args); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestYardstickOutput(t *testing.T) {
	t.Parallel()
	out := []byte("feedpull gofeed cold workers=16         463.2 feeds/s    [463.2 .. 463.2] n=1\nfeedpull gofeed cold cpu      3.1 ms/feed  [3.1 .. 3.1] n=1\n")
	if got, err := printed(out, "feedpull gofeed cold workers=16", "feeds/s"); err != nil || got != 463.2 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := printed(out, "feedpull gofeed 304 workers=16", "feeds/s"); err == nil {
		t.Error("a line that was not printed was found")
	}
}
