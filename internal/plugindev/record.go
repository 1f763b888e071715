package plugindev

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// recorder notes the calls of a connector and what they gave. It passes every ability on that crosses to a process.
type recorder struct {
	sdk.Connector
	journal *journal
	reader  *reader
}

// As implements the look-up of sdk.As.
func (r *recorder) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Source:
		return passed(r, t, func(c sdk.Source) sdk.Source { return recordedSource{c, r.journal} })
	case *sdk.Checker:
		return passed(r, t, func(c sdk.Checker) sdk.Checker { return recordedChecker{c, r.journal} })
	case *sdk.WebhookReceiver:
		return passed(r, t, func(c sdk.WebhookReceiver) sdk.WebhookReceiver { return recordedWebhook{c, r.journal} })
	case *sdk.Resolver:
		return passed(r, t, func(c sdk.Resolver) sdk.Resolver { return recordedResolver{c, r.journal} })
	case *sdk.Publisher:
		return passed(r, t, func(c sdk.Publisher) sdk.Publisher { return recordedPublisher{c, r.journal} })
	case *sdk.Editor:
		return passed(r, t, func(c sdk.Editor) sdk.Editor { return recordedEditor{c, r.journal} })
	case *sdk.Deleter:
		return passed(r, t, func(c sdk.Deleter) sdk.Deleter { return recordedDeleter{c, r.journal} })
	case *sdk.Finder:
		return passed(r, t, func(c sdk.Finder) sdk.Finder { return recordedFinder{c, r.journal} })
	case *sdk.Messenger:
		return passed(r, t, func(c sdk.Messenger) sdk.Messenger { return recordedMessenger{c, r} })
	case *sdk.Receiver:
		return passed(r, t, func(c sdk.Receiver) sdk.Receiver { return recordedReceiver{c, r.journal} })
	case *sdk.Listener:
		return passed(r, t, func(c sdk.Listener) sdk.Listener { return recordedListener{c, r.journal} })
	case *sdk.MessageLimiter:
		return passed(r, t, func(c sdk.MessageLimiter) sdk.MessageLimiter {
			return recordedLimiter{recordedMessenger{c, r}, c.MessageLimits}
		})
	}
	return false
}

func passed[T any](r *recorder, target *T, wrap func(T) T) bool {
	ability, ok := sdk.As[T](r.Connector)
	if ok {
		*target = wrap(ability)
	}
	return ok
}

// note notes a call that ends now, and says what came of it.
func (j *journal) note(begun time.Time, op, of string, err error, detail, gave string) (code, said string) {
	c := Call{At: begun, Took: time.Since(begun), Op: op, Of: of, Gave: gave, Detail: detail}
	if err != nil {
		e := sdk.AsError(err)
		c.Code, c.Gave = string(e.Code), e.Public
		if c.Gave == "" {
			c.Gave = err.Error()
		}
		if e.RetryAfter > 0 {
			c.Gave += fmt.Sprintf(" (again after %s)", e.RetryAfter)
		}
	}
	j.called(c)
	return c.Code, c.Gave
}

