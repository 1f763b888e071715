package consent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// NoticeText is what a notice says. Text and Title may hold {{name}} where a value of Slots stands.
type NoticeText struct {
	Title string            `json:"title"`
	Text  string            `json:"text"`
	URL   string            `json:"url,omitempty"`
	Slots map[string]string `json:"slots,omitempty"`
}

// Notify is one notice to one person.
type Notify struct {
	Purpose Purpose
	// Reference is what the sender's own system calls the person.
	Reference string
	// Key names what the notice is about: a newer one of the same key takes the place of one that was not sent yet.
	Key     string
	Text    NoticeText
	Expires time.Time
	// Digest identifies the text without the recipient's slots, for the bulk guard.
	Digest string
	// Body is the keyed hash of the whole text; Notify fills it in.
	Body string
}

// Outcomes of Notify. They are the answers to the sender, who learns nothing else about a person.
const (
	NoticeQueued = "queued"
	NoticeKnown  = "known"    // the same was said before, under this key
	NoticeNobody = "no_grant" // nobody of that reference agreed to such notices
)

// NoticeTx keeps notices inside a transaction.
type NoticeTx interface {
	// PutNotice ends the open notice of the same purpose, person and key with its messages, and keeps this one with a message
	// for each of the media.
	// It is false, and nothing is changed, when the newest notice of that key says the same.
	PutNotice(n Notify, p PersonID, sealed []byte, grants []Grant, now time.Time) (bool, error)
}

// Notify keeps a notice and its messages. What it says is sealed under the person's key.
func (r *Registry) Notify(ctx context.Context, n Notify) (outcome string, err error) {
	now := r.now()
	switch {
	case n.Purpose.Kind != Notice || n.Key == "" || n.Reference == "":
		return "", sdk.Errorf(sdk.CodeInvalid, "notice", "a notice needs its name, the person's reference and a key")
	case n.Text.Title == "" && n.Text.Text == "":
		return "", sdk.Errorf(sdk.CodeInvalid, "notice", "the notice says nothing")
	case !now.Before(n.Expires):
		return "", sdk.Errorf(sdk.CodeInvalid, "notice", "the notice has expired already")
	}
	outcome = NoticeNobody
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.SubscriberByExternal(r.s.Keys.Hash("reference", n.Reference))
		p, err := r.load(tx, row, err)
		if found, err := lookedUp(err); err != nil || !found {
			return err
		}
		all, err := tx.Grants(p.row.ID)
		if err != nil {
			return err
		}
		var grants []Grant
		for _, g := range all {
			if g.Purpose == n.Purpose && g.State == Active {
				grants = append(grants, g)
			}
		}
		notices, can := tx.(NoticeTx)
		if len(grants) == 0 || !can {
			return nil
		}
		text, err := json.Marshal(n.Text)
		if err != nil {
			return err
		}
		n.Body = r.s.Keys.Hash("notice "+n.Purpose.Name+" "+n.Key, string(text))
		put, err := notices.PutNotice(n, p.row.ID, p.key.seal("text notice", text), grants, now)
		outcome = NoticeKnown
		if put {
			outcome = NoticeQueued
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return NoticeNobody, nil
	}
	if err == nil && outcome == NoticeQueued {
		r.s.Changed()
	}
	return outcome, err
}

// SetReference says what the sender's own system calls a person, so that notices find them.
func (r *Registry) SetReference(ctx context.Context, id PersonID, reference string) error {
	return r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		p.row.External = ""
		if reference != "" {
			p.row.External = r.s.Keys.Hash("reference", reference)
		}
		return tx.SetSubscriber(p.row)
	})
}
