package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

var alertes = consent.Purpose{Kind: consent.Channel, Name: "alertes"}

var parcels = consent.Purpose{Kind: consent.Notice, Name: "parcels"}

const noticed = `
notices:
  parcels: {title: Colis, destinations: [mail]}
bulk_guard: {same_body: 1, window: 24h}
`

// mailroom is a newsroom with a relay that answers as the test plays, and notes each transaction by its recipient.
type mailroom struct {
	*post
	mu     sync.Mutex
	begun  map[string]int
	answer map[string]string // of the end of a mail to somebody
}

func newMailroom(t *testing.T, more string) *mailroom {
	t.Helper()
	m := &mailroom{post: newPost(t), begun: map[string]int{}, answer: map[string]string{}}
	to := map[int]string{}
	m.relay = emailtest.Start(t, emailtest.Options{Pipelining: true, Play: func(s emailtest.Step) string {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch s.Name {
		case "RCPT":
			to[s.Connection] = strings.Trim(strings.TrimPrefix(s.Arg, "TO:"), "<>")
			m.begun[to[s.Connection]]++
		case "end":
			return m.answer[to[s.Connection]]
		}
		return ""
	}})
	m.config(strings.ReplaceAll(followed, "%RELAY%", m.relay.Addr) + more)
	return m
}

// start waits until the channel writes to people: it writes of what is shown from then on.
func (m *mailroom) start() *App {
	m.t.Helper()
	a := m.post.start()
	m.until("the channel writes to people", func() bool {
		since, err := a.db.Mark(context.Background(), sinceMark+"alertes/mail")
		return err == nil && since != ""
	})
	return a
}

func (m *mailroom) times(to string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.begun[to]
}

func (m *mailroom) play(to, answer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer[to] = answer
}

