package direct_test

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// candidate is somebody who may be written to.
func candidate(kind consent.StreamKind) *consent.Candidate {
	return &consent.Candidate{Person: 1, Same: true, Reachable: true, Verified: true,
		Grant:  &consent.Grant{ID: 1, Person: 1, Purpose: alertes, Medium: "email", State: consent.Active, Version: 1, Preferences: consent.Preferences{Mode: consent.Instant}},
		Stream: &consent.Stream{ID: 1, Kind: kind, Purpose: alertes, Medium: "email", Post: 7}}
}

// TestWhatIsFoldedIsKept holds that a message which ends because its contents come with a digest leaves something for that
// digest, and otherwise waits for a time that comes.
func TestWhatIsFoldedIsKept(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	var folded, waits int
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]consent.StreamKind{consent.StreamPost, consent.StreamDigest, consent.StreamCorrection}).Draw(t, "kind")
		c := candidate(kind)
		c.Withdrawn = rapid.Bool().Draw(t, "withdrawn")
		c.Habits.PerDay = rapid.IntRange(0, 2).Draw(t, "cap")
		today := noon.Unix() / 86400
		c.Days = consent.Day{Day: today, Count: rapid.IntRange(0, 3).Draw(t, "all")}
		c.PurposeDays = consent.Day{Day: today, Count: rapid.IntRange(0, 3).Draw(t, "today")}
		if rapid.Bool().Draw(t, "pauses") {
			c.Habits.PausedUntil = noon.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "hours")) * time.Hour)
		}
		if rapid.Bool().Draw(t, "digests") {
			c.Grant.Preferences.Mode = consent.Digest
		}
		posts := rapid.SliceOfNDistinct(rapid.Int64Range(1, 100), 0, 30, rapid.ID).Draw(t, "posts")
		var digest func(*consent.Candidate) []int64
		if rapid.Bool().Draw(t, "chooses") {
			digest = func(*consent.Candidate) []int64 { return posts }
		}
		base := policy.Facts{Kind: policy.Kind(kind), Purpose: alertes, Medium: "email", Caps: policy.Caps{PerDay: rapid.IntRange(0, 2).Draw(t, "of the channel")}}
		j := direct.Judge(base, digest, noon, time.UTC)(c)
		limited := j.Reason == string(policy.PersonPaused) || j.Reason == string(policy.CapOfPerson) || j.Reason == string(policy.CapOfDay)
		switch {
		case j.State == consent.MessageFolded:
			folded++
			if len(j.Fold) == 0 {
				t.Fatalf("a %s is folded into nothing: %+v", kind, j)
			}
		case limited && (j.State != consent.MessagePending || !j.Next.After(noon)):
			t.Fatalf("a %s vanishes: %+v", kind, j)
		case limited:
			waits++
			if j.Reason == string(policy.PersonPaused) && j.Next.Before(c.Habits.PausedUntil) {
				t.Fatalf("it comes during the pause: %+v", j)
			}
		}
	})
	if folded == 0 || waits == 0 {
		t.Errorf("%d were folded, %d wait", folded, waits)
	}
}

func TestACorrectionBeyondTheCap(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	for name, withdrawn := range map[string]bool{"a correction comes with the next digest": false, "a withdrawal comes the next day": true} {
		c := candidate(consent.StreamCorrection)
		c.Withdrawn, c.PurposeDays = withdrawn, consent.Day{Day: noon.Unix() / 86400, Count: 1}
		j := direct.Judge(policy.Facts{Kind: policy.Correction, Purpose: alertes, Medium: "email", Caps: policy.Caps{PerDay: 1}}, nil, noon, time.UTC)(c)
		if withdrawn {
			midnight := noon.Add(12 * time.Hour)
			if j.State != consent.MessagePending || j.Next.Before(midnight) || j.Next.After(midnight.Add(10*time.Minute)) {
				t.Errorf("%s: %+v", name, j)
			}
		} else if j.State != consent.MessageFolded || !cmp.Equal(j.Fold, []int64{7}) {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

// TestAFullDigest holds that what has waited goes first, then the newest, and that the rest waits.
func TestAFullDigest(t *testing.T) {
	t.Parallel()
	var posts []int64
	for i := range 25 {
		posts = append(posts, int64(i+1))
	}
	c := candidate(consent.StreamDigest)
	c.Folded = []int64{2, 3}
	j := direct.Judge(policy.Facts{Kind: policy.Digest, Purpose: alertes, Medium: "email"}, func(*consent.Candidate) []int64 { return posts }, time.Now(), time.UTC)(c)
	if want := append([]int64{2, 3}, posts[7:]...); !j.Go || !cmp.Equal(j.Posts, want) || !cmp.Equal(j.Fold, []int64{1, 4, 5, 6, 7}) {
		t.Errorf("the digest holds %v, and %v wait", j.Posts, j.Fold)
	}
}
