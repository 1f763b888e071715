package telegramtest

import "strconv"

// draft is what every send has in common.
func (s *Server) draft(p *parameters, what string) (*chat, Message, *refusal) {
	var m Message
	c, bad := s.find(p)
	if bad != nil {
		return nil, m, bad
	}
	if bad := c.mayWrite(what); bad != nil {
		return nil, m, bad
	}
	if bad := s.tooManyIn(s.sends, c.ID); bad != nil {
		return nil, m, bad
	}
	if m.Silent, bad = p.flag("disable_notification"); bad != nil {
		return nil, m, bad
	}
	if m.Protected, bad = p.flag("protect_content"); bad != nil {
		return nil, m, bad
	}
	var answered struct {
		MessageID int64 `json:"message_id"`
		Without   bool  `json:"allow_sending_without_reply"`
	}
	given, bad := p.object("reply_parameters", &answered)
	if bad != nil {
		return nil, m, bad
	}
	if given {
		switch {
		case c.find(answered.MessageID) != nil:
			m.ReplyTo = answered.MessageID
		case !answered.Without:
			return nil, m, refuse(400, "Bad Request: message to be replied not found")
		}
	}
	m.Date = s.options.Now().UTC()
	return c, m, nil
}

func (m *Message) put(c content) {
	m.Text, m.HTML, m.Raw, m.Mode = c.text, c.html, c.raw, c.mode
}

func (c *chat) add(m Message, f *file) *stored {
	c.last++
	m.ID = c.last
	s := &stored{Message: m, file: f}
	c.messages = append(c.messages, s)
	return s
}

// json is a message as an answer shows it.
func (m *stored) json(c *chat) map[string]any {
	out := map[string]any{"message_id": m.ID, "date": m.Date.Unix(), "chat": c.json()}
	if m.file != nil {
		out["photo"] = m.file.sizes()
		out["caption"] = m.Text
	} else {
		out["text"] = m.Text
	}
	if m.Album != "" {
		out["media_group_id"] = m.Album
	}
	if len(m.Buttons) > 0 {
		out["reply_markup"] = map[string]any{"inline_keyboard": m.Buttons}
	}
	if !m.Edited.IsZero() {
		out["edit_date"] = m.Edited.Unix()
	}
	return out
}

func (s *Server) sendMessage(p *parameters) (any, *refusal) {
	c, m, bad := s.draft(p, "text messages")
	if bad != nil {
		return nil, bad
	}
	text, bad := readMessageText(p)
	if bad != nil {
		return nil, bad
	}
	if _, bad := p.object("link_preview_options", &m.Preview); bad != nil {
		return nil, bad
	}
	if m.Buttons, bad = readKeyboard(p); bad != nil {
		return nil, bad
	}
	m.put(text)
	if bad := s.commit(p, Effect{Method: "sendMessage", Chat: c.ID, Messages: []int64{c.last + 1}, Text: m.Text}); bad != nil {
		return nil, bad
	}
	return c.add(m, nil).json(c), nil
}

func readMessageText(p *parameters) (content, *refusal) {
	text, bad := readText(p.text("text"), p.text("parse_mode"), maxText, "message is too long")
	if bad == nil && text.text == "" {
		bad = refuse(400, "Bad Request: message text is empty")
	}
	return text, bad
}

func readCaption(p *parameters) (content, bool, *refusal) {
	text, bad := readText(p.text("caption"), p.text("parse_mode"), maxCaption, "message caption is too long")
	if bad != nil {
		return text, false, bad
	}
	above, bad := p.flag("show_caption_above_media")
	return text, above, bad
}

func (s *Server) sendPhoto(p *parameters) (any, *refusal) {
	c, m, bad := s.draft(p, "photos")
	if bad != nil {
		return nil, bad
	}
	text, above, bad := readCaption(p)
	if bad != nil {
		return nil, bad
	}
	f, bad := s.photo(p, p.text("photo"))
	if bad != nil {
		return nil, bad
	}
	m.put(text)
	m.Above = above
	e := Effect{Method: "sendPhoto", Chat: c.ID, Messages: []int64{c.last + 1}, Text: m.Text, Photos: []string{f.sum}}
	if bad := s.commit(p, e); bad != nil {
		return nil, bad
	}
	return c.add(m, f).json(c), nil
}

// inputMedia is one InputMediaPhoto.
type inputMedia struct {
	Type    string `json:"type"`
	Media   string `json:"media"`
	Caption string `json:"caption"`
	Mode    string `json:"parse_mode"`
	Above   bool   `json:"show_caption_above_media"`
	Spoiler bool   `json:"has_spoiler"`
}

func (s *Server) readMedia(p *parameters, in inputMedia) (content, *file, *refusal) {
	if in.Type != "photo" {
		return content{}, nil, refuse(400, "Bad Request: this fake takes media of type photo only, not %q", in.Type)
	}
	text, bad := readText(in.Caption, in.Mode, maxCaption, "message caption is too long")
	if bad != nil {
		return text, nil, bad
	}
	f, bad := s.photo(p, in.Media)
	return text, f, bad
}

func (s *Server) sendMediaGroup(p *parameters) (any, *refusal) {
	c, m, bad := s.draft(p, "photos")
	if bad != nil {
		return nil, bad
	}
	var media []inputMedia
	if given, bad := p.object("media", &media); bad != nil || !given {
		return nil, refuse(400, "Bad Request: can't parse media JSON object")
	}
	if len(media) < 2 || len(media) > 10 {
		return nil, refuse(400, "Bad Request: media group must include 2-10 items")
	}
	s.album++
	m.Album = strconv.FormatInt(13_000_000_000+s.album, 10)
	e := Effect{Method: "sendMediaGroup", Chat: c.ID}
	drafts, files := make([]Message, len(media)), make([]*file, len(media))
	for i, in := range media {
		text, f, bad := s.readMedia(p, in)
		if bad != nil {
			return nil, bad
		}
		drafts[i], files[i] = m, f
		drafts[i].put(text)
		drafts[i].Above = in.Above
		e.Messages = append(e.Messages, c.last+1+int64(i))
		e.Photos = append(e.Photos, f.sum)
		if e.Text == "" {
			e.Text = text.text
		}
	}
	if bad := s.commit(p, e); bad != nil {
		return nil, bad
	}
	out := make([]any, len(media))
	for i := range media {
		out[i] = c.add(drafts[i], files[i]).json(c)
	}
	return out, nil
}
