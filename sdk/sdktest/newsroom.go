package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Newsroom is a source in memory: what is put into it is fetched, checked and received from it. It may be used from
// several goroutines.
type Newsroom struct {
	faults

	mu      sync.Mutex
	entries []entry
	seq     int
}

type entry struct {
	seq     int
	item    sdk.Item
	removed bool
}

// Put publishes an item, or a new revision of it.
func (n *Newsroom) Put(items ...sdk.Item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, it := range items {
		n.set(it, false)
	}
}

// Remove withdraws an item; the next fetch says so.
func (n *Newsroom) Remove(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.set(sdk.Item{Key: key}, true)
}

func (n *Newsroom) set(it sdk.Item, removed bool) {
	n.seq++
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.item.Key == it.Key })
	n.entries = append(n.entries, entry{n.seq, it, removed})
}

// NewsroomConfig is the configuration of a Newsroom's source.
type NewsroomConfig struct {
	Token sdk.Secret `yaml:"token" required:"true" doc:"The credential; any will do."`
	Page  int        `yaml:"page" min:"1" doc:"How many items one fetch gives."`
}

// Spec declares the source: sdk.Source, sdk.Checker and sdk.WebhookReceiver over the items of the newsroom.
func (n *Newsroom) Spec() *sdk.Spec {
	return sdk.Define("newsroom", "a newsroom in memory, for tests", NewsroomConfig{Page: 20},
		func(_ context.Context, s sdk.Settings, c NewsroomConfig) (*newsroomSource, error) {
			return &newsroomSource{room: n, config: c, settings: s}, nil
		})
}

type newsroomSource struct {
	room     *Newsroom
	config   NewsroomConfig
	settings sdk.Settings
}

// Fetch implements sdk.Source. Its cursor is the number of the last change that it gave.
func (s *newsroomSource) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	if err := s.room.meet(ctx, "fetch"); err != nil {
		return sdk.Batch{}, err
	}
	from := 0
	if len(r.Cursor) > 0 && json.Unmarshal(r.Cursor, &from) != nil {
		return sdk.Batch{Reset: true, More: true}, nil
	}
	if r.Force {
		from = 0
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	b := sdk.Batch{Next: sdk.Cursor(fmt.Sprint(from)), About: sdk.About{Title: "Newsroom"}}
	for _, e := range s.room.entries {
		if e.seq <= from {
			continue
		}
		if len(b.Items)+len(b.Removed) == s.config.Page {
			b.More = true
			break
		}
		if e.removed {
			b.Removed = append(b.Removed, sdk.Removal{Key: e.item.Key, Reason: "withdrawn by the newsroom", At: r.Now})
		} else {
			b.Items = append(b.Items, e.item)
		}
		b.Next = sdk.Cursor(fmt.Sprint(e.seq))
	}
	b.Unchanged = len(b.Items)+len(b.Removed) == 0 && !r.Force
	return b, nil
}

// CheckItems implements sdk.Checker.
func (s *newsroomSource) CheckItems(ctx context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	if err := s.room.meet(ctx, "check items"); err != nil {
		return nil, err
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	out := make([]sdk.Presence, len(items))
	for i, ref := range items {
		out[i] = sdk.Presence{State: sdk.PresenceUnknown, Reason: "never heard of it"}
		for _, e := range s.room.entries {
			switch {
			case e.item.Key != ref.Key:
			case e.removed:
				out[i] = sdk.Presence{State: sdk.PresenceGone, Reason: "withdrawn by the newsroom"}
			default:
				out[i] = sdk.Presence{State: sdk.PresenceThere}
			}
		}
	}
	return out, nil
}

// Verify implements sdk.WebhookReceiver: the header Token carries the credential, Delivery the delivery's id.
func (s *newsroomSource) Verify(ctx context.Context, r sdk.WebhookRequest) (sdk.Verdict, error) {
	if err := s.room.meet(ctx, "verify"); err != nil {
		return sdk.Verdict{}, err
	}
	if !slices.Contains(r.Header["Token"], s.config.Token.Reveal()) {
		return sdk.Verdict{Reply: sdk.WebhookReply{Status: 401, Body: []byte("no valid token\n")}}, nil
	}
	v := sdk.Verdict{Accept: true, Reply: sdk.WebhookReply{Status: 202}}
	if ids := r.Header["Delivery"]; len(ids) > 0 {
		v.DeliveryID = ids[0]
	}
	return v, nil
}

// Map implements sdk.WebhookReceiver: the body is an item in JSON.
func (s *newsroomSource) Map(ctx context.Context, r sdk.WebhookRequest) (sdk.Batch, error) {
	if err := s.room.meet(ctx, "map"); err != nil {
		return sdk.Batch{}, err
	}
	var it struct {
		Key   string `json:"key"`
		Title string `json:"title"`
		URL   string `json:"url"`
	}
	if err := json.Unmarshal(r.Body, &it); err != nil || it.Key == "" {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, "map", "the body is no item")
	}
	return sdk.Batch{Items: []sdk.Item{{Key: it.Key, Title: it.Title, URL: it.URL, Updated: r.ReceivedAt}}}, nil
}

// Close implements sdk.Connector.
func (s *newsroomSource) Close(context.Context) error { return nil }

// faults is what can go wrong with something in memory.
type faults struct {
	mu     sync.Mutex
	broken *sdk.Error
	stall  chan struct{}
}

// Break makes every call fail with an error until restore is called; nil means CodeUnavailable.
func (f *faults) Break(err *sdk.Error) (restore func()) {
	if err == nil {
		err = sdk.Errorf(sdk.CodeUnavailable, "", "the other side is out of order")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.broken = nil
	}
}

// Stall makes every call wait for its context, or until restore is called.
func (f *faults) Stall() (restore func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stall := make(chan struct{})
	f.stall = stall
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stall = nil
		close(stall)
	}
}

// meet is what each call meets before it does anything.
func (f *faults) meet(ctx context.Context, op string) error {
	f.mu.Lock()
	broken, stall := f.broken, f.stall
	f.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return sdk.Errorf(sdk.CodeUnavailable, op, "the call was given up: %w", context.Cause(ctx))
	}
	if broken == nil {
		return nil
	}
	e := *broken
	e.Op = op
	return &e
}

// SampleItem is an item of the kind that newsrooms publish.
func SampleItem(key string) sdk.Item {
	at := time.Date(2026, 3, 29, 4, 30, 0, 0, time.UTC)
	return sdk.Item{Key: key, Title: "Incendie à la gare (" + key + ")", Summary: "Le trafic est interrompu.",
		Body: sdk.Body{sdk.Paragraph(sdk.Text("Le trafic est "), sdk.Strong(sdk.Text("interrompu")), sdk.Text(".")),
			sdk.Paragraph(sdk.Link("https://news.example/direct", sdk.Text("Suivre en direct")))},
		URL: "https://news.example/a/" + key, Authors: []sdk.Author{{Name: "A. Bé"}}, Tags: []string{"alerte"}, Lang: "fr",
		Media:     []sdk.Media{{URL: "https://news.example/i/" + key + ".jpg", Type: "image/jpeg", Alt: "La gare", Width: 1200, Height: 800}},
		Published: at, Updated: at, Urgency: 2}
}
