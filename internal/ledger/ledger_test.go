package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// The values of RFC 6962's tree for the entries "a", "b" and "c".
func TestTree(t *testing.T) {
	t.Parallel()
	want := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c",
		"b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb",
		"36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1",
	}
	var tr tree
	for i, entry := range []string{"", "a", "b", "c"} {
		if i > 0 {
			tr.add(tlog.RecordHash([]byte(entry)))
		}
		root := tr.root()
		if got := hex.EncodeToString(root[:]); got != want[i] {
			t.Errorf("root of size %d: %s, want %s", i, got, want[i])
		}
	}
}

// The growing tree does as tlog does, from any size on.
func TestTreeGrowsAsTlogDoes(t *testing.T) {
	t.Parallel()
	var stored []tlog.Hash
	r := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	var tr tree
	for n := range int64(200) {
		again, err := grown(n, r)
		if err != nil {
			t.Fatal(err)
		}
		if TreeSize(int64(len(stored))-1) != n {
			t.Fatalf("%d hashes are a tree of %d, want %d", len(stored), TreeSize(int64(len(stored))-1), n)
		}
		leaf := tlog.RecordHash([]byte{byte(n)})
		want, err := tlog.StoredHashesForRecordHash(n, leaf, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tr.add(leaf)); diff != "" {
			t.Fatalf("size %d:\n%s", n, diff)
		}
		if diff := cmp.Diff(want, again.add(leaf)); diff != "" {
			t.Fatalf("grown from size %d:\n%s", n, diff)
		}
		stored = append(stored, want...)
		root, err := tlog.TreeHash(n+1, r)
		if err != nil || tr.root() != root || again.root() != root {
			t.Fatalf("root of %d: %s and %s, want %s (%v)", n+1, tr.root(), again.root(), root, err)
		}
	}
}

