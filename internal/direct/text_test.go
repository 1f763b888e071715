package direct_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
)

// mute cannot write to some people.
type mute struct {
	writer
	to map[consent.PersonID]bool
}

func (w mute) Text(ctx context.Context, m consent.Start) (direct.Text, error) {
	if w.to[m.Person] {
		return direct.Text{}, errors.New("line 3: there is no such field")
	}
	return w.writer.Text(ctx, m)
}

// TestATextThatCannotBeMade: who cannot be written to costs nobody else their message, and is told apart.
func TestATextThatCannotBeMade(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(100)
	h.exec(`UPDATE addresses SET sealed = x'00' WHERE person = ?`, ids[50])
	h.publish()
	h.run(mute{to: map[consent.PersonID]bool{ids[0]: true, ids[99]: true}}, direct.Destination{Parallel: 4})
	want := map[string]int{"sent ": 97, "failed template": 2, "failed sealed": 1}
	h.until("an outcome of each", func() bool { return maps.Equal(h.outcomes(), want) })
}
