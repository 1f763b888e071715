package direct_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/consent/history"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// histories is how many are played when nobody says how many.
const histories = 1000

func TestMain(m *testing.M) {
	flag.Parse()
	err := errors.Join(history.Seed(), flag.Set("rapid.nofailfile", "true")) // the seed is printed
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		n := histories
		if detector {
			n /= 20
		}
		err = errors.Join(err, flag.Set("rapid.checks", fmt.Sprint(n)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// TestHistories plays random histories of people, imports, staff and crashes to the program as it is: its registry, its
// database, its start transaction and its policy. See package history for what is compared.
func TestHistories(t *testing.T) {
	s := newProgram(t)
	began := time.Now()
	history.Run(t, s)
	t.Logf("%d acts, %d messages started, %d refused at start, %d addresses changed; %s", s.acts, s.started, s.refused, s.changes, time.Since(began).Round(time.Millisecond))
	if s.started == 0 || s.refused == 0 || s.changes == 0 {
		t.Error("nothing was decided")
	}
}

var historyMedia = [history.Media]string{consent.Email, consent.Telegram, "signal"}

// program is the real thing as a history.Subject. Each message stream has a destination of its own, so that a particular
// message can be started.
type program struct {
	dir     string
	db      *store.DB
	raw     *sql.DB
	keys    *consent.Keys
	journal *consent.Journal
	people  *consent.Registry
	now     time.Time
	first   time.Time

	// who are the people as they are now; ids at the time of each post; links are the leave links of people who were merged.
	base, who [history.People]somebody
	at        map[int][history.People]consent.PersonID
	links     map[history.Place]string
	tokens    map[history.Place]string
	pressed   map[history.Place]bool
	claimed   map[history.Message]*consent.Batch
	under     map[history.Message]underWay

	acts, started, refused, imports, changes int
}

type somebody struct {
	id  consent.PersonID
	ref string
	// moves counts the addresses of each medium that the person left behind.
	moves [history.Media]int
}

type underWay struct {
	batch *consent.Batch
	start consent.Start
}

// fastDir is a folder for a database that is looked at by nobody after a crash of the machine.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "belfry")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newProgram(t *testing.T) *program {
	t.Helper()
	s := &program{dir: fastDir(t), first: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	s.now = s.first
	file := filepath.Join(s.dir, "belfry.db")
	var err error
	s.db = sqlitetest.Open(t, file)
	t.Cleanup(func() { _ = s.db.Close() })
	s.raw, err = sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=synchronous(off)")
	must(t, err)
	s.raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = s.raw.Close() })
	master, err := consent.ParseKey(consent.NewKey())
	must(t, err)
	s.keys, err = consent.OpenKeys(t.Context(), s.db, master)
	must(t, err)
	s.journal, err = consent.OpenJournal(filepath.Join(s.dir, consent.JournalName))
	must(t, err)
	t.Cleanup(func() { _ = s.journal.Close() })
	writers := map[string]string{}
	for _, m := range historyMedia {
		writers[m] = "fixed " + m
	}
	must(t, s.db.UseWriters(t.Context(), writers))
	s.people = consent.New(consent.Settings{Store: s.db, Keys: s.keys, Journal: s.journal, Offers: historyOffers, Now: func() time.Time { return s.now }, Deadline: time.Nanosecond})
	for i := range s.base {
		s.base[i], err = s.appear(i, [history.Media]int{})
		must(t, err)
	}
	for _, table := range []string{"subscribers", "person_keys", "addresses"} {
		condition := "person IN (SELECT id FROM subscribers WHERE erased_at = 0)"
		if table == "subscribers" {
			condition = "erased_at = 0"
		}
		_, err := s.raw.Exec(`CREATE TABLE first_` + table + ` AS SELECT * FROM ` + table + ` WHERE ` + condition) //nolint:unqueryvet // whole rows are put aside and put back
		must(t, err)
	}
	return s
}

// historyOffers lets the first three channels be followed post by post, and the others as digests.
func historyOffers() (out []consent.Offer) {
	for c := range history.Channels {
		o := consent.Offer{Purpose: channelOf(c), Modes: []consent.Mode{consent.Instant}}
		if c >= 3 {
			o.Modes, o.Slots = []consent.Mode{consent.Digest}, []string{"07:00"}
		}
		for _, m := range historyMedia {
			o.Media = append(o.Media, consent.Medium{Name: m, Destination: "fixed " + m})
		}
		out = append(out, o)
	}
	return out
}

func channelOf(c int) consent.Purpose {
	return consent.Purpose{Kind: consent.Channel, Name: fmt.Sprintf("c%d", c)}
}

func handleOf(person, medium, moves int) sdk.Handle {
	return sdk.Handle{Medium: historyMedia[medium], Value: fmt.Sprintf("p%d.%d@m%d.example", person, moves, medium)}
}

func (s *program) handle(p history.Place) sdk.Handle {
	return handleOf(p.Person, p.Medium, s.who[p.Person].moves[p.Medium])
}

var ctx = context.Background()

// appear makes a person who has an address on every medium and has agreed to nothing: they wrote there, and it was found out
// that they are one.
func (s *program) appear(person int, moves [history.Media]int) (somebody, error) {
	var refs []string
	var last consent.Reader
	for m := range history.Media {
		h := handleOf(person, m, moves[m])
		if err := s.people.Answer(ctx, h, []byte("{}"), s.now.Add(time.Hour)); err != nil {
			return somebody{}, err
		}
		r, found, err := s.people.ReaderOf(ctx, h)
		if err != nil || !found {
			return somebody{}, fmt.Errorf("nobody wrote by %s: %w", h.Medium, err)
		}
		refs, last = append(refs, r.Ref), r
	}
	for _, ref := range refs[:len(refs)-1] {
		if _, err := s.people.Merge(ctx, ref, last.Ref, "the desk", "one and the same"); err != nil {
			return somebody{}, err
		}
	}
	_, err := s.raw.Exec(`DELETE FROM messages WHERE stream IN (SELECT id FROM streams WHERE kind = 'answer'); DELETE FROM streams WHERE kind = 'answer'`)
	return somebody{id: last.ID, ref: last.Ref, moves: moves}, err
}

func (s *program) tick() { s.acts++; s.now = s.now.Add(time.Second) }

func (s *program) Begin() error {
	s.now = s.first
	s.who = s.base
	s.at, s.links, s.tokens = map[int][history.People]consent.PersonID{}, map[history.Place]string{}, map[history.Place]string{}
	s.pressed = map[history.Place]bool{}
	s.claimed, s.under = map[history.Message]*consent.Batch{}, map[history.Message]underWay{}
	var b strings.Builder
	b.WriteString(`BEGIN IMMEDIATE;`)
	for _, t := range []string{"message_batches", "messages", "folded", "sent_days", "tokens", "signups", "confirmations", "grants", "streams", "addresses", "person_keys",
		"suppressions", "ledger_events", "imports", "acts", "subscribers"} {
		b.WriteString(`DELETE FROM ` + t + `;`)
	}
	b.WriteString(`DELETE FROM meta WHERE name LIKE 'merged.%' OR name LIKE 'withdrawals.%';`)
	for _, t := range []string{"subscribers", "person_keys", "addresses"} {
		b.WriteString(`INSERT INTO ` + t + ` SELECT * FROM first_` + t + `;`) //nolint:unqueryvet // whole rows are put aside and put back
	}
	b.WriteString(`COMMIT`)
	if _, err := s.raw.Exec(b.String()); err != nil {
		return err
	}
	return os.Truncate(filepath.Join(s.dir, consent.JournalName), 0)
}

func (s *program) evidence(m consent.Method) consent.Evidence {
	return consent.Evidence{Method: m, Actor: consent.Self, Wording: "Yes."}
}

// SignUp fills in the form, and opens the mail that asks for a confirmation.
func (s *program) SignUp(p history.Place) error {
	s.tick()
	delete(s.tokens, p)
	delete(s.pressed, p)
	if _, err := s.raw.Exec(`DELETE FROM confirmations`); err != nil { // as if time had passed
		return err
	}
	h := s.handle(p)
	if err := s.people.SignUp(ctx, consent.SignUp{Medium: h.Medium, Address: h.Value, Purposes: []consent.Purpose{channelOf(p.Channel)}, Evidence: s.evidence(consent.ByForm)}); err != nil {
		return err
	}
	tokens, err := s.open(h.Medium)
	if token := tokens[s.who[p.Person].id]; token != "" {
		s.tokens[p] = token
	}
	return err
}

// open sends what asks for a confirmation by a medium, and gives the tokens in it by whom they came to.
func (s *program) open(medium string) (map[consent.PersonID]string, error) {
	if _, err := s.people.Work(ctx); err != nil {
		return nil, err
	}
	tokens := map[consent.PersonID]string{}
	for {
		b, err := s.db.ClaimMessages(ctx, "fixed "+medium, s.now, time.Hour, 1)
		if err != nil || b == nil {
			return tokens, err
		}
		started, err := s.begin(b)
		if err != nil {
			return nil, err
		}
		var results []consent.Result
		for _, m := range started {
			var c consent.Confirmation
			if err := json.Unmarshal(m.Text, &c); err != nil {
				return nil, err
			}
			if c.Token != "" { // who gave an address up is told so, and asked nothing
				tokens[m.Person] = c.Token
			}
			results = append(results, consent.Result{Stream: b.Stream.ID, Person: m.Person, State: consent.MessageSent, At: s.now})
		}
		if err := s.db.EndBatch(ctx, *b, results, s.now); err != nil {
			return nil, err
		}
	}
}

func (s *program) Confirm(p history.Place) error {
	s.tick()
	_, err := s.people.Confirm(ctx, s.tokens[p], s.evidence(consent.ByLink))
	if s.pressed[p] && errors.Is(err, consent.ErrToken) { // used, or forgotten with the person whom it was for
		return nil
	}
	s.pressed[p] = true
	return err
}

func (s *program) Follow(p history.Place) error {
	s.tick()
	_, err := s.people.Follow(ctx, consent.Follow{From: s.handle(p), Purposes: []consent.Purpose{channelOf(p.Channel)}, Evidence: s.evidence(consent.ByButton)})
	return err
}

// Withdraw uses the link of a message where it names exactly that, and otherwise the person's own page.
func (s *program) Withdraw(person, channel, medium int) (bool, error) {
	s.tick()
	w := s.who[person]
	if channel != history.All && medium != history.All {
		p := history.Place{Person: person, Channel: channel, Medium: medium}
		link, err := s.leaveLink(p)
		if err != nil {
			return false, err
		}
		if link != "" {
			ack, err := s.people.Leave(ctx, link, false, s.evidence(consent.ByOneClick))
			return ack.Settled, err
		}
	}
	r, err := s.people.Reader(ctx, s.keys.Link(w.ref))
	if err != nil {
		return false, err
	}
	x := consent.Withdrawal{Evidence: s.evidence(consent.ByLink)}
	if channel != history.All {
		c := channelOf(channel)
		x.Purpose = &c
	}
	if medium != history.All {
		x.Medium = historyMedia[medium]
	}
	ack, err := s.people.Withdraw(ctx, r.ID, x)
	return ack.Settled, err
}

// leaveLink is in the messages of a grant; empty where there never was one.
func (s *program) leaveLink(p history.Place) (string, error) {
	if link, old := s.links[p]; old {
		return link, nil
	}
	var id int64
	err := s.raw.QueryRow(`SELECT id FROM grants WHERE person = ? AND name = ? AND medium = ?`, int64(s.who[p.Person].id), channelOf(p.Channel).Name, historyMedia[p.Medium]).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return s.keys.LeaveLink(s.who[p.Person].ref, id), err
}

func (s *program) Suppress(person, medium int, bounce bool) error {
	s.tick()
	if bounce {
		return s.people.Gone(ctx, s.who[person].id, historyMedia[medium], consent.SuppressedBounce, consent.Evidence{Method: consent.ByBounce, Actor: consent.Provider})
	}
	_, err := s.people.Withdraw(ctx, s.who[person].id, consent.Withdrawal{Medium: historyMedia[medium],
		Evidence: consent.Evidence{Method: consent.ByOperator, Actor: consent.Operator, Note: "they called"}})
	return err
}

func (s *program) Import(p history.Place, says history.Row) error {
	if says == history.Left { // a file of another house that has who left there
		return s.importRow(p, consent.ImportRow{Left: s.now.Add(-time.Hour), Evidence: consent.Evidence{Note: "the old system"}})
	}
	row := consent.ImportRow{Preferences: consent.Preferences{Mode: consent.Instant}}
	if p.Channel >= 3 {
		row.Preferences = consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00"}}
	}
	if says == history.Proven {
		row.Evidence = consent.Evidence{At: s.now.Add(-time.Hour), Note: "the old system", Wording: "Yes."}
	}
	return s.importRow(p, row)
}

func (s *program) importRow(p history.Place, row consent.ImportRow) error {
	s.tick()
	s.imports++
	h := s.handle(p)
	row.Line, row.Medium, row.Address, row.Purpose = 2, h.Medium, h.Value, channelOf(p.Channel)
	if err := row.Check(consent.Normalize); err != nil {
		return err
	}
	i, err := s.people.StartImport(ctx, s.db, "people.csv", fmt.Sprint(s.imports), "", "the desk", false)
	if err != nil {
		return err
	}
	if _, err := s.people.Import(ctx, s.db, i, s.people.Prepare(i.ID, []consent.ImportRow{row}), false); err != nil {
		return err
	}
	return s.people.FinishImport(ctx, s.db, i)
}

func (s *program) Merge(gone, whole int) error {
	s.tick()
	if err := s.keepLinks(gone); err != nil {
		return err
	}
	_, err := s.people.Merge(ctx, s.who[gone].ref, s.who[whole].ref, "the desk", "one and the same")
	return err
}

// keepLinks remembers the links that messages to a person held.
func (s *program) keepLinks(person int) error {
	for c := range history.Channels {
		for m := range history.Media {
			p := history.Place{Person: person, Channel: c, Medium: m}
			link, err := s.leaveLink(p)
			if err != nil {
				return err
			}
			if link != "" {
				s.links[p] = link
			}
		}
	}
	return nil
}

// Move is a person who is found to be somebody who wrote from another address.
func (s *program) Move(person, medium int) error {
	s.tick()
	w := s.who[person]
	w.moves[medium]++
	h := handleOf(person, medium, w.moves[medium])
	if err := s.people.Answer(ctx, h, []byte("{}"), s.now.Add(time.Hour)); err != nil {
		return err
	}
	r, _, err := s.people.ReaderOf(ctx, h)
	if err != nil {
		return err
	}
	if _, err := s.raw.Exec(`DELETE FROM messages WHERE stream IN (SELECT id FROM streams WHERE kind = 'answer'); DELETE FROM streams WHERE kind = 'answer'`); err != nil {
		return err
	}
	if _, err = s.people.Merge(ctx, w.ref, r.Ref, "the desk", "another address"); err != nil {
		return err
	}
	w.id, w.ref = r.ID, r.Ref
	s.who[person] = w
	return nil
}

// Change is the whole way of the person's own page: they ask, open what comes to the other address, and press the button there.
func (s *program) Change(person, medium int) error {
	s.tick()
	if _, err := s.raw.Exec(`DELETE FROM confirmations`); err != nil { // as if time had passed
		return err
	}
	w := s.who[person]
	w.moves[medium]++
	h := handleOf(person, medium, w.moves[medium])
	if err := s.people.ChangeAddress(ctx, w.id, h.Medium, h.Value, s.evidence(consent.ByForm)); err != nil {
		return err
	}
	tokens, err := s.open(h.Medium)
	if err != nil {
		return err
	}
	at, found, err := s.people.ReaderOf(ctx, h)
	if err != nil || !found || tokens[at.ID] == "" {
		return fmt.Errorf("nobody was asked at %s: %w", h.Value, err)
	}
	r, err := s.people.Confirm(ctx, tokens[at.ID], s.evidence(consent.ByLink))
	if err != nil {
		return err
	}
	if at, _, err = s.people.ReaderOf(ctx, h); err != nil || r.ID != w.id || at.ID != w.id {
		return fmt.Errorf("%s reaches %d and not %d: %w", h.Value, at.ID, w.id, err)
	}
	s.who[person] = w
	s.changes++
	return nil
}

func (s *program) Erase(person int) error {
	s.tick()
	w := s.who[person]
	if _, err := s.people.Erase(ctx, w.id, s.evidence(consent.ByForm)); err != nil {
		return err
	}
	s.tick()
	now, err := s.appear(person, w.moves)
	s.who[person] = now
	return err
}

func (s *program) Post(post, channel int, _ bool) error {
	s.tick()
	var ids [history.People]consent.PersonID
	for i, w := range s.who {
		ids[i] = w.id
	}
	s.at[post] = ids
	var list []consent.Stream
	for m, medium := range historyMedia {
		x := consent.Stream{Kind: consent.StreamPost, Destination: destinationOf(post, m), Medium: medium, Purpose: channelOf(channel), Occurrence: fmt.Sprintf("post %d", post),
			Priority: 2, Created: s.now, Expires: s.now.Add(24 * time.Hour)}
		if channel >= 3 {
			x.Kind, x.Occurrence, x.SlotAt = consent.StreamDigest, direct.SlotKey(x.Purpose, "07:00", "UTC", fmt.Sprint(post)), s.now
		}
		list = append(list, x)
	}
	if n, err := s.db.MakeStreams(ctx, list, policy.Jump{}); err != nil || n != len(list) {
		return fmt.Errorf("%d streams were made: %w", n, err)
	}
	half, err := s.db.HalfMade(ctx)
	if err != nil {
		return err
	}
	for _, x := range half {
		slot, zone := direct.SlotOf(x.Occurrence)
		for whole := false; !whole; {
			if _, whole, err = s.db.FanOut(ctx, x.ID, 2, slot, zone, "UTC"); err != nil {
				return err
			}
		}
	}
	return nil
}

func destinationOf(post, medium int) string { return fmt.Sprintf("d%d %d", post, medium) }

// begin starts a batch of one.
func (s *program) begin(b *consent.Batch) ([]consent.Start, error) {
	x := b.Stream
	base := policy.Facts{Kind: policy.Kind(x.Kind), Purpose: x.Purpose, Medium: x.Medium, Content: policy.Content{Expires: x.Expires}}
	judge := direct.Judge(base, func(*consent.Candidate) []int64 { return []int64{1} }, s.now, time.UTC)
	begun, err := s.people.Start(ctx, s.db, consent.Window{Batch: *b, Size: 1, Now: s.now, Lease: time.Hour, Until: s.now.Add(time.Minute)}, judge)
	if err != nil {
		return nil, err
	}
	return slices.Collect(begun.Messages), nil
}

// claim looks for a message among what is to be claimed at its destination. What comes before it is claimed too, and waits.
func (s *program) claim(m history.Message) (*consent.Batch, error) {
	for s.claimed[m] == nil {
		b, err := s.db.ClaimMessages(ctx, destinationOf(m.Post, m.Medium), s.now, time.Hour, 1)
		if err != nil || b == nil {
			return nil, err
		}
		of := m
		of.Person = -1
		for i, id := range s.at[m.Post] {
			if id == b.People[0] {
				of.Person = i
			}
		}
		if of.Person < 0 {
			return nil, fmt.Errorf("a message of post %d is for somebody unknown", m.Post)
		}
		if s.claimed[of] != nil {
			return nil, fmt.Errorf("message %+v was claimed twice", of)
		}
		s.claimed[of] = b
	}
	return s.claimed[m], nil
}

func (s *program) Start(m history.Message) (bool, error) {
	s.tick()
	b, err := s.claim(m)
	if err != nil || b == nil {
		return false, err
	}
	delete(s.claimed, m)
	started, err := s.begin(b)
	if err != nil {
		return false, err
	}
	if len(started) == 0 {
		s.refused++
		return false, s.db.EndBatch(ctx, *b, nil, s.now)
	}
	if value, _ := started[0].Permit.Address().Reveal(); !strings.HasPrefix(value, fmt.Sprintf("p%d.", m.Person)) {
		return false, fmt.Errorf("message %+v goes to %s", m, value)
	}
	s.started++
	s.under[m] = underWay{b, started[0]}
	return true, nil
}

func (s *program) Settle(m history.Message, o history.Outcome) error {
	s.tick()
	u, found := s.under[m]
	if !found {
		return fmt.Errorf("message %+v is not under way", m)
	}
	delete(s.under, m)
	r := consent.Result{Stream: u.batch.Stream.ID, Person: u.start.Person, At: s.now}
	switch o {
	case history.Accepted:
		r.State, r.Posts = consent.MessageSent, u.start.Folded
	case history.Refused:
		r.State, r.Reason, r.Next = consent.MessagePending, "unavailable", s.now
	case history.Unknown:
		r.State, r.Reason = consent.MessageUnknown, "unknown"
	}
	return s.db.EndBatch(ctx, *u.batch, []consent.Result{r}, s.now)
}

// Resend is what a lane does by itself where on_unknown says so.
func (s *program) Resend(m history.Message) error {
	s.tick()
	var stream int64
	if err := s.raw.QueryRow(`SELECT id FROM streams WHERE destination = ?`, destinationOf(m.Post, m.Medium)).Scan(&stream); err != nil {
		return err
	}
	return s.db.SettleMessages(ctx, []consent.Result{{Stream: stream, Person: s.at[m.Post][m.Person], State: consent.MessagePending, Reason: "unknown", Next: s.now, At: s.now, Again: true}})
}

// Crash forgets everything, and does what a start does.
func (s *program) Crash() error {
	s.tick()
	clear(s.claimed)
	clear(s.under)
	if _, err := s.people.Replay(ctx); err != nil {
		return err
	}
	_, err := s.db.RecoverMessages(ctx, true, s.now)
	return err
}

var _ history.Subject = (*program)(nil)
