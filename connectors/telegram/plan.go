package telegram

import (
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// The kinds of parts, which are methods of the Bot API.
const (
	kindText  = "sendMessage"
	kindPhoto = "sendPhoto"
	kindAlbum = "sendMediaGroup"
)

// The requests, as they stand in Part.Request. What is known only at the moment of the call is added then: the files
// behind attach:// names, and reply_parameters.
type (
	sendMessage struct {
		ChatID  int64        `json:"chat_id"`
		Text    string       `json:"text"`
		Mode    string       `json:"parse_mode"`
		Preview *linkPreview `json:"link_preview_options,omitempty"`
		Silent  bool         `json:"disable_notification,omitempty"`
		Protect bool         `json:"protect_content,omitempty"`
	}
	sendPhoto struct {
		ChatID  int64  `json:"chat_id"`
		Photo   string `json:"photo"`
		Caption string `json:"caption,omitempty"`
		Mode    string `json:"parse_mode,omitempty"`
		Above   bool   `json:"show_caption_above_media,omitempty"`
		Silent  bool   `json:"disable_notification,omitempty"`
		Protect bool   `json:"protect_content,omitempty"`
	}
	sendMediaGroup struct {
		ChatID  int64        `json:"chat_id"`
		Media   []inputPhoto `json:"media"`
		Silent  bool         `json:"disable_notification,omitempty"`
		Protect bool         `json:"protect_content,omitempty"`
	}
	inputPhoto struct {
		Type    string `json:"type"`
		Media   string `json:"media"`
		Caption string `json:"caption,omitempty"`
		Mode    string `json:"parse_mode,omitempty"`
		Above   bool   `json:"show_caption_above_media,omitempty"`
	}
	linkPreview struct {
		Disabled bool   `json:"is_disabled,omitempty"`
		URL      string `json:"url,omitempty"`
		Small    bool   `json:"prefer_small_media,omitempty"`
		Large    bool   `json:"prefer_large_media,omitempty"`
		Above    bool   `json:"show_above_text,omitempty"`
	}
)

// Plan makes one part for a text, a picture with its text, or an album whose first picture carries the text; a text that
// is longer is cut, or goes on in further messages. The pictures of a post decide its kind, never the length of its
// text, because Telegram can change a text later but cannot take a picture out of a post.
//
// Pictures that Telegram would refuse (another format than JPEG, PNG or WebP, more than 10 MB, sides of more than 10,000
// pixels together or more than 20 to 1) and pictures of which the host has no copy are left out.
//
// Errors: CodeNotAChannel, CodeInvalid for an empty text, CodeUnsupported for an unknown overflow.
func (c *Connector) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	id, err := parseChatID(to.ID)
	if err != nil {
		return nil, err
	}
	overflow := p.Overflow
	if overflow == "" {
		overflow = c.config.Overflow
	}
	photos := c.photos(p)
	bound := render.Bound{Markup: c.markup(), Unit: sdk.UnitUTF16, Max: maxText, Visible: true}
	if len(photos) > 0 {
		bound.First = maxCaption
	}
	var texts []sdk.Body
	switch overflow {
	case sdk.OverflowCut:
		texts = []sdk.Body{render.Cut(p.Body, bound)}
	case sdk.OverflowSplit, sdk.OverflowThread:
		texts = render.Split(p.Body, bound)
	default:
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "overflow %q is unknown; cut, split and thread are possible",
			overflow)
	}
	if len(texts) == 0 {
		texts = []sdk.Body{nil}
	}
	parts := make([]sdk.Part, len(texts))
	for i, text := range texts {
		part := c.textPart(id, text, i > 0)
		if i == 0 && len(photos) > 0 {
			part = c.photoPart(id, text, photos)
		} else if strings.TrimSpace(part.Text) == "" {
			return nil, &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeTemplate, Op: "plan",
				Public: fmt.Sprintf("the template gives no text for %s; Telegram takes no empty post", placeOf(to).name())}
		}
		part.Thread = i > 0 && overflow == sdk.OverflowThread
		parts[i] = part
	}
	return parts, nil
}

func (c *Connector) markup() render.Markup {
	if c.config.Markup == "markdown" {
		return render.TelegramMarkdownV2
	}
	return render.TelegramHTML
}

func (c *Connector) parseMode() string {
	if c.config.Markup == "markdown" {
		return "MarkdownV2"
	}
	return "HTML"
}

// photos are the pictures the post shows, in order.
func (c *Connector) photos(p sdk.Post) []sdk.File {
	if len(p.Items) > 1 {
		return nil
	}
	var out []sdk.File
	for _, m := range p.Media {
		if len(out) < c.config.Photos && usable(m.File) {
			out = append(out, m.File)
		}
	}
	return out
}

func usable(f sdk.File) bool {
	switch f.Type {
	case "image/jpeg", "image/png", "image/webp":
	default:
		return false
	}
	if f.SHA256 == "" || f.Size > maxPhoto {
		return false
	}
	if f.Width == 0 || f.Height == 0 {
		return true // not known here; Telegram will say
	}
	return f.Width+f.Height <= maxSides && max(f.Width, f.Height) <= maxRatio*min(f.Width, f.Height)
}

// textPart is a message without pictures. Only the first message of a post rings.
func (c *Connector) textPart(id int64, text sdk.Body, further bool) sdk.Part {
	r := sendMessage{ChatID: id, Text: render.Render(text, c.markup()), Mode: c.parseMode(),
		Silent: c.config.Silent || further, Protect: c.config.Protect}
	preview := linkPreview{
		Disabled: c.config.LinkPreview == "off",
		Small:    c.config.LinkPreview == "small",
		Large:    c.config.LinkPreview == "large",
		Above:    c.config.PreviewAbove && c.config.LinkPreview != "off",
	}
	if preview != (linkPreview{}) {
		r.Preview = &preview
	}
	return sdk.Part{Kind: kindText, Type: "application/json", Request: encode(r), Text: render.Render(text, render.Plain)}
}

func (c *Connector) photoPart(id int64, text sdk.Body, photos []sdk.File) sdk.Part {
	part := sdk.Part{Type: "application/json", Text: render.Render(text, render.Plain), Files: photos}
	caption, mode := render.Render(text, c.markup()), ""
	if caption != "" {
		mode = c.parseMode()
	}
	above := c.config.CaptionAbove && caption != ""
	if len(photos) == 1 {
		part.Kind = kindPhoto
		part.Request = encode(sendPhoto{ChatID: id, Photo: attach(0), Caption: caption, Mode: mode, Above: above,
			Silent: c.config.Silent, Protect: c.config.Protect})
		return part
	}
	part.Kind = kindAlbum
	r := sendMediaGroup{ChatID: id, Silent: c.config.Silent, Protect: c.config.Protect}
	for i := range photos {
		r.Media = append(r.Media, inputPhoto{Type: "photo", Media: attach(i)})
	}
	// The text of an album is the caption of one of its pictures; shown above, it must be so for every picture.
	r.Media[0].Caption, r.Media[0].Mode = caption, mode
	for i := range r.Media {
		r.Media[i].Above = above
	}
	part.Request = encode(r)
	return part
}

// attachName is the form field of the i-th file; attach is how the request refers to it.
func attachName(i int) string { return fmt.Sprintf("photo%d", i+1) }

func attach(i int) string { return "attach://" + attachName(i) }
