package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// page is an answer in the making.
type page struct {
	paragraphs []string
	rows       [][]sdk.Button
}

func (p *page) say(text string) { p.paragraphs = append(p.paragraphs, text) }

// button adds a row with one button.
func (p *page) button(text, data string) {
	p.rows = append(p.rows, []sdk.Button{{Text: label(text), Data: data}})
}

// open adds a row with a button that opens an address, unless there is none.
func (p *page) open(text, url string) {
	if url != "" {
		p.rows = append(p.rows, []sdk.Button{{Text: label(text), URL: url}})
	}
}

// longestLabel is the most characters on a button, which narrow screens still show.
const longestLabel = 48

func label(text string) string {
	if r := []rune(text); len(r) > longestLabel {
		return strings.TrimSpace(string(r[:longestLabel-1])) + "…"
	}
	return text
}

// reply makes the answer. A paragraph's line feeds are breaks.
func (t *turn) reply(p *page) Reply {
	var body sdk.Body
	for _, text := range p.paragraphs {
		var line []sdk.Node
		for i, s := range strings.Split(text, "\n") {
			if i > 0 {
				line = append(line, sdk.Node{Kind: sdk.NodeBreak})
			}
			line = append(line, sdk.Text(s))
		}
		body = append(body, sdk.Paragraph(line...))
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("bot: a body cannot be written: " + err.Error()) // strings only
	}
	sum := sha256.Sum256(append([]byte(t.words.Lang()+"\n"), text...))
	return Reply{Answer: &sdk.MessageContent{
		Common: &sdk.Common{ID: "bot-" + hex.EncodeToString(sum[:12]), Kind: sdk.CommonAnswer, Lang: t.words.Lang(),
			Subject: t.words.Text("bot.subject", "site", t.s.Site), Body: body, Sender: t.s.Site},
		Buttons: t.pressable(p.rows), ReplyTo: t.event.ReplyTo}}
}

// pressable gives the buttons as the medium has them. A mail has none that send data, and neither have short messages: there they lead
// to pages that do the same, which are the person's own where they have one.
func (t *turn) pressable(rows [][]sdk.Button) (out [][]sdk.Button) {
	if medium := t.event.From.Medium; medium != consent.Email && !t.s.Buttonless(medium) {
		return rows
	}
	seen := map[string]bool{}
	for _, row := range rows {
		for _, b := range row {
			if b.URL == "" {
				b = t.leading(b)
			}
			if b.URL != "" && !seen[b.URL] {
				seen[b.URL] = true
				out = append(out, []sdk.Button{b})
			}
		}
	}
	return out
}

// leading is a link to the page that does what a button would; without an address where there is none.
func (t *turn) leading(b sdk.Button) sdk.Button {
	parts := append(strings.Split(b.Data, "|"), "", "") // as data writes them: version, verb, what it is about
	verb, id := parts[1], parts[2]
	own := ""
	if t.known && t.reader.Link != "" {
		own = "/me/" + t.reader.Link
	}
	link := sdk.Button{Text: b.Text}
	switch verb {
	case verbStaff, verbDrop, verbRelease, verbSettle: // what staff do has no page
	case verbChannels:
		link.URL = t.s.Page("/")
	case verbShow, verbFollow:
		if o, found := t.offerOf(id); found && o.Purpose.Kind == consent.Channel {
			link.URL = t.s.Page("/follow/" + o.Purpose.Name)
		}
	default:
		if own == "" {
			break
		}
		switch verb {
		case verbForget:
			link.URL = t.s.Page(own + "/forget")
		case verbMyData:
			link.URL = t.s.Page(own + "/data")
		default: // all of it stands on their first page
			link.Text, link.URL = label(t.words.Text("bot.button.preferences")), t.s.Page(own)
		}
	}
	return link
}

// answer makes an answer of paragraphs.
func (t *turn) answer(paragraphs ...string) Reply { return t.reply(&page{paragraphs: paragraphs}) }

// title is what people call an offer.
func (t *turn) title(o consent.Offer) string {
	if s := inLang(o.Title, t.words.Lang(), o.Lang); s != "" {
		return s
	}
	return o.Purpose.Name
}

// inLang chooses among texts by language: the one asked for, the one for any, the one of its own language.
func inLang(texts map[string]string, langs ...string) string {
	for _, lang := range append(append([]string{}, langs[0], ""), langs[1:]...) {
		if s := texts[lang]; s != "" {
			return s
		}
	}
	return ""
}

// list joins words as the language does.
func (t *turn) list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + t.words.Text("list.and") + " " + words[len(words)-1]
}
