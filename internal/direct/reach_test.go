package direct_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// outcomes counts what became of the messages of all posts, by state and reason.
func (h *house) outcomes() map[string]int {
	h.t.Helper()
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "belfry.db")+"?_pragma=busy_timeout(10000)")
	must(h.t, err)
	defer raw.Close()
	rows, err := raw.Query(`SELECT state || ' ' || reason, count(*) FROM messages GROUP BY 1`)
	must(h.t, err)
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		what, n := "", 0
		must(h.t, rows.Scan(&what, &n))
		out[what] = n
	}
	must(h.t, rows.Err())
	return out
}

// postRow makes the row of a post that a digest can hold.
func (h *house) postRow(id int64) {
	h.t.Helper()
	h.exec(`INSERT INTO posts (id, public_id, channel, key, kind, status, created_at, visible_at, changed_at) VALUES (?1, 'p' || ?1, 'alertes', 'post ' || ?1, 'each', 'live', 1, 1, 1)`, id)
	h.rows = true
}

// exec changes the database behind the store's back.
func (h *house) exec(text string, args ...any) {
	h.t.Helper()
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "belfry.db")+"?_pragma=busy_timeout(10000)")
	must(h.t, err)
	defer raw.Close()
	_, err = raw.Exec(text, args...)
	must(h.t, err)
}

// came makes people who follow the channel since now, numbered from one number up to another.
func (h *house) came(from, to int) {
	h.t.Helper()
	for i := from; i < to; i++ {
		_, err := h.people.Follow(h.t.Context(), consent.Follow{From: sdk.Handle{Medium: "email", Value: fmt.Sprintf("reader%d@example.invalid", i)}, Purposes: []consent.Purpose{alertes},
			Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
		must(h.t, err)
	}
}

// TestAWeekHasAMost: what is beyond the weekly cap waits for a digest, whatever the day allows.
func TestAWeekHasAMost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(1)
	h.run(writer{caps: policy.Caps{PerWeek: 2}}, direct.Destination{})
	for i := range 2 {
		h.publish()
		h.until("sending", func() bool { return len(h.out.all()) == i+1 })
	}
	h.postRow(3)
	h.publish()
	h.until("the cap of the week", func() bool { return h.outcomes()["folded cap_of_week"] == 1 })
	if n := len(h.out.all()); n != 2 {
		t.Errorf("%d messages left", n)
	}
}

// TestTheLawsHours: where it is always forbidden to write now, nobody of that country is written to; of who gave no zone, the
// hours of all countries hold.
func TestTheLawsHours(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i, zone := range []string{"Europe/Paris", "Europe/Berlin", ""} {
		_, err := h.people.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: "email", Value: fmt.Sprintf("zone%d@example.invalid", i)}, Purposes: []consent.Purpose{alertes},
			Habits: consent.Habits{Zone: zone}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
		must(t, err)
	}
	always, err := scheduler.ParseHours("00:00-12:00, 12:00-24:00")
	must(t, err)
	h.run(writer{rules: policy.Rules{Quiet: map[string]scheduler.Windows{"FR": always}}}, direct.Destination{})
	h.publish()
	h.until("who is in Germany", func() bool { return len(h.out.all()) == 1 })
	h.until("the others", func() bool { return h.outcomes()["suppressed quiet_hours_endless"] == 2 })
	if to := h.out.all()[0].to; to != "zone1@example.invalid" {
		t.Errorf("it went to %s", to)
	}
}

// TestAReplyWindow: who has not written waits, in nobody's list, until they write.
func TestAReplyWindow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(2)
	inbox := h.people.Inbox(h.db)
	wrote := sdk.Handle{Medium: "email", Value: "reader0@example.invalid"}
	must(t, inbox.Heard(t.Context(), wrote, time.Now()))
	h.run(writer{rules: policy.Rules{ReplyWindow: time.Hour}}, direct.Destination{})
	h.publish()
	h.until("who wrote lately", func() bool { return len(h.out.all()) == 1 })
	h.until("the other one", func() bool { return h.outcomes()["held reply_window_closed"] == 1 })
	if to := h.out.all()[0].to; to != wrote.Value {
		t.Errorf("it went to %s", to)
	}
	if list, err := h.db.HeldMessages(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("the house is to release %+v, %v", list, err)
	}
	must(t, inbox.Heard(t.Context(), sdk.Handle{Medium: "email", Value: "reader1@example.invalid"}, time.Now()))
	h.until("they wrote", func() bool { return len(h.out.all()) == 2 })

	// The platform may know better. What nobody writes to gets too old.
	h.out.fail = func(int, string) error { return sdk.Errorf(sdk.CodeWindowClosed, "message", "24 hours are over") }
	h.publish()
	h.until("the platform's own window", func() bool { return h.outcomes()["held reply_window_closed"] == 2 })
	h.stop()
	if _, err := h.db.FinishStreams(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := h.outcomes(); got["expired reply_window_closed"] != 2 {
		t.Errorf("what is too old is %v", got)
	}
}

