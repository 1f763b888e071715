// Package choices says in a person's language what a person chose: how messages come, and what holds for all of them. Pages and
// exported records say it with the same words.
package choices

import (
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
)

// Words say it in one language.
type Words struct {
	*i18n.Catalogue
	// When writes a moment with its day and zone.
	When func(time.Time) string
	// Free makes ready what others wrote, such as topics and the names of media; nil leaves it as it is.
	Free func(string) string
}

func (w Words) free(text string) string {
	if w.Free == nil {
		return text
	}
	return w.Free(text)
}

// Medium names a medium in a sentence.
func (w Words) Medium(name string) string {
	if name == consent.Email {
		return w.Text("people.medium.email")
	}
	if name = w.free(name); name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:] // names of types are ASCII
}

// Tongue is the name of a language in itself, or its tag.
func (w Words) Tongue(tag string) string {
	if c := i18n.For(tag); c.Lang() == tag {
		return c.Text("bot.lang.name")
	}
	return w.free(tag)
}

// Hour writes a time of day, "07:00", as the language does.
func (w Words) Hour(text string) string {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return w.free(text)
	}
	return w.Time(t)
}

// Manner says in sentences how the messages of a grant come; of notices there is nothing to say.
func (w Words) Manner(kind consent.Kind, p consent.Preferences) string {
	if kind == consent.Notice {
		return ""
	}
	var out []string
	list := func(key, name string, texts []string, say func(string) string) {
		if len(texts) == 0 {
			return
		}
		said := make([]string, len(texts))
		for i, text := range texts {
			said[i] = say(text)
		}
		out = append(out, w.Text(key, name, w.List(said)))
	}
	if p.Mode == consent.Digest && len(p.Slots) > 0 {
		list("people.manner.digest", "times", p.Slots, w.Hour)
	} else if p.Mode != "" && p.Mode != consent.Digest {
		out = append(out, w.Says("people.manner.", string(p.Mode)))
	}
	list("people.manner.topics", "topics", p.Topics, w.free)
	list("people.manner.languages", "languages", p.Languages, w.Tongue)
	if p.Breaking {
		out = append(out, w.Text("people.manner.breaking"))
	}
	return strings.Join(out, " ")
}

// Says gives the words for one of a closed list; an entry of a newer version is shown as it is.
func (w Words) Says(list, entry string) string {
	if text := w.Text(list + entry); entry != "" && text != "["+list+entry+"]" {
		return text
	}
	return w.free(entry)
}

// Choice is one thing that was chosen, by its name.
type Choice struct{ Name, Text string }

// Pair says both in a sentence.
func (w Words) Pair(c Choice) string { return w.Text("people.pair", "name", c.Name, "text", c.Text) }

// Habits are what was chosen for everything, as far as anything was.
func (w Words) Habits(h consent.Habits) (out []Choice) {
	add := func(key, text string) {
		if text != "" {
			out = append(out, Choice{w.Text(key), text})
		}
	}
	if h.Lang != "" {
		add("people.lang", w.Tongue(h.Lang))
	}
	add("people.zone", w.free(h.Zone))
	if h.QuietFrom != "" {
		add("people.quiet", w.Hour(h.QuietFrom)+" – "+w.Hour(h.QuietUntil))
	}
	if h.PerDay > 0 {
		add("people.perday", strconv.Itoa(h.PerDay))
	}
	switch {
	case h.PausedOpenly():
		add("people.pause", w.Text("people.paused.until.open"))
	case !h.PausedUntil.IsZero():
		add("people.pause", w.Text("people.paused.until", "time", w.When(h.PausedUntil)))
	}
	return out
}

// HabitsNow are what holds at a moment: a pause that is over is none.
func (w Words) HabitsNow(h consent.Habits, now time.Time) []Choice {
	if !h.PausedUntil.After(now) {
		h.PausedUntil = time.Time{}
	}
	return w.Habits(h)
}
