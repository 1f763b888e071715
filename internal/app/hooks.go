package app

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/hook"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/sdk"
)

// newDoor makes the handler of /hooks/NAME: sources that are called, and destinations whose platforms call.
func (a *App) newDoor() *hook.Door {
	return hook.New(hook.Settings{Store: a.db, Hubs: a.hubs, Answered: a.metrics.Answered, Log: a.log, Low: a.low.Load, Other: a.receive,
		Closed: func(name string) bool {
			c, configured := a.Config().Sources[name]
			return configured && a.called(c.Type)
		},
		Retired: func(name string) bool { return slices.Contains(a.Config().Retired, name) },
		Came: func() {
			if m := a.mapper.Load(); m != nil {
				m.Wake()
			}
		},
		Source: func(name string) (hook.Source, bool) {
			c, configured := a.Config().Sources[name]
			i, done, ok := a.sources.acquire(name)
			if !ok {
				return hook.Source{}, false
			}
			receiver, can := sdk.As[sdk.WebhookReceiver](i.conn)
			if !can || !configured {
				done()
				return hook.Source{}, false
			}
			return hook.Source{Receiver: receiver, MaxBody: int64(c.MaxCall), PerSecond: c.Calls, Done: done}, true
		}})
}

// newMapper makes what maps the calls that the door kept.
func (a *App) newMapper() *intake.Mapper {
	var notify func(context.Context, string, sdk.PersonNotice, time.Time) error
	if a.people != nil {
		notify = a.notifyPerson
	}
	return intake.NewMapper(intake.MapperSettings{Notify: notify, Store: a.db, Log: a.log, Deadline: a.Config().Plugins.Deadline.Std(), Committed: a.taken, Missed: a.hubMissed, Mapped: a.metrics.Mapped,
		Instance: func(name string) (intake.Instance, func(), bool) {
			i, done, ok := a.sources.acquire(name)
			if !ok {
				return intake.Instance{}, nil, false
			}
			return intake.Instance{Rules: a.cameBack(name, i.rules), Conn: i.conn}, done, true
		}})
}

// notifyPerson gives one person a notice that came with a webhook, if they agreed to such notices. Who did not is not told of to
// the sender, who learns nothing about a person.
func (a *App) notifyPerson(ctx context.Context, source string, n sdk.PersonNotice, came time.Time) error {
	c, known := a.Config().Notices[n.Notice]
	if !known {
		return sdk.Errorf(sdk.CodeInvalid, "notify", "no notice is called %.60q; configure it under notices:", n.Notice)
	}
	expires := n.Expires
	if expires.IsZero() {
		expires = came.Add(c.Expires.Std())
	}
	if !time.Now().Before(expires) {
		a.log.Info("a notice came too late and is left out", "source", source, "notice", n.Notice)
		return nil
	}
	marked := func(text string) string {
		for name := range n.Slots {
			text = strings.ReplaceAll(text, "{{"+name+"}}", sdk.Slot(name))
		}
		return text
	}
	digest := policy.NoticeDigest(marked(n.Title), marked(n.Text)) // an address with a number of each one's own hides no bulk
	outcome, err := a.people.Notify(ctx, consent.Notify{Purpose: consent.Purpose{Kind: consent.Notice, Name: n.Notice}, Reference: n.Reference, Key: n.Key, Expires: expires,
		Text: consent.NoticeText{Title: n.Title, Text: n.Text, URL: n.URL, Slots: n.Slots}, Digest: hex.EncodeToString(digest[:])})
	if err == nil {
		a.log.Info("a notice came by webhook", "source", source, "notice", n.Notice, "outcome", outcome)
	}
	return err
}
