package telegram_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
)

var ignoreTimes = cmpopts.IgnoreFields(telegramtest.Message{}, "Date", "Edited", "Deleted", "HTML", "Raw", "Mode")

func TestPublishText(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), map[string]any{"silent": true, "protect": true, "link_preview": "small"})
	ref := b.publish(t, article("Incendie <à> la gare"))
	want := []telegramtest.Message{{ID: 1, Text: "Incendie <à> la gare\n\nLire la suite", Silent: true, Protected: true,
		Preview: telegramtest.LinkPreview{Small: true}}}
	if diff := cmp.Diff(want, b.server.Messages(gazette), ignoreTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sdk.PartRef{IDs: []string{"1"}, URL: "https://t.me/gazette/1"}, ref, cmpopts.IgnoreFields(sdk.PartRef{}, "State")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPublishPhoto(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), map[string]any{"caption_above": true})
	b.publish(t, article("Titre", "one.png"))
	want := []telegramtest.Message{{ID: 1, Text: "Titre\n\nLire la suite", Above: true,
		Photo: &telegramtest.Photo{SHA256: sum(picture("one.png")), Width: 12, Height: 8}}}
	if diff := cmp.Diff(want, b.server.Messages(gazette), ignoreTimes, cmpopts.IgnoreFields(telegramtest.Photo{}, "Path")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPublishAlbum(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	ref := b.publish(t, article("Titre", "one.png", "two.png", "three.png"))
	got := b.server.Messages(gazette)
	if len(got) != 3 || got[0].Text != "Titre\n\nLire la suite" || got[1].Text != "" || got[0].Album == "" || got[0].Album != got[2].Album {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, ref.IDs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(ref.State) > sdk.MaxPartState {
		t.Errorf("the state has %d bytes", len(ref.State))
	}
}

func TestPublishAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	first := b.publish(t, article("un"))
	answer := b.plan(t, article("deux"), 1)[0]
	answer.ReplyTo = &first
	if _, err := b.Publish(t.Context(), b.to, answer); err != nil {
		t.Fatal(err)
	}
	b.server.Remove(gazette, 1)
	if _, err := b.Publish(t.Context(), b.to, answer); err != nil {
		t.Fatalf("an answer to a post that was deleted by hand: %v", err)
	}
	got := b.server.Messages(gazette)
	if len(got) != 2 || got[0].ReplyTo != 1 || got[1].ReplyTo != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestPublishAddresses(t *testing.T) {
	t.Parallel()
	for chat, want := range map[string]string{"-1002": "https://t.me/c/2/1", "@lecteurs": "https://t.me/lecteurs/1", "-10": ""} {
		b := unresolved(t, telegramtest.Options{Chats: chats()}, nil)
		var err error
		if b.to, _, err = b.ResolveChannel(t.Context(), chat); err != nil {
			t.Fatal(err)
		}
		if ref := b.publish(t, article("x")); ref.URL != want {
			t.Errorf("%s: got %q, want %q", chat, ref.URL, want)
		}
	}
}

// A group that becomes a supergroup between two posts: the call is repeated once for the new chat, and corrections go
// there too.
func TestPublishFollowsAMovedGroup(t *testing.T) {
	t.Parallel()
	group := telegramtest.Chat{ID: -10, Type: "group", Title: "Équipe", Bot: telegramtest.Member{Status: "administrator"}}
	b := unresolved(t, telegramtest.Options{Chats: append(chats(), group)}, nil)
	var err error
	if b.to, _, err = b.ResolveChannel(t.Context(), "-10"); err != nil {
		t.Fatal(err)
	}
	before := b.publish(t, article("avant"))
	group.MigratedTo = -1007
	b.server.SetChat(group)
	after := b.publish(t, article("après"))
	if got := b.server.Messages(-1007); len(got) != 1 || got[0].Text != "après\n\nLire la suite" {
		t.Fatalf("got %+v", got)
	}
	if _, err := b.Edit(t.Context(), after, b.plan(t, article("corrigé"), 1)[0]); err != nil {
		t.Fatal(err)
	}
	if got := b.server.Messages(-1007); got[0].Text != "corrigé\n\nLire la suite" {
		t.Errorf("got %+v", got)
	}
	// The messages of the old group have other numbers in the new one: number 1 there is another post.
	_, err = b.Edit(t.Context(), before, b.plan(t, article("trop tard"), 1)[0])
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeWindowClosed {
		t.Errorf("edit: got %v", err)
	}
	if e := sdk.AsError(b.Delete(t.Context(), before)); e == nil || e.Code != sdk.CodeWindowClosed {
		t.Errorf("delete: got %v", e)
	}
	if got := b.server.Messages(-1007); len(got) != 1 || got[0].Text != "corrigé\n\nLire la suite" {
		t.Errorf("got %+v", got)
	}
}

func TestPublishNeverWritesToPeople(t *testing.T) {
	t.Parallel()
	b := setup(t, telegramtest.Options{Chats: chats()}, nil)
	part := b.plan(t, article("x"), 1)[0]
	for _, id := range []string{"777", "@anna", "", "0", "-0"} {
		_, err := b.Publish(t.Context(), sdk.ChannelRef{ID: id}, part)
		if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeNotAChannel {
			t.Errorf("%q: got %v", id, err)
		}
	}
	// A server that says that the channel moved to a person is not followed.
	b.server.Faults.Add(telegramtest.Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", 0, 777))
	if _, err := b.Publish(t.Context(), b.to, part); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeForbidden {
		t.Errorf("got %v", err)
	}
	for _, c := range b.server.State().Chats {
		if len(c.Messages) > 0 {
			t.Errorf("a message arrived in %d", c.ID)
		}
	}
}

func TestPublishRefusesForeignParts(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	photo := b.plan(t, article("x", "one.png"), 1)[0]
	for name, change := range map[string]func(*sdk.Part){
		"another kind":    func(p *sdk.Part) { p.Kind = "sendPoll" },
		"no JSON":         func(p *sdk.Part) { p.Request = []byte("{") },
		"a missing file":  func(p *sdk.Part) { p.Files = nil },
		"a file too many": func(p *sdk.Part) { p.Files = append(p.Files[:1:1], p.Files[0]) },
		"an empty file":   func(p *sdk.Part) { p.Files = []sdk.File{{SHA256: "x"}} },
		"a foreign answer": func(p *sdk.Part) {
			p.ReplyTo = &sdk.PartRef{IDs: []string{"not a number"}}
		},
	} {
		part := photo
		change(&part)
		_, err := b.Publish(t.Context(), b.to, part)
		if e := sdk.AsError(err); e == nil || e.Code.Disposition() != sdk.DispositionGiveUp {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := b.server.Messages(gazette); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestConcurrentPublish(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	parts := []sdk.Part{b.plan(t, article("x"), 1)[0], b.plan(t, article("x", "one.png", "two.png"), 1)[0]}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := b.Publish(t.Context(), b.to, parts[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(b.server.Messages(gazette)); got != 24 {
		t.Errorf("%d messages, want 24", got)
	}
}

// The journal hears of each effect before its caller does, and can refuse it.
func TestJournal(t *testing.T) {
	t.Parallel()
	var heard []telegramtest.Effect
	full := false
	b := setup(t, telegramtest.Options{Accept: func(e telegramtest.Effect) error {
		if full {
			return errors.New("disk full")
		}
		heard = append(heard, e)
		return nil
	}}, nil)
	ref := b.publish(t, article("un", "one.png", "two.png"))
	if err := b.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	full = true
	if _, err := b.Publish(t.Context(), b.to, b.plan(t, article("deux"), 1)[0]); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeUnknownOutcome {
		t.Errorf("got %v", err)
	}
	want := []telegramtest.Effect{
		{Method: "sendMediaGroup", Chat: gazette, Messages: []int64{1, 2}, Text: "un\n\nLire la suite",
			Photos: []string{sum(picture("one.png")), sum(picture("two.png"))}},
		{Method: "deleteMessages", Chat: gazette, Messages: []int64{1, 2}},
	}
	if diff := cmp.Diff(want, heard, cmpopts.IgnoreFields(telegramtest.Effect{}, "At")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := b.server.Messages(gazette); len(got) != 0 {
		t.Errorf("what the journal refused happened: %+v", got)
	}
}
