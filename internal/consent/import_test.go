package consent_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	xunicode "golang.org/x/text/encoding/unicode"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

var (
	alertes = consent.Purpose{Kind: consent.Channel, Name: "alertes"}
	brief   = consent.Purpose{Kind: consent.Channel, Name: "brief"}
)

// office is a registry over a real store.
type office struct {
	t    testing.TB
	dir  string
	db   *store.DB
	keys *consent.Keys
	reg  *consent.Registry
	now  time.Time
	// master is the key of the beginning.
	master  consent.Master
	journal *consent.Journal
}

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), now: time.Now().UTC()}
	var err error
	o.db = sqlitetest.Open(t, filepath.Join(o.dir, "belfry.db"))
	t.Cleanup(func() { _ = o.db.Close() })
	o.master, err = consent.ParseKey(consent.NewKey())
	must(t, err)
	o.open(o.master)
	return o
}

// open opens the registry with master keys, the current one first.
func (o *office) open(current consent.Master, previous ...consent.Master) {
	o.t.Helper()
	var err error
	o.keys, err = consent.OpenKeys(o.t.Context(), o.db, current, previous...)
	must(o.t, err)
	journal, err := consent.OpenJournal(filepath.Join(o.dir, consent.JournalName))
	must(o.t, err)
	o.t.Cleanup(func() { _ = journal.Close() })
	o.journal = journal
	media := []consent.Medium{{Name: consent.Email, Destination: "mail"}, {Name: consent.Telegram, Destination: "bot", TheyBegin: true}}
	o.reg = consent.New(consent.Settings{Store: o.db, Keys: o.keys, Journal: journal, Now: func() time.Time { return o.now }, Deadline: time.Second,
		Notifies: func(source string) bool { return source != "news" }, Offers: func() []consent.Offer {
			return []consent.Offer{
				{Purpose: alertes, Media: media, Modes: []consent.Mode{consent.Instant, consent.Digest}, Slots: []string{"07:00"}, Topics: []string{"sport", "culture"},
					Languages: []string{"en", "fr"}, Breaking: true},
				{Purpose: brief, Media: media, Modes: []consent.Mode{consent.Instant}},
			}
		}})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// outcome is what an import told.
type outcome struct {
	Fates []string
	Sum   map[consent.Fate]int
}

func (o *office) defaults() consent.ImportDefaults {
	return consent.ImportDefaults{Channel: "alertes", Medium: consent.Email, Zone: time.UTC, Now: o.now}
}

// take imports a text as a file.
func (o *office) take(text string, dry bool) (*consent.Import, outcome, error) {
	o.t.Helper()
	reader, err := o.reg.NewImportReader("readers.csv", strings.NewReader(text), o.defaults())
	if err != nil {
		return nil, outcome{}, err
	}
	i := &consent.Import{}
	if !dry {
		sum := sha256.Sum256([]byte(text))
		if i, err = o.reg.StartImport(o.t.Context(), o.db, "readers.csv", hex.EncodeToString(sum[:]), "channel alertes by email", "test", false); err != nil {
			return nil, outcome{}, err
		}
	}
	var out outcome
	run := &consent.ImportRun{Store: o.db, Import: i, Reader: reader, Dry: dry, Told: func(row consent.ImportRow, fate consent.Fate, err error) error {
		line := fmt.Sprintf("%d %s", row.Line, fate)
		if err != nil {
			line += ": " + err.Error()
		}
		out.Fates = append(out.Fates, line)
		return nil
	}}
	err = o.reg.RunImport(o.t.Context(), run)
	out.Sum = i.Fates
	return i, out, err
}

// state gives the state of a grant of whoever an address reaches; empty when there is none.
func (o *office) state(address string, p consent.Purpose) string {
	o.t.Helper()
	reader, found, err := o.reg.ReaderOf(o.t.Context(), sdk.Handle{Medium: consent.Email, Value: address})
	must(o.t, err)
	if !found {
		return ""
	}
	state := ""
	must(o.t, o.db.People(o.t.Context(), func(tx consent.Tx) error {
		grants, err := tx.Grants(reader.ID)
		for _, g := range grants {
			if g.Purpose == p && g.Medium == consent.Email {
				state = string(g.State)
			}
		}
		return err
	}))
	return state
}

const proven = ",2024-03-01T08:00:00Z,form,2024-01"

// What becomes of a row is decided by its evidence, and by what the person did before: nobody is ever brought back.
func TestImportDecides(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	follow := func(address string, purposes ...consent.Purpose) consent.Reader {
		r, err := o.reg.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: address}, Purposes: purposes, Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self}})
		must(t, err)
		return r
	}
	follow("follows@example.org", alertes)
	left := follow("left@example.org", alertes)
	_, err := o.reg.Withdraw(t.Context(), left.ID, consent.Withdrawal{Purpose: &alertes, Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
	must(t, err)
	other := follow("left.other@example.org", brief)
	_, err = o.reg.Withdraw(t.Context(), other.ID, consent.Withdrawal{Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
	must(t, err)
	_, err = o.reg.WithdrawAt(t.Context(), consent.Email, "complained@example.org", consent.SuppressedComplaint, consent.Evidence{Method: consent.ByComplaint, Actor: consent.Provider})
	must(t, err)
	erased := follow("erased@example.org", alertes)
	_, err = o.reg.Erase(t.Context(), erased.ID, consent.Evidence{Method: consent.ByLink, Actor: consent.Self})
	must(t, err)

	_, got, err := o.take("address,consented_at,source,wording_version\n"+
		"new@example.org"+proven+"\n"+
		"bare@example.org,,,\n"+
		"half@example.org,2024-03-01,form,\n"+
		"follows@example.org"+proven+"\n"+
		"left@example.org"+proven+"\n"+
		"left.other@example.org"+proven+"\n"+
		"complained@example.org"+proven+"\n"+
		"erased@example.org"+proven+"\n"+
		"New@Example.org"+proven+"\n"+
		"bare@example.org,,,\n"+
		"bare@example.org"+proven+"\n", false)
	must(t, err)
	want := []string{"2 granted", "3 pending", "4 pending", "5 follows", "6 left", "7 left", "8 suppressed", "9 suppressed", "10 follows", "11 waits", "12 granted"}
	if diff := cmp.Diff(want, got.Fates); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[consent.Fate]int{consent.FateGranted: 2, consent.FatePending: 2, consent.FateFollows: 2, consent.FateLeft: 2, consent.FateSuppressed: 2, consent.FateWaits: 1}, got.Sum); diff != "" {
		t.Errorf("the summary (-want +got)\n%s", diff)
	}
	raw, err := sql.Open("sqlite", filepath.Join(o.dir, "belfry.db"))
	must(t, err)
	defer raw.Close()
	var messages int
	must(t, raw.QueryRow(`SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM streams) + (SELECT count(*) FROM signups) + (SELECT count(*) FROM tokens)`).Scan(&messages))
	if messages != 0 {
		t.Errorf("the import made %d messages and confirmations", messages)
	}
	for address, want := range map[string]string{"new@example.org": "active", "half@example.org": "pending", "bare@example.org": "active", "left@example.org": "withdrawn",
		"left.other@example.org": "", "complained@example.org": "", "erased@example.org": ""} {
		if got := o.state(address, alertes); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
}

// Every kind of file that an office program writes is read, and a bad row costs only itself.
func TestImportFiles(t *testing.T) {
	t.Parallel()
	latin, err := charmap.Windows1252.NewEncoder().String("Réseau social")
	must(t, err)
	wide, err := xunicode.UTF16(xunicode.LittleEndian, xunicode.UseBOM).NewEncoder().String("Address;Mode\r\nlea@exämple.org;digest\r\n")
	must(t, err)
	long := strings.Repeat("x", 70<<10)
	for _, tt := range []struct {
		name, text string
		fates      []string
		err        string
	}{
		{"semicolons and CRLF", "E-mail;Topics;Ville\r\nlea@example.org;sport|culture;Lyon\r\n", []string{"2 pending"}, ""},
		{"tabs and a byte order mark", "\ufeffaddress\tslot\nlea@example.org\t07:00\n", []string{"2 pending"}, ""},
		{"UTF-16", wide, []string{"2 pending"}, ""},
		{"Windows-1252 in one row", "address,source\nlea@example.org," + latin + "\nmax@example.org,Café\n", []string{"2 pending", "3 pending"}, ""},
		{"neither", "address,source\nlea@example.org,\x81\nmax@example.org,x\n",
			[]string{"2 error: readers.csv:2: it is neither UTF-8 nor Windows-1252; save the file as UTF-8", "3 pending"}, ""},
		{"empty lines", "address\n\nlea@example.org\n\n\nmax@example.org", []string{"3 pending", "6 pending"}, ""},
		{"a field of several lines", "address,wording\nlea@example.org,\"one\ntwo\"\nmax@example.org,three\n", []string{"2 pending", "4 pending"}, ""},
		{"quotation marks inside", "address,wording\nlea@example.org,a \"b\" c\nmax@example.org,x\n",
			[]string{`2 error: readers.csv:2: the quotation marks are broken; inside a field between quotation marks, write each of them twice`, "3 pending"}, ""},
		{"a quotation mark that is never closed", "address,wording\nlea@example.org,\"one\nmax@example.org,two\nzoe@example.org,three\n",
			[]string{`2 error: readers.csv:2: the quotation marks are broken; inside a field between quotation marks, write each of them twice`, "3 pending", "4 pending"}, ""},
		{"a line without an end", "address,wording\nlea@example.org," + long + "\nmax@example.org,x\n", []string{"2 error: readers.csv:2: the line is longer than 64 KiB", "3 pending"}, ""},
		{"a column too few", "address,source\nlea@example.org\nmax@example.org,x\n", []string{"2 error: readers.csv:2: it has 1 columns, and the first line has 2", "3 pending"}, ""},
		{"bad values", "address,zone,mode,consented_at,lang,topics\nno address,,,,,\nlea@example.org,Mars,,,,\nlea@example.org,,weekly,,,\nlea@example.org,,,yesterday,,\nlea@example.org,,,2999-01-01,,\nlea@example.org,,,,français,\nlea@example.org,,,,,war\n",
			[]string{
				"2 error: readers.csv:2: column address: this is no e-mail address; write it like name@example.org",
				`3 error: readers.csv:3: column zone: "Mars" is no time zone; write it like Europe/Paris`,
				`4 error: readers.csv:4: column mode: "weekly" is not offered by channel alertes; it offers [instant digest]`,
				`5 error: readers.csv:5: column consented_at: "yesterday" is no time; write it like 2024-03-29T08:00:00Z, 2024-03-29 or "2024-03-29 08:00"`,
				"6 error: readers.csv:6: column consented_at: 2999-01-01 is in the future",
				`7 error: readers.csv:7: column lang: "français" is no language; write it like fr or en (BCP 47)`,
				`8 error: readers.csv:8: column topics: "war" is not offered by channel alertes; it offers [sport culture]`,
			}, ""},
		{"bad choices", "address,languages,breaking,quiet,paused_until,per_day\nlea@example.org,de,,,,\nlea@example.org,,maybe,,,\nlea@example.org,,,22:00,,\nlea@example.org,,,10pm-7am,,\n" +
			"lea@example.org,,,22:00-22:00,,\nlea@example.org,,,,tomorrow,\nlea@example.org,,,,,many\nlea@example.org,,,,,-1\nlea@example.org,fr,yes,22:00-07:00,2020-01-01,3\n",
			[]string{
				`2 error: readers.csv:2: column languages: "de" is not offered by channel alertes; it offers [en fr]`,
				`3 error: readers.csv:3: column breaking: "maybe" is neither yes nor no`,
				`4 error: readers.csv:4: column quiet: "22:00" are no quiet hours; write them like 22:00-07:00`,
				`5 error: readers.csv:5: column quiet: "10pm-7am" are no quiet hours; write them like 22:00-07:00`,
				`6 error: readers.csv:6: column quiet: "22:00-22:00" are no quiet hours; write them like 22:00-07:00`,
				`7 error: readers.csv:7: column paused_until: "tomorrow" is no time; write it like 2027-03-29T08:00:00Z, 2027-03-29 or "2027-03-29 08:00"`,
				`8 error: readers.csv:8: column per_day: "many" is no number of messages; write one from 1 to 1000, or nothing for no bound`,
				`9 error: readers.csv:9: column per_day: "-1" is no number of messages; write one from 1 to 1000, or nothing for no bound`,
				"10 pending",
			}, ""},
		{"header injection", "address,source\n\"lea@example.org\nBcc: max@example.org\",x\n", []string{"2 error: readers.csv:2: column address: the address holds characters that no address has"}, ""},
		{"a channel that is not offered", "address,channel\nlea@example.org,sport\n", []string{`2 error: readers.csv:2: column channel: channel sport cannot be followed by "email"; see messages: in the configuration`}, ""},
		{"empty", "", nil, "readers.csv:1: the file is empty"},
		{"no address", "name,city\nx,y\n", nil, `readers.csv:1: there is no column address among "name", "city"`},
		{"twice", "email,mail\nx,y\n", nil, `readers.csv:1: column mail: it says the same as column "email"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got, err := newOffice(t).take(tt.text, false)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %s", err, tt.err)
				}
				return
			}
			must(t, err)
			if diff := cmp.Diff(tt.fates, got.Fates); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A file of 10 MB whose quotation marks and encodings are broken all over ends, and every row is accounted for.
func TestImportOfABrokenFile(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var b strings.Builder
	b.WriteString("address,source\n")
	rows, good := 0, 0
	for n := 0; b.Len() < brokenSize; n++ {
		rows++
		switch n % 4 {
		case 0:
			fmt.Fprintf(&b, "broken%d@example.org,\"never %s closed\n", n, strings.Repeat("z", 900))
		case 1:
			fmt.Fprintf(&b, "latin%d@example.org,caf\xe9\n", n)
			good++
		case 2:
			fmt.Fprintf(&b, "odd%d@example.org,a\"b %s\n", n, strings.Repeat("\x81", 900))
		default:
			fmt.Fprintf(&b, "fine%d@example.org,café\n", n)
			good++
		}
	}
	i, got, err := o.take(b.String(), true)
	must(t, err)
	sum := 0
	for _, n := range i.Fates {
		sum += n
	}
	if sum != rows || len(got.Fates) != rows || i.Fates[consent.FatePending] != good {
		t.Errorf("%d rows, %d of them good: got %v", rows, good, i.Fates)
	}
}

// An import that stops goes on where it stopped, and a finished one is not done twice by accident.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var b strings.Builder
	b.WriteString("address\n")
	for n := range 2500 {
		fmt.Fprintf(&b, "reader%d@example.org\n", n)
	}
	sum := sha256.Sum256([]byte(b.String()))
	broken := errors.New("the disk is full")
	run := func(fail int) (*consent.Import, int, error) {
		reader, err := o.reg.NewImportReader("readers.csv", strings.NewReader(b.String()), o.defaults())
		must(t, err)
		i, err := o.reg.StartImport(t.Context(), o.db, "readers.csv", hex.EncodeToString(sum[:]), "channel alertes by email", "test", false)
		if err != nil {
			return nil, 0, err
		}
		told := 0
		err = o.reg.RunImport(t.Context(), &consent.ImportRun{Store: &failing{ImportStore: o.db, after: fail, err: broken}, Import: i, Reader: reader,
			Told: func(consent.ImportRow, consent.Fate, error) error { told++; return nil }})
		return i, told, err
	}
	_, told, err := run(1)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "before row 1001") || told != 1000 {
		t.Fatalf("%d rows, %v", told, err)
	}
	if _, err := o.reg.StartImport(t.Context(), o.db, "readers.csv", hex.EncodeToString(sum[:]), "channel brief by email", "test", false); err == nil ||
		!strings.Contains(err.Error(), "was begun as channel alertes by email") {
		t.Errorf("the rest of it as something else: %v", err)
	}
	i, told, err := run(-1)
	must(t, err)
	if told != 1500 || i.Rows != 2500 || i.Fates[consent.FatePending] != 2500 || i.NewPersons != 2500 || i.State != consent.ImportDone {
		t.Errorf("%d rows in the second run, then %+v", told, i)
	}
	if _, _, err := run(-1); err == nil || !strings.Contains(err.Error(), "add --again") {
		t.Errorf("a finished import: %v", err)
	}
}

// failing is a store whose disk is full after some transactions.
type failing struct {
	consent.ImportStore
	after int
	err   error
}

func (f *failing) Importing(ctx context.Context, do func(consent.ImportTx) error) error {
	if f.after == 0 {
		return f.ImportStore.Importing(ctx, func(tx consent.ImportTx) error {
			if err := do(tx); err != nil {
				return err
			}
			return f.err // what was done is undone
		})
	}
	f.after--
	return f.ImportStore.Importing(ctx, do)
}

// A dry run changes nothing, and says the same.
func TestImportDry(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	text := "address,consented_at,source,wording_version\nlea@example.org" + proven + "\nmax@example.org,,,\n"
	_, dry, err := o.take(text, true)
	must(t, err)
	if o.state("lea@example.org", alertes) != "" {
		t.Error("the dry run made a person")
	}
	_, taken, err := o.take(text, false)
	must(t, err)
	if diff := cmp.Diff(dry, taken); diff != "" {
		t.Errorf("(-dry +taken)\n%s", diff)
	}
}

// A revoked import ends what it made, and leaves alone who has agreed by themselves since.
func TestImportRevoked(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	i, _, err := o.take("address,consented_at,source,wording_version\nlea@example.org"+proven+"\nmax@example.org"+proven+"\nzoe@example.org,,,\n", false)
	must(t, err)
	_, err = o.reg.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "max@example.org"}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self}})
	must(t, err)
	if _, err := o.reg.RevokeImport(t.Context(), o.db, i.ID, "anna", "", nil); sdk.AsError(err).Code != sdk.CodeInvalid {
		t.Errorf("without a reason: %v", err)
	}
	n, err := o.reg.RevokeImport(t.Context(), o.db, i.ID, "anna", "the list was sold to us", nil)
	must(t, err)
	got := []string{o.state("lea@example.org", alertes), o.state("max@example.org", alertes), o.state("zoe@example.org", alertes)}
	if diff := cmp.Diff([]string{"expired", "active", "expired"}, got); diff != "" || n != 2 {
		t.Errorf("%d ended (-want +got)\n%s", n, diff)
	}
	if n, err := o.reg.RevokeImport(t.Context(), o.db, i.ID, "anna", "again", nil); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
}

// TestARevocationOutlivesARestore: a database of before knows the import as done, and honours from the journal that it was
// revoked since. It is no withdrawal by the people: an import with better evidence makes grants again.
func TestARevocationOutlivesARestore(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	i, _, err := o.take("address,consented_at,source,wording_version\nlea@example.org"+proven+"\nmax@example.org"+proven+"\n", false)
	must(t, err)
	before, at := "", o.now
	must(t, o.db.People(t.Context(), func(tx consent.Tx) (err error) { before, err = tx.Mark("withdrawals.applied"); return err }))
	o.now = o.now.Add(time.Minute)
	_, err = o.reg.RevokeImport(t.Context(), o.db, i.ID, "anna", "the list was sold to us", nil)
	must(t, err)
	restore := func() {
		must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
			for id := range consent.PersonID(2) {
				grants, err := tx.Grants(id + 1)
				if err != nil {
					return err
				}
				grants[0].State, grants[0].Changed, grants[0].Since, grants[0].Version = consent.Active, at, at, 1
				if _, err := tx.PutGrant(grants[0]); err != nil {
					return err
				}
			}
			return tx.SetMark("withdrawals.applied", before)
		}))
	}
	restore()
	n, err := o.reg.Replay(t.Context())
	must(t, err)
	if got := []string{o.state("lea@example.org", alertes), o.state("max@example.org", alertes)}; n != 2 || got[0] != "expired" || got[1] != "expired" {
		t.Errorf("%d ended, they are %v", n, got)
	}
	if n, err := o.reg.Replay(t.Context()); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
	o.now = o.now.Add(2 * time.Hour)
	_, out, err := o.take("address,consented_at,source,wording_version\nlea@example.org,"+o.now.Add(-time.Hour).Format(time.RFC3339)+",paper form,v2\n", false)
	if err != nil || out.Sum[consent.FateGranted] != 1 {
		t.Errorf("better evidence: %v %v", out, err)
	}

	// What cannot be journalled is not revoked.
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	defer full.Close()
	restore()
	disk := o.journal.Swap(full)
	if _, err := o.reg.RevokeImport(t.Context(), o.db, i.ID, "anna", "the list was sold to us", nil); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("on a full disk: %v", err)
	}
	o.journal.Swap(disk)
	if got := o.state("max@example.org", alertes); got != "active" {
		t.Errorf("without an entry it is %s", got)
	}
}

// Keys of people are sealed anew with the current master key, and open as before.
func TestReseal(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old := o.master
	fresh, err := consent.ParseKey(consent.NewKey())
	must(t, err)
	var b strings.Builder
	b.WriteString("address\n")
	for n := range 700 {
		fmt.Fprintf(&b, "reader%d@example.org\n", n)
	}
	_, _, err = o.take(b.String(), false)
	must(t, err)
	o.open(fresh, old)
	for i, want := range []struct {
		n    int
		done bool
	}{{500, false}, {200, true}, {0, true}} {
		n, done, err := o.reg.Reseal(t.Context())
		must(t, err)
		if n != want.n || done != want.done {
			t.Errorf("step %d: %d, %v", i, n, done)
		}
	}
	o.open(fresh) // the earlier one may go
	if got := o.state("reader650@example.org", alertes); got != "pending" {
		t.Errorf("the grant is %q", got)
	}
	if _, err := consent.OpenKeys(t.Context(), o.db, old); err == nil {
		t.Error("the database opens without the key that sealed it")
	}
}
