package direct

import (
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

// Judge is what a lane asks about each message that it starts, for whoever wants to know the answer beforehand: base and
// digest are a Writer's Facts.
func Judge(base policy.Facts, digest func(*consent.Candidate) []int64, now time.Time, site *time.Location) func(*consent.Candidate) consent.Judgement {
	return judge{base: base, digest: digest, now: now, zones: &policy.Zones{Site: site}}.decide
}
