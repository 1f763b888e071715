package plugindev

import (
	"context"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Message is a message to the reader.
type Message struct {
	At time.Time
	// Purpose says why the person is written to.
	Purpose string
	Title   string
	// Text is all of it as the plugin was given it, with the reader's own values in it.
	Text string
	// Ref is what the platform calls it, Code what went wrong.
	Ref, Code, Gave string
}

type recordedMessenger struct {
	sdk.Messenger
	r *recorder
}

// Message has the plugin write to the reader, and notes what it was given.
func (m recordedMessenger) Message(ctx context.Context, d sdk.DirectMessage) (sdk.MessageRef, error) {
	begun := time.Now()
	ref, err := m.Messenger.Message(ctx, d)
	if address := d.Slots[sdk.SlotConfirm]; address != "" && err == nil {
		m.r.reader.asked(address)
	}
	shown := Message{At: begun, Purpose: string(d.Purpose()), Title: d.Template, Ref: ref.ID}
	if c := d.Common; c != nil {
		shown.Title = sdk.Fill(c.Subject, d.Slots)
		shown.Text = letter(d)
	}
	code, gave := m.r.journal.note(begun, "Message", shown.Purpose+": "+short(shown.Title, 60), err, shown.Text, "id "+ref.ID)
	if err != nil {
		shown.Code, shown.Gave = code, gave
	}
	m.r.journal.messaged(shown)
	return ref, err
}

type recordedLimiter struct {
	recordedMessenger
	limits func() sdk.Limits
}

// MessageLimits says what the plugin takes.
func (l recordedLimiter) MessageLimits() sdk.Limits { return l.limits() }

// letter is a message as plain text: what is in it, and nothing of how a platform shows it. The text says its title itself.
func letter(d sdk.DirectMessage) string {
	c := d.Common
	said := render.Render(c.Body, render.Plain)
	if len(c.Body) == 0 {
		said = c.Subject
	}
	lines := []string{sdk.Fill(said, d.Slots)}
	if c.Permalink != "" {
		lines = append(lines, "", c.Permalink)
	}
	if c.Reason != "" {
		lines = append(lines, "", sdk.Fill(c.Reason, d.Slots))
	}
	for _, l := range c.Links {
		if address := d.Slots[l.Slot]; address != "" {
			lines = append(lines, l.Text+" "+address)
		}
	}
	for _, row := range d.Buttons {
		for _, b := range row {
			lines = append(lines, "["+b.Text+"] "+b.URL)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