// batch notes what a fetch gave, and says it in words.
func (j *journal) batch(b sdk.Batch) string {
	for _, it := range b.Items {
		content, err := json.Marshal(it)
		if err != nil {
			content = fmt.Append(nil, it)
		}
		sum := sha256.Sum256(content)
		j.saw(Item{Key: it.Key, Title: it.Title, URL: it.URL, At: time.Now(), mark: hex.EncodeToString(sum[:])})
	}
	for _, r := range b.Removed {
		j.saw(Item{Key: r.Key, At: time.Now(), Removed: true, Reason: r.Reason})
	}
	var words []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			words = append(words, "1 "+one)
		case n > 1:
			words = append(words, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(len(b.Items), "item", "items")
	add(len(b.Removed), "removed", "removed")
	add(len(b.Notices), "notice", "notices")
	if b.Complete {
		words = append(words, "complete")
	}
	if b.More {
		words = append(words, "more at once")
	}
	if len(words) == 0 {
		words = append(words, "nothing new")
	}
	return strings.Join(words, ", ") + "; " + cursor(b.Next)
}

// cursor shows a cursor as far as it can be read.
func cursor(c sdk.Cursor) string {
	if len(c) == 0 {
		return "no cursor"
	}
	return fmt.Sprintf("cursor %s", short(fmt.Sprintf("%q", c), 40))
}

// short is a text on one line, and no longer than that.
func short(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// readable is a request as a person reads it.
func readable(part sdk.Part) string {
	var b bytes.Buffer
	if strings.Contains(part.Type, "json") && json.Indent(&b, part.Request, "", "  ") == nil {
		return part.Kind + "\n" + b.String()
	}
	return part.Kind + "\n" + strings.ToValidUTF8(string(part.Request), "\uFFFD")
}

func refOf(r sdk.PartRef) string {
	return "id " + strings.Join(r.IDs, ", ")
}

type recordedSource struct {
	sdk.Source
	j *journal
}

func (r recordedSource) Fetch(ctx context.Context, req sdk.FetchRequest) (sdk.Batch, error) {
	begun := time.Now()
	b, err := r.Source.Fetch(ctx, req)
	gave, notices := "", strings.Join(b.Notices, "\n")
	if err == nil {
		gave = r.j.batch(b)
	}
	r.j.note(begun, "Fetch", "from "+cursor(req.Cursor), err, notices, gave)
	return b, err
}

type recordedChecker struct {
	sdk.Checker
	j *journal
}

func (r recordedChecker) CheckItems(ctx context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	begun := time.Now()
	out, err := r.Checker.CheckItems(ctx, items)
	gone := 0
	for _, p := range out {
		if p.State == sdk.PresenceGone {
			gone++
		}
	}
	r.j.note(begun, "CheckItems", fmt.Sprintf("%d items", len(items)), err, "", fmt.Sprintf("%d gone", gone))
	return out, err
}

type recordedWebhook struct {
	sdk.WebhookReceiver
	j *journal
}

func (r recordedWebhook) Verify(ctx context.Context, req sdk.WebhookRequest) (sdk.Verdict, error) {
	begun := time.Now()
	v, err := r.WebhookReceiver.Verify(ctx, req)
	r.j.note(begun, "Verify", fmt.Sprintf("%d bytes", len(req.Body)), err, "", fmt.Sprintf("accepted %t, answer %d", v.Accept, v.Reply.Status))
	return v, err
}

func (r recordedWebhook) Map(ctx context.Context, req sdk.WebhookRequest) (sdk.Batch, error) {
	begun := time.Now()
	b, err := r.WebhookReceiver.Map(ctx, req)
	gave := ""
	if err == nil {
		gave = r.j.batch(b)
	}
	r.j.note(begun, "Map", fmt.Sprintf("%d bytes", len(req.Body)), err, "", gave)
	return b, err
}

type recordedResolver struct {
	sdk.Resolver
	j *journal
}

func (r recordedResolver) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	begun := time.Now()
	ref, limits, err := r.Resolver.ResolveChannel(ctx, name)
	r.j.note(begun, "ResolveChannel", fmt.Sprintf("%q", name), err, "", fmt.Sprintf("%s, id %s", ref.Title, ref.ID))
	return ref, limits, err
}

type recordedPublisher struct {
	sdk.Publisher
	j *journal
}

func (r recordedPublisher) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	begun := time.Now()
	parts, err := r.Publisher.Plan(to, p)
	var detail []string
	for _, part := range parts {
		detail = append(detail, readable(part))
	}
	gave := fmt.Sprintf("%d parts", len(parts))
	if len(parts) == 1 {
		gave = "1 part"
	}
	r.j.note(begun, "Plan", fmt.Sprintf("%s, revision %d, %s", short(p.Title, 60), p.Revision, p.State), err, strings.Join(detail, "\n\n"), gave)
	return parts, err
}

func (r recordedPublisher) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	begun := time.Now()
	ref, err := r.Publisher.Publish(ctx, to, part)
	of := short(part.Text, 60)
	if n := len(part.Files); n > 0 {
		of += fmt.Sprintf(" (%d files)", n)
	}
	if part.ReplyTo != nil {
		of += " in answer to " + refOf(*part.ReplyTo)
	}
	r.j.note(begun, "Publish", of, err, readable(part), refOf(ref))
	return ref, err
}

type recordedEditor struct {
	sdk.Editor
	j *journal
}

func (r recordedEditor) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	begun := time.Now()
	after, err := r.Editor.Edit(ctx, ref, part)
	r.j.note(begun, "Edit", refOf(ref)+": "+short(part.Text, 60), err, readable(part), refOf(after))
	return after, err
}

type recordedDeleter struct {
	sdk.Deleter
	j *journal
}

func (r recordedDeleter) Delete(ctx context.Context, ref sdk.PartRef) error {
	begun := time.Now()
	err := r.Deleter.Delete(ctx, ref)
	r.j.note(begun, "Delete", refOf(ref), err, "", "done")
	return err
}

type recordedFinder struct {
	sdk.Finder
	j *journal
}

func (r recordedFinder) Find(ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	begun := time.Now()
	ref, found, err := r.Finder.Find(ctx, to, key)
	gave := "not there"
	if found {
		gave = refOf(ref)
	}
	r.j.note(begun, "Find", "key "+short(key, 16), err, "", gave)
	return ref, found, err
}
