package store

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Every column with a time is fitted to a clock that was set back, or stands here with the reason why not.
func TestEveryTimeFitsTheClock(t *testing.T) {
	t.Parallel()
	stays := map[string]string{
		"items.published":          "the newsroom says it",
		"items.not_before":         "an embargo is the newsroom's",
		"publications.expires_at":  "what leaves may leave later, and never too early",
		"posts.visible_at":         "has a statement of its own: posts for later keep their time",
		"occurrences.at":           "is part of what keeps a digest from firing twice",
		"blocked.at":               "only a record",
		"subscribers.paused_until": "the person says it",
		"tokens.expires_at":        "a link that works longer does no harm",
		"notices.expires_at":       "whoever sent it says it",
		"streams.expires_at":       "what is old may be sent later, and never too early",
		"streams.slot_at":          "the slot that people chose",
		"folded.at":                "only a record",
		"suppressions.at":          "only a record",
		"imports.at":               "only a record",
		"bot_memory.until_at":      "a conversation may go on for longer",
		"ledger_checkpoints.at":    "is only a record",
		"ledger_events.at":         "is never changed",
	}
	files, err := filepath.Glob("sqlite/migrations/*.sql")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	create := regexp.MustCompile(`(?s)CREATE TABLE (?:new_)?(\w+) \((.*?)\n\)`)
	column := regexp.MustCompile(`(?m)^\s+(\w+)\s+INTEGER`)
	add := regexp.MustCompile(`ALTER TABLE (\w+) ADD COLUMN (\w+) INTEGER`)
	isTime := regexp.MustCompile(`(^|_)(at|until|since|before)$|^(lease|published)$`)
	found := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range create.FindAllStringSubmatch(string(text), -1) {
			for _, c := range column.FindAllStringSubmatch(table[2], -1) {
				found[table[1]+"."+c[1]] = isTime.MatchString(c[1])
			}
		}
		for _, c := range add.FindAllStringSubmatch(string(text), -1) {
			found[c[1]+"."+c[2]] = isTime.MatchString(c[2])
		}
	}
	known := map[string]bool{}
	for name, columns := range map[string]map[string][]string{"planned": planned, "recorded": recorded} {
		for table, list := range columns {
			for _, c := range list {
				if known[table+"."+c] = true; !found[table+"."+c] {
					t.Errorf("%s has %s.%s, which is no time of the schema", name, table, c)
				}
			}
		}
	}
	times := 0
	for c, time := range found {
		if !time {
			continue
		}
		times++
		if _, stays := stays[c]; !stays && !known[c] {
			t.Errorf("%s: say in clock.go what becomes of it when the clock is set back", c)
		}
	}
	if times < 50 {
		t.Errorf("only %d times were found", times)
	}
	if slices.Contains(recorded["posts"], "visible_at") {
		t.Error("posts for later would leave at once")
	}
}