// TestALateOutcomeIsRecorded: the last outcome of a batch is recorded although it takes its time, as when an address that is gone is
// suppressed, and nothing else is sent any more.
func TestALateOutcomeIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(1)
	h.engine = direct.New(direct.Settings{Store: h.db, People: h.people, Writer: writer{}, Log: quiet, Sent: func(string, sdk.Code, time.Duration) { time.Sleep(200 * time.Millisecond) }})
	must(t, h.engine.Start(t.Context(), true))
	h.engine.Use(t.Context(), map[string]direct.Destination{"mail": {Name: "mail", Medium: "email", Conn: h.out, Timeout: 2 * time.Second}})
	t.Cleanup(h.stop)
	h.publish()
	for end := time.Now().Add(30 * time.Second); h.outcomes()["sent "] != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("what became of it is %v", h.outcomes())
		}
	}
}

// TestTheyBegin: where people have to write first, a consent from a list sends nothing until they have.
func TestTheyBegin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(3)
	h.exec(`UPDATE addresses SET verified_at = 0 WHERE person > 1`) // as an import leaves them
	must(t, h.people.Inbox(h.db).Heard(t.Context(), sdk.Handle{Medium: "email", Value: "reader2@example.invalid"}, time.Now()))
	h.run(writer{rules: policy.Rules{TheyBegin: true}}, direct.Destination{})
	h.publish()
	h.until("who began", func() bool { return len(h.out.all()) == 2 })
	h.until("who did not", func() bool { return h.outcomes()["suppressed not_begun"] == 1 })
	for _, s := range h.out.all() {
		if s.to == "reader1@example.invalid" {
			t.Error("it went to who never wrote")
		}
	}
}

// TestImpersonalBulk: where a platform forbids it, only who chose something gets a post.
func TestImpersonalBulk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(1)
	h.run(writer{rules: policy.Rules{OwnChoice: true}}, direct.Destination{})
	h.publish()
	h.until("it is not sent", func() bool { return h.outcomes()["suppressed not_selected"] == 1 })
}

// TestTheBrakeOnAJump: when followers multiply between two posts, the first messages to the new ones leave, everybody else gets
// theirs, and the rest waits until somebody has looked.
func TestTheBrakeOnAJump(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.jump = policy.Jump{Times: 2, Least: 5}
	h.follow(4)
	h.run(writer{first: 3}, direct.Destination{})
	h.publish()
	h.until("four are no crowd", func() bool { return len(h.out.all()) == 4 })
	h.came(4, 8)
	h.publish()
	h.until("nor are four more", func() bool { return len(h.out.all()) == 12 })
	h.came(8, 20)
	h.publish()
	h.until("the old ones, and the first of the new ones", func() bool { return len(h.out.all()) == 12+8+3 })
	h.until("the others", func() bool { return h.outcomes()["held new_audience"] == 9 })
	h.publish()
	h.until("the old ones again", func() bool { return len(h.out.all()) == 12+8+3+8 })
	h.until("the new ones wait for both", func() bool { return h.outcomes()["held new_audience"] == 9+12 })
	held, err := h.db.HeldMessages(t.Context())
	must(t, err)
	for _, m := range held {
		if _, err := h.db.ReleaseMessages(t.Context(), m.Stream, "ada", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	h.engine.Wake()
	h.until("all got both", func() bool { return len(h.out.all()) == 12+20+20 })
	// Who leaves and comes back is nobody new.
	for i := range 12 {
		at := sdk.Handle{Medium: "email", Value: fmt.Sprintf("reader%d@example.invalid", i)}
		r, _, err := h.people.ReaderOf(t.Context(), at)
		must(t, err)
		_, err = h.people.Withdraw(t.Context(), r.ID, consent.Withdrawal{})
		must(t, err)
	}
	h.came(0, 12)
	h.publish()
	h.until("they are no new audience", func() bool { return len(h.out.all()) == 12+20+20+20 })
}

// TestAMergeKeepsTheBrake: who came with an import that nobody has released is no less new as part of somebody else.
func TestAMergeKeepsTheBrake(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	must(t, h.db.UseWriters(t.Context(), map[string]string{"email": "mail", "telegram": "bot"}))
	h.follow(1)
	h.exec(`INSERT INTO imports (id, name, sha256, actor, at, sent) VALUES (1, 'list.csv', '', 'ada', 1, 50)`)
	h.exec(`UPDATE subscribers SET import = 1`)
	other := sdk.Handle{Medium: "telegram", Value: "4711"}
	must(t, h.people.Answer(t.Context(), other, []byte("{}"), time.Now().Add(time.Hour)))
	from, err := h.people.RefAt(t.Context(), sdk.Handle{Medium: "email", Value: "reader0@example.invalid"})
	must(t, err)
	into, err := h.people.RefAt(t.Context(), other)
	must(t, err)
	_, err = h.people.Merge(t.Context(), from, into, "ada", "the same")
	must(t, err)
	h.run(writer{}, direct.Destination{})
	h.publish()
	h.until("the brake", func() bool { return h.outcomes()["held new_audience"] == 1 })
}