// Two events have the same bytes only when they are the same event.
func TestBytesAreUnambiguous(t *testing.T) {
	t.Parallel()
	event := rapid.Custom(func(t *rapid.T) Event {
		small := rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00", "a\x00\x00\x00\x00\x00\x00\x00\x01b"})
		at := rapid.Int64Range(-3, 3)
		return Event{ID: at.Draw(t, "id"), At: time.Unix(at.Draw(t, "s"), rapid.Int64Range(0, 3).Draw(t, "ns")), Recorded: time.Unix(at.Draw(t, "recorded"), 0),
			Person: at.Draw(t, "person"), Kind: small.Draw(t, "kind"), Data: []byte(small.Draw(t, "data"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := event.Draw(t, "a"), event.Draw(t, "b")
		same := a.ID == b.ID && a.At.Equal(b.At) && a.Recorded.Equal(b.Recorded) && a.Person == b.Person && a.Kind == b.Kind && bytes.Equal(a.Data, b.Data)
		if bytes.Equal(a.Bytes(), b.Bytes()) != same {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
	// What is sealed today is verified in ten years.
	got := Event{ID: 1, At: time.Unix(2, 3), Recorded: time.Unix(4, 5), Person: 6, Kind: "k", Data: []byte("d")}.Digest()
	if want := "ced7352d9543cccffd3f713f3b871b9127245917df4e305bc7807132628bb58f"; hex.EncodeToString(got[:]) != want {
		t.Errorf("the bytes of events have changed: %s", hex.EncodeToString(got[:]))
	}
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	_, others := key(t, 'b')
	c := Checkpoint{Origin: origin, Size: 3, Root: tlog.RecordHash([]byte("x"))}
	text, err := c.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(text, origin, keys); err != nil || got != c {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := Open(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), origin, keys); err != nil || got != c {
		t.Errorf("by mail, with CRLF: %+v, %v", got, err)
	}
	more, err := note.Sign(&note.Note{Text: c.Text() + "an extension\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(more, origin, keys); err != nil || got != c {
		t.Errorf("with an extension: %+v, %v", got, err)
	}
	if _, err := (Checkpoint{Origin: "another"}).Sign(signer); err == nil {
		t.Error("a key signs for another log")
	}
	resigned := func(text string) []byte {
		out, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, bad := range map[string]struct {
		text []byte
		keys note.Verifiers
		want string
	}{
		"another key":      {text, others, "not this ledger's"},
		"another size":     {bytes.Replace(text, []byte("\n3\n"), []byte("\n4\n"), 1), keys, "do not belong together"},
		"nothing":          {nil, keys, "no signed checkpoint"},
		"a letter":         {[]byte("Dear auditor,\n"), keys, "no signed checkpoint"},
		"another log":      {resigned(strings.Replace(c.Text(), origin, "other", 1)), keys, `the log "other"`},
		"a line less":      {resigned(origin + "\n3\n"), keys, "2 lines"},
		"a size of 03":     {resigned(strings.Replace(c.Text(), "\n3\n", "\n03\n", 1)), keys, `"03" is no size`},
		"a negative size":  {resigned(strings.Replace(c.Text(), "\n3\n", "\n-3\n", 1)), keys, `"-3" is no size`},
		"a root too short": {resigned(origin + "\n3\nAAAA\n"), keys, `"AAAA" is no root`},
	} {
		if _, err := Open(bad.text, origin, bad.keys); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v, want %q in it", name, err, bad.want)
		}
	}
}

// FuzzOpen: what opens says again what was signed.
func FuzzOpen(f *testing.F) {
	signer, keys := key(f, 'a')
	text, err := Checkpoint{Origin: origin, Size: 3}.Sign(signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(origin + "\n3\n\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Open(text, origin, keys)
		if err == nil && !bytes.HasPrefix(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte(c.Text())) {
			t.Errorf("%q opens as %+v", text, c)
		}
		if p, err := parse(string(text), origin); err == nil && !strings.HasPrefix(string(text), p.Text()) {
			t.Errorf("%q is read as %+v", text, p)
		}
	})
}

func TestASoundLog(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	for _, n := range []int{0, 1, 2, 7, 8, 600} {
		var sizes []int
		if n > 0 {
			sizes = []int{(n + 1) / 2, n}
		}
		if n == 1 {
			sizes = []int{1}
		}
		m := filled(t, signer, n, 2, sizes...)
		var outside [][]byte
		for _, c := range m.checkpoints {
			outside = append(outside, c.Text)
		}
		r, err := Verify(t.Context(), m, origin, keys, outside...)
		if err != nil || r.First != nil {
			t.Fatalf("%d events: %+v, %+v, %v", n, r, r.First, err)
		}
		want := Report{Sealed: int64(n), Tail: 2, Root: r.Root, Agreeing: 2 * len(sizes), Signed: int64(n)}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("%d events:\n%s", n, diff)
		}
	}
}

// Who is erased has no key any more; the events stay as they are, and so does the proof.
func TestErasure(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	m, secret := &memory{}, map[int64]byte{7: 0x5a}
	seal := func(plain string) []byte { // stands for encryption under the person's key
		out := []byte(plain)
		for i := range out {
			out[i] ^= secret[7]
		}
		return out
	}
	m.append(Event{At: dawn, Recorded: dawn, Person: 7, Kind: "grant.confirmed", Data: seal(`{"where":"/follow/alertes"}`)})
	s := NewSealer(Settings{Store: m, Node: "a", Signer: signer})
	if err := s.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	delete(secret, 7)
	m.append(Event{At: dawn, Recorded: dawn, Person: 7, Kind: "person.erased"})
	if err := s.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(t.Context(), m, origin, keys, m.checkpoints[0].Text)
	if err != nil || r.First != nil || r.Sealed != 2 || bytes.Contains(m.events[0].Data, []byte("alertes")) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatCannotBeVerified(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	m := filled(t, signer, 3, 0, 3)
	if _, err := Verify(t.Context(), m, origin, keys, []byte("a letter\n")); err == nil || !strings.Contains(err.Error(), "checkpoint 1 of those given") {
		t.Errorf("a checkpoint that is none: %v", err)
	}
	m.fail = errors.New("the disk is gone")
	if _, err := Verify(t.Context(), m, origin, keys); !errors.Is(err, m.fail) {
		t.Errorf("a store that fails: %v", err)
	}
}
