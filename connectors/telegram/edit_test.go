package telegram_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
)

// look is what people see of a message.
type look struct {
	ID          int64
	Text, Photo string
}

func looks(b *bench) []look {
	var out []look
	for _, m := range b.server.Messages(gazette) {
		l := look{ID: m.ID, Text: m.Text}
		if m.Photo != nil {
			l.Photo = m.Photo.SHA256
		}
		out = append(out, l)
	}
	return out
}

const readOn = "\n\nLire la suite"

func TestEdit(t *testing.T) {
	t.Parallel()
	one, two, three := sum(picture("one.png")), sum(picture("two.png")), sum(picture("three.png"))
	for name, c := range map[string]struct {
		before, after sdk.Post
		want          []look
		calls         []string
	}{
		"a text": {article("un"), article("deux"), []look{{1, "deux" + readOn, ""}},
			[]string{"editMessageText"}},
		"nothing": {article("un"), article("un"), []look{{1, "un" + readOn, ""}},
			[]string{"editMessageText"}},
		"a text becomes a picture": {article("un"), article("deux", "one.png"), []look{{1, "deux" + readOn, one}},
			[]string{"editMessageMedia"}},
		"a caption": {article("un", "one.png"), article("deux", "one.png"), []look{{1, "deux" + readOn,
			one}}, []string{"editMessageCaption"}},
		"nothing of a picture": {article("un", "one.png"), article("un", "one.png"), []look{{1, "un" + readOn, one}},
			[]string{"editMessageCaption"}},
		"a picture": {article("un", "one.png"), article("un", "two.png"), []look{{1, "un" + readOn, two}},
			[]string{"editMessageMedia"}},
		"the text of an album": {article("un", "one.png", "two.png"), article("deux", "one.png", "two.png"),
			[]look{{1, "deux" + readOn, one}, {2, "", two}}, []string{"editMessageCaption"}},
		"the last picture of an album": {article("un", "one.png", "two.png"), article("un", "one.png", "three.png"),
			[]look{{1, "un" + readOn, one}, {2, "", three}}, []string{"editMessageCaption", "editMessageMedia"}},
		"all of an album": {article("un", "one.png", "two.png"), article("deux", "three.png", "one.png"),
			[]look{{1, "deux" + readOn, three}, {2, "", one}}, []string{"editMessageMedia", "editMessageMedia"}},
		"the order of an album": {article("un", "one.png", "two.png", "three.png"), article("un", "three.png", "two.png",
			"one.png"),
			[]look{{1, "un" + readOn, three}, {2, "", two}, {3, "", one}}, []string{"editMessageMedia", "editMessageMedia"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options(), nil)
			ref := b.publish(t, c.before)
			before := len(b.server.Calls())
			part := b.plan(t, c.after, 1)[0]
			after, err := b.Edit(t.Context(), ref, part)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, looks(b)); diff != "" {
				t.Errorf("what is seen (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.calls, b.server.Calls()[before:]); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ref.IDs, after.IDs); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			// The edit is repeated with the new reference, as after a lost record, and with the old one, as after a lost answer.
			for _, r := range []sdk.PartRef{after, ref} {
				if _, err := b.Edit(t.Context(), r, part); err != nil {
					t.Fatalf("again: %v", err)
				}
				if diff := cmp.Diff(c.want, looks(b)); diff != "" {
					t.Errorf("again (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestEditUnsupported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after sdk.Post
		want          string
	}{
		"a picture that goes": {article("un", "one.png"), article("un"),
			"Telegram cannot take the picture out of the post in @gazette; delete it and post it again"},
		"an album that grows": {article("un", "one.png", "two.png"), article("un", "one.png", "two.png", "three.png"),
			"the post in @gazette has 2 pictures and its correction 3 pictures, and Telegram cannot change their " +
				"number; delete it and post it again"},
		"an album that shrinks": {article("un", "one.png", "two.png"), article("un", "one.png"),
			"the post in @gazette has 2 pictures and its correction one picture, and Telegram cannot change their " +
				"number; delete it and post it again"},
		"a text that becomes an album": {article("un"), article("un", "one.png", "two.png"),
			"the post in @gazette has no picture and its correction 2 pictures, and Telegram cannot change their " +
				"number; delete it and post it again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options(), nil)
			ref := b.publish(t, c.before)
			before := len(b.server.Calls())
			_, err := b.Edit(t.Context(), ref, b.plan(t, c.after, 1)[0])
			if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnsupported || e.Public != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if calls := b.server.Calls()[before:]; len(calls) != 0 {
				t.Errorf("%v was called", calls)
			}
		})
	}
}

// An album of which one call fails is finished by the next attempt, and the text is corrected first.
func TestEditOfAnAlbumThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	ref := b.publish(t, article("un", "one.png", "two.png", "three.png"))
	part := b.plan(t, article("deux", "four.png", "five.png", "six.png"), 1)[0]
	f := telegramtest.Refusal(429, "Too Many Requests: retry after 7", 7, 0)
	f.On = telegramtest.On("editMessageMedia")
	f.Every = 2
	b.server.Faults.Add(f)
	half, err := b.Edit(t.Context(), ref, part)
	e := sdk.AsError(err)
	if e == nil || e.Code != sdk.CodeRateLimited || e.RetryAfter != 7*time.Second {
		t.Fatalf("got %v", err)
	}
	if got := looks(b); got[0].Text != "deux"+readOn || got[0].Photo != sum(picture("four.png")) || got[1].Photo != sum(picture("two.png")) {
		t.Errorf("got %v", got)
	}
	b.server.Faults.Clear()
	want := []look{{1, "deux" + readOn, sum(picture("four.png"))}, {2, "", sum(picture("five.png"))}, {3, "",
		sum(picture("six.png"))}}
	for _, r := range []sdk.PartRef{half, ref} {
		if _, err := b.Edit(t.Context(), r, part); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, looks(b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// A file that Telegram has forgotten is uploaded again.
func TestEditWithAForgottenFile(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	ref := b.publish(t, article("un", "one.png", "two.png"))
	b.server.ForgetFiles()
	if _, err := b.Edit(t.Context(), ref, b.plan(t, article("un", "two.png", "one.png"), 1)[0]); err != nil {
		t.Fatal(err)
	}
	want := []look{{1, "un" + readOn, sum(picture("two.png"))}, {2, "", sum(picture("one.png"))}}
	if diff := cmp.Diff(want, looks(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEditErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	ref := b.publish(t, article("un"))
	part := b.plan(t, article("deux"), 1)[0]
	b.server.Faults.Add(telegramtest.Refusal(400, "Bad Request: message can't be edited", 0, 0))
	_, err := b.Edit(t.Context(), ref, part)
	const want = `Telegram will not change the post in @gazette any more (Telegram: 400 "message can't be edited"); ` +
		`publish a correction instead`
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeWindowClosed || e.Public != want {
		t.Errorf("got %v", err)
	}
	b.server.Remove(gazette, 1)
	if _, err := b.Edit(t.Context(), ref, part); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeGone {
		t.Errorf("got %v", err)
	}
	for name, foreign := range map[string]sdk.PartRef{
		"nothing":         {},
		"another's state": {IDs: []string{"1"}, State: []byte(`{"key":"k"}`)},
		"a person":        {IDs: []string{"1"}, State: []byte(`{"chat":777}`)},
		"no number":       {IDs: []string{"one"}, State: ref.State},
		"no ids":          {State: ref.State},
		"too many ids":    {IDs: slices.Repeat([]string{"1"}, 11), State: ref.State},
	} {
		if _, err := b.Edit(t.Context(), foreign, part); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%s: edit: got %v", name, err)
		}
		if err := b.Delete(t.Context(), foreign); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%s: delete: got %v", name, err)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for name, post := range map[string]sdk.Post{"a text": article("un"), "a picture": article("un", "one.png"), "an album": article("un", "one.png", "two.png")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options(), nil)
			b.publish(t, article("stays"))
			ref := b.publish(t, post)
			for i := range 2 {
				if err := b.Delete(t.Context(), ref); err != nil {
					t.Fatalf("number %d: %v", i+1, err)
				}
			}
			if diff := cmp.Diff([]look{{1, "stays" + readOn, ""}}, looks(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeleteAfterTwoDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	chat := channelChat()
	chat.Type, chat.Bot = "supergroup", telegramtest.Member{Status: "administrator"}
	b := setup(t, telegramtest.Options{Now: func() time.Time { return now }, Chats: []telegramtest.Chat{chat}}, nil)
	ref := b.publish(t, article("un"))
	now = now.Add(49 * time.Hour)
	err := b.Delete(t.Context(), ref)
	const want = `Telegram will not delete the post in @gazette any more (Telegram: 400 "message can't be deleted"): ` +
		`after 48 hours bot @gazette_bot ` +
		`needs the right "Delete messages" there; grant it, or delete the post by hand`
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeWindowClosed || e.Public != want {
		t.Errorf("got %v", err)
	}
	chat.Bot.DeleteAny = true
	b.server.SetChat(chat)
	if err := b.Delete(t.Context(), ref); err != nil {
		t.Errorf("with the right: %v", err)
	}
}