// follow makes somebody follow by their own act.
func (m *mailroom) follow(address string, what ...consent.Purpose) consent.Reader {
	m.t.Helper()
	r, err := m.app.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: address}, Purposes: what,
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self, Wording: "Oui."}})
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// leave ends all of it, and is acknowledged.
func (m *mailroom) leave(r consent.Reader) {
	m.t.Helper()
	ack, err := m.app.people.Withdraw(context.Background(), r.ID, consent.Withdrawal{Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
	if err != nil || !ack.Settled {
		m.t.Fatalf("%+v %v", ack, err)
	}
}

// sql changes the database beside the daemon, such as that time has passed.
func (m *mailroom) sql(statement string, args ...any) {
	m.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.dir, "data", "belfry.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		m.t.Fatal(err)
	}
	if m.app != nil && m.app.direct != nil {
		m.app.direct.Wake()
	}
}

func (m *mailroom) pause(on bool) {
	m.t.Helper()
	var err error
	if on {
		_, err = m.app.db.Pause(context.Background(), "destination", "mail", "anna", time.Now())
	} else {
		_, err = m.app.db.Resume(context.Background(), "destination", "mail", "anna", time.Now())
		m.app.direct.Wake()
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mailroom) notify(reference, key, text string) string {
	m.t.Helper()
	outcome, err := m.app.people.Notify(context.Background(), consent.Notify{Purpose: parcels, Reference: reference, Key: key, Text: consent.NoticeText{Text: text}, Digest: text, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		m.t.Fatal(err)
	}
	return outcome
}

func (m *mailroom) article(id string) {
	m.t.Helper()
	before := len(m.posts())
	time.Sleep(20 * time.Millisecond) // news is for those who followed before
	m.publish(feedtest.Article{ID: id, Title: "Article " + id, Summary: "Texte."})
	m.until("it is shown", func() bool { return len(m.posts()) > before })
}

// reached waits until those who follow have been written to, which the others would have been before.
func (m *mailroom) reached(to string, times int) {
	m.t.Helper()
	m.until(fmt.Sprintf("%s was written to %d times", to, times), func() bool { return m.times(to) >= times })
}

// TestEveryDoor takes every way by which something can come to reach a person, with people who have left before it comes
// through: what was queued, refused for now, unknown or held, a correction, notices, a merge, an import, an editor's post and
// somebody whom only a platform names.
func TestEveryDoor(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, noticed)
	m.start()
	ctx := context.Background()
	stays := m.follow("stays@example.invalid", alertes)
	gone := map[string]consent.Reader{}
	for _, name := range []string{"retried", "resent", "corrected", "queued", "merged"} {
		gone[name] = m.follow(name+"@example.invalid", alertes)
	}
	m.play("retried@example.invalid", "451 4.3.0 later")
	m.play("resent@example.invalid", "keep "+emailtest.Drop)
	m.article("a")
	for name := range gone {
		m.reached(name+"@example.invalid", 1)
	}
	m.reached("stays@example.invalid", 1)
	m.until("everything has an outcome", func() bool { return !m.under(gone) })

	m.pause(true)
	m.article("b") // queued for all
	for _, r := range gone {
		m.leave(r)
	}
	m.play("retried@example.invalid", "")
	m.play("resent@example.invalid", "")
	m.pause(false)
	m.sql(`UPDATE messages SET next_at = 1 WHERE next_at > 0`) // the time of a retry and of a resend has come
	m.reached("stays@example.invalid", 2)

	// Of a correction, and of an editor's post.
	m.publish(feedtest.Article{ID: "a", Title: "Article a", Summary: "Autre texte.", Correction: "C'était faux."})
	m.reached("stays@example.invalid", 3)

	// Notices: queued before, and sent after the withdrawal; and those that the bulk guard held.
	noticed, held := m.follow("noticed@example.invalid", parcels), m.follow("held@example.invalid", parcels)
	keeps := m.follow("keeps@example.invalid", parcels)
	for reference, r := range map[string]consent.Reader{"n": noticed, "h": held, "k": keeps} {
		if err := m.app.people.SetReference(ctx, r.ID, reference); err != nil {
			t.Fatal(err)
		}
	}
	m.pause(true)
	if o := m.notify("n", "1", "Il arrive."); o != consent.NoticeQueued {
		t.Errorf("a notice is %s", o)
	}
	m.leave(noticed)
	m.pause(false)
	if o := m.notify("n", "2", "Il est là."); o != consent.NoticeNobody {
		t.Errorf("a notice to somebody who left is %s", o)
	}
	m.notify("h", "1", "Le même pour tous.")
	m.notify("k", "1", "Le même pour tous.")
	m.until("the guard holds them", func() bool {
		list, err := m.app.db.HeldMessages(ctx)
		return err == nil && len(list) > 0
	})
	m.leave(held)
	releasing := &desk.Desk{Config: m.app.Config(), Store: m.app.db, Now: time.Now(), Actor: "anna"}
	list, err := m.app.db.HeldMessages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		if _, err := releasing.ReleaseMessages(ctx, h.Stream); err != nil {
			t.Log(err) // the ones that say the same went with the first
		}
	}
	m.app.direct.Wake()
	m.reached("keeps@example.invalid", 1)

	// A merge: a withdrawal of either holds for both. An import brings nobody back.
	whole := m.follow("whole@example.invalid", alertes)
	if _, err := m.app.people.Merge(ctx, gone["merged"].Ref, whole.Ref, "anna", "the same person"); err != nil {
		t.Fatal(err)
	}
	if fates := m.imports("queued@example.invalid", "merged@example.invalid"); fates[consent.FateGranted]+fates[consent.FatePending] > 0 {
		t.Errorf("an import of who left: %v", fates)
	}
	m.article("c")
	m.reached("stays@example.invalid", 4)
	m.never("somebody who left was written to", func() bool {
		for name := range gone {
			if m.times(name+"@example.invalid") > 1 {
				t.Log(name)
				return true
			}
		}
		return m.times("noticed@example.invalid")+m.times("held@example.invalid")+m.times("whole@example.invalid") > 0
	})
	m.leave(stays)
	m.article("d")
	m.never("the last one was written to", func() bool { return m.times("stays@example.invalid") > 4 })
}

// under reports whether a message to any of them has no outcome.
func (m *mailroom) under(people map[string]consent.Reader) bool {
	for _, r := range people {
		if u, err := m.app.db.Under(context.Background(), r.ID); err != nil || u {
			return true
		}
	}
	return false
}

// imports brings in addresses with evidence, and says what became of them.
func (m *mailroom) imports(addresses ...string) map[consent.Fate]int {
	m.t.Helper()
	ctx := context.Background()
	var rows []consent.ImportRow
	for i, a := range addresses {
		row := consent.ImportRow{Line: i + 2, Medium: consent.Email, Address: a, Purpose: alertes, Preferences: consent.Preferences{Mode: consent.Instant},
			Evidence: consent.Evidence{At: time.Now().Add(-time.Hour), Note: "old system", Wording: "Oui."}}
		if err := row.Check(consent.Normalize); err != nil {
			m.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	i, err := m.app.people.StartImport(ctx, m.app.db, "people.csv", fmt.Sprint(addresses, time.Now()), "", "anna", false)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.app.people.Import(ctx, m.app.db, i, m.app.people.Prepare(i.ID, rows), false); err != nil {
		m.t.Fatal(err)
	}
	return i.Fates
}

// TestAnUnknownHandle: a platform's events name somebody who agreed to nothing, and again who left. They get the one answer to
// what they wrote, and no news.
func TestAnUnknownHandle(t *testing.T) {
	t.Parallel()
	const stranger, reader = 7_000_011, 7_000_012
	m := newMailroom(t, "")
	m.telegram = telegramtest.New(telegramtest.Options{Token: testToken, Bot: "gazette_bot", Chats: []telegramtest.Chat{{ID: stranger, Type: "private", Lang: "fr"}, {ID: reader, Type: "private", Lang: "fr"}}})
	server := httptest.NewServer(m.telegram)
	t.Cleanup(server.Close)
	m.urls["telegram"] = server.URL
	m.config(strings.Replace(strings.ReplaceAll(followed, "%RELAY%", m.relay.Addr), "messages: [{destination: mail}]", "messages: [{destination: mail}, {destination: telegram}]", 1))
	m.start()
	said := func(chat int64) int { return len(m.telegram.Messages(chat)) }
	for _, text := range []string{"Bonjour", "Envoyez-moi tout", "et à tous mes amis"} {
		if err := m.telegram.Say(stranger, text); err != nil {
			t.Fatal(err)
		}
	}
	m.until("there is an answer", func() bool { return said(stranger) == 1 })
	m.follow("stays@example.invalid", alertes)
	if _, err := m.app.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Telegram, Value: fmt.Sprint(reader)}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByKeyword, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	if err := m.telegram.Say(reader, "/stop"); err != nil {
		t.Fatal(err)
	}
	m.until("the bot acknowledges", func() bool { return said(reader) == 1 })
	m.article("a")
	m.reached("stays@example.invalid", 1)
	m.never("who agreed to nothing got news", func() bool { return said(stranger) > 1 || said(reader) > 1 })
}

// TestARestoreHonoursWhoLeft brings a backup back under a daemon from which people left, and were erased, since.
func TestARestoreHonoursWhoLeft(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, "")
	a := m.start()
	ctx := context.Background()
	m.follow("stays@example.invalid", alertes)
	left, erased := m.follow("left@example.invalid", alertes), m.follow("erased@example.invalid", alertes)
	m.pause(true)
	m.article("waits")
	m.until("it is queued", func() bool {
		at, err := a.db.NextMessages(ctx, "mail")
		return err == nil && !at.IsZero()
	})
	backup := filepath.Join(m.dir, "backup.db")
	if _, err := sqlite.WriteBackup(ctx, sqlite.Backup{From: Database(a.Config()), To: backup, Folder: filepath.Join(m.dir, "data", "media"), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	m.pause(false)
	for _, who := range []string{"stays", "left", "erased"} {
		m.reached(who+"@example.invalid", 1)
	}
	late := m.follow("late@example.invalid", alertes) // the backup knows nothing of them
	m.leave(left)
	m.leave(late)
	if _, err := a.people.Erase(ctx, erased.ID, consent.Evidence{Method: consent.ByForm, Actor: consent.Self}); err != nil {
		t.Fatal(err)
	}
	m.stop(a)
	config := a.Config()
	journal := filepath.Join(m.dir, "data", consent.JournalName)
	kept, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}

	// With the journal.
	out, err := Restore(ctx, config, backup, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.Held.Messages != 3 {
		t.Errorf("%d messages that may have left are held", out.Held.Messages)
	}
	b := m.start()
	if _, err := b.db.Resume(ctx, "all", "", "anna", time.Now()); err != nil {
		t.Fatal(err)
	}
	m.pause(false)
	m.never("what may have left before left again", func() bool { return m.times("stays@example.invalid") > 1 })
	if _, found, err := b.people.ReaderOf(ctx, sdk.Handle{Medium: consent.Email, Value: "erased@example.invalid"}); err != nil || found {
		t.Errorf("who was erased is there again: %v", err)
	}
	if fates := m.imports("left@example.invalid", "erased@example.invalid", "late@example.invalid"); fates[consent.FateGranted]+fates[consent.FatePending] > 0 {
		t.Errorf("an import with evidence of who left: %v", fates)
	}
	held, err := b.db.HeldMessages(ctx)
	if err != nil || len(held) != 1 {
		t.Fatalf("%+v %v", held, err)
	}
	if _, err := b.db.ReleaseMessages(ctx, held[0].Stream, "anna", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.direct.Wake()
	m.reached("stays@example.invalid", 2)
	m.article("after")
	m.reached("stays@example.invalid", 3)
	gone := func() int {
		return m.times("left@example.invalid") + m.times("erased@example.invalid") + m.times("late@example.invalid")
	}
	m.never("who left was written to", func() bool { return gone() > 2 })
	m.stop(b)

	// Without it, and with another one: everything is held until somebody says that there is no other.
	for name, text := range map[string][]byte{"gone": nil, "another": []byte(strings.Replace(string(kept), `{"journal":"`, `{"journal":"x`, 1))} {
		if err := os.Remove(journal); err != nil {
			t.Fatal(err)
		}
		if text != nil {
			if err := os.WriteFile(journal, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Restore(ctx, config, backup, nil); err != nil {
			t.Fatal(err)
		}
		before := m.times("stays@example.invalid")
		c := m.start()
		if _, err := c.db.Resume(ctx, "all", "", "anna", time.Now()); err != nil {
			t.Fatal(err)
		}
		m.pause(false)
		if !errors.Is(c.withheld, consent.ErrJournalMissing) {
			t.Errorf("%s: it is held back for %v", name, c.withheld)
		}
		m.follow("stays@example.invalid", alertes)
		m.sql(`UPDATE messages SET state = 'pending', next_at = 1 WHERE state = 'held'`)
		m.never("somebody was written to without the journal", func() bool { return m.times("stays@example.invalid") > before || gone() > 2 })
		m.stop(c)
	}
}

// TestALinkThatIsNobodys holds what wrong, foreign, used and expired links do: nothing, with a clear answer.
func TestALinkThatIsNobodys(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, noticed)
	m.start()
	ctx := context.Background()
	reader := m.follow("reader@example.invalid", alertes)
	m.article("a")
	m.reached("reader@example.invalid", 1)
	m.until("the mail is there", func() bool { return len(m.letters()) == 1 })
	if err := m.app.people.SignUp(ctx, consent.SignUp{Medium: consent.Email, Address: "other@example.invalid", Purposes: []consent.Purpose{alertes}, Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	m.until("the confirmation is there", func() bool { return len(m.letters()) == 2 })
	confirm := linkOf.FindStringSubmatch(m.letters()[1].text)[1]
	leave := linkOf.FindStringSubmatch(m.letters()[0].head.Get("List-Unsubscribe"))[1]
	own := "/me/" + reader.Link
	forged := leave[:len(leave)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(leave, "0")]
	// The signature of one kind of link is none of another, and that of one person none of another's.
	for _, path := range []string{"/confirm/0000000000", "/confirm/" + strings.TrimPrefix(leave, "/leave/"), "/leave/" + strings.TrimPrefix(confirm, "/confirm/"), "/leave/" + reader.Link,
		"/me/" + strings.TrimPrefix(leave, "/leave/"), "/me/" + strings.TrimPrefix(confirm, "/confirm/"), forged, "/me/" + strings.ToUpper(reader.Ref) + ".0", "/leave/%00", "/me/..%2f..%2fetc", "/confirm/" + strings.Repeat("a", 4000)} {
		form := map[string][]string{"act": {"confirm"}, "all": {"1"}}
		code, page := m.send(path, form)
		if code < 400 || code >= 500 || strings.Contains(page, "panic") || strings.Contains(page, "reader@") {
			t.Errorf("%.60s is answered with %d:\n%.300s", path, code, page)
		}
	}
	if r, _, err := m.app.people.ReaderOf(ctx, sdk.Handle{Medium: consent.Email, Value: "reader@example.invalid"}); err != nil || r.Grants[0].State != consent.Active {
		t.Errorf("a link that is nobody's did something: %+v %v", r.Grants, err)
	}
	if code, _ := m.page(own); code != http.StatusOK {
		t.Errorf("the reader's own page answers %d", code)
	}
	if err := m.app.people.SignUp(ctx, consent.SignUp{Medium: consent.Email, Address: "third@example.invalid", Purposes: []consent.Purpose{parcels}, Evidence: consent.Evidence{Method: consent.ByAPI, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	m.until("what is asked has its name", func() bool { l := m.letters(); return len(l) == 3 && strings.Contains(l[2].subject, "Colis") })
	m.sql(`UPDATE tokens SET expires_at = 1`)
	if code, _ := m.send(confirm, map[string][]string{"act": {"confirm"}}); code != http.StatusGone && code != http.StatusNotFound {
		t.Errorf("an expired link answers %d", code)
	}
	m.sql(`UPDATE tokens SET expires_at = ?`, time.Now().Add(time.Hour).UnixMicro())
	for i, want := range []int{http.StatusOK, http.StatusGone} {
		if code, page := m.send(confirm, map[string][]string{"act": {"confirm"}}); code != want {
			t.Errorf("press %d is answered with %d:\n%.300s", i+1, code, page)
		}
	}
}
