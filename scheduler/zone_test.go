package scheduler

import (
	"archive/zip"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write zones.txt anew from the zone database of the Go toolchain")

// TestZoneNames checks that zones.txt lists the database that the toolchain embeds, and that each of its zones loads.
func TestZoneNames(t *testing.T) {
	t.Parallel()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	database, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	var names []string
	for _, f := range database.File {
		if !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	if *update {
		if err := os.WriteFile("zones.txt", []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(names, ZoneNames()); diff != "" {
		t.Errorf("zones.txt is stale, renew it with go test ./scheduler -run TestZoneNames -update: %s", diff)
	}
	for _, name := range ZoneNames() {
		if zone := mustZone(t, name); zone.String() != name {
			t.Errorf("%s loads as %s", name, zone)
		}
	}
}

func TestLoadZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT-2", "US/Eastern", "EST"} {
		zone, err := LoadZone(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := time.Unix(1782864000, 0); at.In(zone).Format(time.RFC3339) != at.In(want).Format(time.RFC3339) {
			t.Errorf("%s is another zone: %v", name, at.In(zone))
		}
	}
}

func TestLoadZoneRefuses(t *testing.T) {
	t.Parallel()
	const place = "name a place, such as Europe/Paris, or UTC"
	tests := []struct{ name, near, want string }{
		{"", "", "the time zone is empty; " + place},
		{"  ", "", "the time zone is empty; " + place},
		{"Local", "", `time zone "Local" means something else on every machine; ` + place},
		{"local", "", `time zone "local" means something else on every machine; ` + place},
		{"localtime", "", `time zone "localtime" means something else on every machine; ` + place},
		{"Europe/Pari", "Europe/Paris", `time zone "Europe/Pari" is unknown; did you mean Europe/Paris?`},
		{"Eurpoe/Paris", "Europe/Paris", `time zone "Eurpoe/Paris" is unknown; did you mean Europe/Paris?`},
		{"europe/paris", "Europe/Paris", `time zone "europe/paris" is unknown; did you mean Europe/Paris?`},
		{"Paris", "Europe/Paris", `time zone "Paris" is unknown; did you mean Europe/Paris?`},
		{"rome", "Europe/Rome", `time zone "rome" is unknown; did you mean Europe/Rome?`},
		{"Berln", "Europe/Berlin", `time zone "Berln" is unknown; did you mean Europe/Berlin?`},
		{"cest", "", `time zone "cest" is unknown; ` + place},
		{"New York", "America/New_York", `time zone "New York" is unknown; did you mean America/New_York?`},
		{"America/New York", "America/New_York", `time zone "America/New York" is unknown; did you mean America/New_York?`},
		{"America/NewYork", "America/New_York", `time zone "America/NewYork" is unknown; did you mean America/New_York?`},
		{"utc", "UTC", `time zone "utc" is unknown; did you mean UTC?`},
		{"Europe/Munich", "", `time zone "Europe/Munich" is unknown; ` + place},
		{"Utopia", "", `time zone "Utopia" is unknown; ` + place},
		{"PST", "", `time zone "PST" is unknown, and abbreviations mean several zones; ` + place},
		{"CEST", "", `time zone "CEST" is unknown, and abbreviations mean several zones; ` + place},
		{"UTC+2", "", `time zone "UTC+2" is unknown; name a place, or write Etc/GMT-2 for 2 h ahead of UTC all year`},
		{"-03:00", "", `time zone "-03:00" is unknown; name a place, or write Etc/GMT+3 for 3 h behind UTC all year`},
		{"UTC+5:30", "", `time zone "UTC+5:30" is unknown; ` + place},
		{"right/Europe/Paris", "Europe/Paris", `time zone "right/Europe/Paris" is unknown; write Europe/Paris`},
		{"posix/Europe/Paris", "Europe/Paris", `time zone "posix/Europe/Paris" is unknown; write Europe/Paris`},
		{"Europe//Paris", "Europe/Paris", `time zone "Europe//Paris" is unknown; did you mean Europe/Paris?`},
		{"../etc/passwd", "", `time zone "../etc/passwd" is unknown; ` + place},
		{"/etc/localtime", "", `time zone "/etc/localtime" is unknown; ` + place},
		{"Europe/Paris\x00", "Europe/Paris", `time zone "Europe/Paris\x00" is unknown; did you mean Europe/Paris?`},
		{strings.Repeat("Europe/", 50), "", `time zone "` + strings.Repeat("Europe/", 50)[:80] + `…" is unknown; ` + place},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			zone, err := LoadZone(test.name)
			var bad *ZoneError
			if !errors.As(err, &bad) {
				t.Fatalf("%q was accepted as %v (%v)", test.name, zone, err)
			}
			if bad.Error() != test.want || bad.Near != test.near || bad.Name != test.name {
				t.Errorf("got %+v\n%s\nwant near %q and\n%s", bad, bad, test.near, test.want)
			}
		})
	}
}
