package bot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
)

// What a button carries: the version of this form, a verb, and what it is about, parted by "|". It is at most 64 bytes,
// holds no text and no secret, and is believed in nothing: whoever sends it can only do what they could do by a command.
// Names are shortened to digests, which are looked up among what exists now, so that one that has gone is found stale.
const version = "1"

// The verbs are append-only within a version.
const (
	verbChannels = "c" // show what can be followed, from an index on
	verbShow     = "s" // show one offer
	verbFollow   = "f" // follow: offer, digest of the wording that was read
	verbLeave    = "l" // leave one offer
	verbStop     = "x" // leave everything
	verbTopics   = "t" // topics of an offer; with a topic, toggle it
	verbDigest   = "d" // when an offer's messages come; with a choice, make it
	verbBreaking = "b" // let urgent posts come in quiet hours, or not
	verbQuiet    = "q" // quiet hours, such as 2200-0700
	verbPause    = "p" // pause
	verbLang     = "g" // language
	verbForget   = "e" // erase, confirmed, until a time
	verbMyData   = "m"
	verbStaff    = "S" // an act of staff, confirmed
	verbDrop     = "N" // an act of staff, given up
	verbRelease  = "r" // ask to release a source, or to drop what it holds
	verbSettle   = "u" // ask to settle an unknown
)

// data writes what a button carries.
func data(verb string, args ...string) string {
	return strings.Join(append([]string{version, verb}, args...), "|")
}

// short is a digest of a name or text that is long enough to tell those of one newsroom apart.
func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

func offerID(p consent.Purpose) string { return short(p.String()) }

// offerOf finds the offer that a button is about.
func (t *turn) offerOf(id string) (consent.Offer, bool) {
	for _, o := range t.offers() {
		if offerID(o.Purpose) == id {
			return o, true
		}
	}
	return consent.Offer{}, false
}

// pressed handles a button. One that is not understood, of a version that is gone or about something that is, gets a polite
// answer.
func (t *turn) pressed(ctx context.Context) (Reply, error) {
	parts := strings.Split(t.event.Data, "|")
	if len(parts) < 2 || parts[0] != version {
		return t.stale(), nil
	}
	verb, args := parts[1], slices.Concat(parts[2:], []string{"", ""}) // so that two can always be read
	switch verb {
	case verbChannels:
		return t.channels(ctx, args[0])
	case verbStop:
		return t.stop(ctx, nil)
	case verbQuiet:
		return t.quiet(ctx, args[0])
	case verbPause:
		return t.pause(ctx, args[0])
	case verbLang:
		return t.lang(ctx, args[0])
	case verbForget:
		return t.forgetNow(ctx, args[0])
	case verbMyData:
		return t.myData(ctx, "")
	case verbStaff, verbDrop, verbRelease, verbSettle:
		return t.staffPressed(ctx, verb, args)
	}
	o, ok := t.offerOf(args[0])
	if !ok {
		return t.stale(), nil
	}
	switch verb {
	case verbShow:
		return t.show(o), nil
	case verbFollow:
		return t.follow(ctx, o, args[1])
	case verbLeave:
		return t.stop(ctx, &o)
	case verbTopics:
		return t.topic(ctx, o, args[1])
	case verbDigest:
		return t.when(ctx, o, args[1])
	case verbBreaking:
		return t.breaking(ctx, o, args[1])
	}
	return t.stale(), nil
}

// stale answers to a button whose time is over.
func (t *turn) stale() Reply {
	p := &page{}
	p.say(t.words.Text("bot.stale"))
	p.button(t.words.Text("bot.button.channels"), data(verbChannels))
	return t.reply(p)
}
