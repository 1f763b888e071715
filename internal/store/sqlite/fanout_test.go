package sqlite_test

import (
	"database/sql"
	"testing"
)

// No message names a stream that is not there, though the table itself does not look: who makes messages reads the stream
// in the same transaction, and a stream that has ended gets no more.
func TestMessagesHaveAStream(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	defer closed(t, db)
	alter(t, file, `INSERT INTO subscribers (id, ref, created_at) VALUES (1, 'a', 1);
		INSERT INTO grants (person, kind, name, medium, state, since, changed_at) VALUES (1, 'channel', 'news', 'email', 'active', 1, 1);
		INSERT INTO streams (id, kind, destination, medium, purpose, state, created_at, expires_at) VALUES
			(1, 'post', 'mail', 'email', 'channel news', 'open', 2, 3), (2, 'digest', 'mail', 'email', 'channel news', 'stopped', 2, 3)`)
	for stream, want := range map[int64]int64{1: 1, 2: 0} {
		if made, whole, err := db.FanOut(t.Context(), stream, 10, "", "", "UTC"); err != nil || made != want || !whole {
			t.Errorf("stream %d: %d messages, %v, %v", stream, made, whole, err)
		}
	}
	if made, _, err := db.FanOut(t.Context(), 3, 10, "", "", "UTC"); err == nil {
		t.Errorf("%d messages of no stream", made)
	}
	raw, err := sql.Open("sqlite", file)
	ok(t, err)
	defer raw.Close()
	var all, lost int
	ok(t, raw.QueryRow(`SELECT count(*), count(*) FILTER (WHERE stream NOT IN (SELECT id FROM streams)) FROM messages`).Scan(&all, &lost))
	if all != 1 || lost != 0 {
		t.Errorf("%d messages, %d of them without a stream", all, lost)
	}
}
