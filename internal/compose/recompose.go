package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// PostKind says how a post came to be. Append-only.
type PostKind string

// The kinds of posts.
const (
	KindEach   PostKind = "each"
	KindDigest PostKind = "digest"
	KindEditor PostKind = "editor"
)

// PostStatus is where a post stands. Append-only.
type PostStatus string

// The states of posts.
const (
	PostScheduled PostStatus = "scheduled" // an editor's, for later
	PostHeld      PostStatus = "held"      // a blackout holds it for a person
	PostLive      PostStatus = "live"
	PostWithdrawn PostStatus = "withdrawn"
	PostRetracted PostStatus = "retracted" // for good, its text purged
)

// Stale is a post of which an item changed.
type Stale struct {
	Post     int64
	PublicID string
	Channel  string
	Kind     PostKind
	Status   PostStatus
	Revision int
	// Current is the newest revision's content.
	Current Content
	// VisibleAt is when the post was first shown.
	VisibleAt time.Time
	// Items are the items it was made of, in order, as they are now.
	Items []StaleItem
}

// StaleItem is an item of a post as it is now.
type StaleItem struct {
	ID       int64
	Revision int
	State    string
	Reason   string
	Content  sdk.Item
	// NotBefore is an embargo that a revision may have brought.
	NotBefore time.Time
}

// Revise is a new revision of a post, or the finding that none is needed.
type Revise struct {
	Post int64
	// On is the revision it was decided on.
	On int
	// Items are the items' revisions it was decided on.
	Items []StaleItem
	// Content of the new revision; nil when nothing changes.
	Content *Content
	Status  PostStatus
	// Until is when an embargo on what an item says now ends, and the post is to be made anew again; zero when there is none.
	Until time.Time
}

// Recompose makes a post anew from its items as they are now. It is pure.
//
// A withdrawn item withdraws its post, or leaves a digest; a digest without items is withdrawn. An item that comes back
// brings its post back. What an item says under an embargo is in no post before the embargo's end: until then the post
// says what it said.
func (p *Program) Recompose(s Stale, now time.Time) Revise {
	r := Revise{Post: s.Post, On: s.Revision, Items: s.Items, Status: s.Status}
	if s.Status == PostRetracted || s.Kind == KindEditor {
		return r
	}
	ch, _ := p.target(s.Channel, "", "")
	var c Content
	switch s.Kind {
	case KindEach:
		if len(s.Items) == 0 {
			return r
		}
		it := s.Items[0]
		if it.State != "live" {
			c = withdrawn(s.Current, it.Reason)
			break
		}
		if it.NotBefore.After(now) {
			r.Until = it.NotBefore
			return r
		}
		if it.emptied() {
			return r
		}
		c = ItemContent(it.Content, ch.Lang, ch.Config.Content == "full")
	case KindDigest:
		c, r.Until = p.recomposeDigest(s, now)
		r.Items = slices.DeleteFunc(slices.Clone(s.Items), func(it StaleItem) bool { return it.embargoed(now) })
	}
	status := PostLive
	if c.Withdrawn {
		status = PostWithdrawn
	}
	if s.Status == PostHeld || s.Status == PostScheduled {
		status = s.Status
	}
	if status == s.Status && (sameContent(c, s.Current) || c.Withdrawn && s.Current.Withdrawn) {
		return r // that it is gone for another reason changes nothing
	}
	r.Content, r.Status = &c, status
	return r
}

func (it StaleItem) embargoed(now time.Time) bool {
	return it.State == "live" && it.NotBefore.After(now)
}

// EmptyItem is what is kept of an old item: what it is called by, and nothing that a post is made of.
func EmptyItem(it sdk.Item) sdk.Item { return sdk.Item{Title: it.Title, URL: it.URL} }

// emptied says that the item's content was pruned: what a post says of it stands.
func (it StaleItem) emptied() bool { return it.State == "live" && it.Content.Key == "" }

// recomposeDigest keeps the entries whose items are live, as they are now, or as they were while an embargo lasts, of which
// it gives the earliest end.
func (p *Program) recomposeDigest(s Stale, now time.Time) (c Content, until time.Time) {
	var entries []Entry
	var notes, gone []string
	for _, it := range s.Items {
		if it.State != "live" {
			gone = append(gone, it.Reason)
			continue
		}
		if it.embargoed(now) || it.emptied() {
			if it.embargoed(now) {
				until = sooner(until, it.NotBefore)
			}
			if i := slices.IndexFunc(s.Current.Entries, func(e Entry) bool { return e.Item == it.ID }); i >= 0 {
				entries = append(entries, s.Current.Entries[i])
			}
			continue
		}
		e := itemEntry(it.ID, it.Content)
		if it.Content.Correction != "" && !strings.Contains(s.Current.Note, it.Content.Correction) {
			notes = append(notes, it.Content.Correction)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return withdrawn(s.Current, strings.Join(gone, "; ")), until
	}
	c = digestContent(s.Current.Lang, s.Current.Title, entries)
	c.Note, c.Published = s.Current.Note, s.Current.Published
	if len(notes) > 0 {
		c.Note = strings.Join(notes, " ")
	}
	return c, until
}

// withdrawn is the content of a post that was taken back. Its title stays in the record, and is shown nowhere.
func withdrawn(c Content, reason string) Content {
	return Content{Lang: c.Lang, Title: c.Title, URL: c.URL, Published: c.Published, Withdrawn: true, Reason: reason}
}

func sameContent(a, b Content) bool {
	ja, errA := json.Marshal(a)
	jb, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(ja, jb)
}

func itemName(id int64) string { return fmt.Sprintf("item %d", id) }
