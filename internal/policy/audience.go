package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Brake lets the first messages to a new audience through, and no more until somebody has looked at what came back. An
// audience is new after an import into the channel, and after a jump (see Jump).
type Brake struct {
	// New says that the person belongs to a new audience that nobody has released.
	New bool
	// Sent counts the messages to that audience that were started; First is how many go before the rest is held.
	Sent, First int
}

// Holds reports whether the brake holds the next message.
func (b Brake) Holds() bool { return b.New && b.Sent >= b.First }

// Jump says which growth of a channel between two of its posts is no longer its everyday.
type Jump struct {
	// Times is the growth that counts, such as 2; Least is a number of new people below which none does.
	Times float64
	Least int
}

// New reports whether a channel that reached so many people with its last post, and has so many now, has jumped.
func (j Jump) New(before, now int) bool {
	return now-before >= max(j.Least, 1) && float64(now) >= j.Times*float64(before)
}

// Guard is the bulk guard's count for one notice.
type Guard struct {
	// Others counts the other people who were sent a notice of the same digest within the window, or wait for one.
	Others int
	// Limit is bulk_guard.same_body: the most people who get the same. A limit of 0 holds every notice.
	Limit int
	// Released says that somebody of the house has looked at this text and let it go.
	Released bool
}

// Holds reports whether the guard holds the notice, and with it the lane of notices.
func (g Guard) Holds() bool { return !g.Released && g.Others+1 > g.Limit }

// The noncharacters around a slot's name (see sdk.Slot).
const (
	slotOpen  = '\ufdd0'
	slotClose = '\ufdd1'
)

// NoticeDigest identifies what a notice says to everybody: its texts (title, body, buttons…) before they are filled, with
// the recipient's slots blanked and nothing else. Numbers and names outside of slots make another text. Case, accents,
// spaces and characters without a shape make no other, so that they hide no bulk.
func NoticeDigest(texts ...string) [sha256.Size]byte {
	h := sha256.New()
	for _, t := range texts {
		t = blank(t)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(t))))
		h.Write([]byte(t))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// blank puts one mark in the place of each slot, and writes the rest in one way.
func blank(text string) string {
	var b strings.Builder
	space := false
	text = norm.NFKD.String(text)
	for text != "" {
		r, n := utf8.DecodeRuneInString(text)
		if r == slotOpen {
			if end := strings.IndexRune(text, slotClose); end >= 0 {
				r, n = slotOpen, end+utf8.RuneLen(slotClose)
			}
		}
		text = text[n:]
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case unicode.In(r, unicode.Cf, unicode.Cc, unicode.Mn):
			continue
		case space && b.Len() > 0:
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
