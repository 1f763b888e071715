package telegramtest

import "time"

// edited finds the message of an edit.
func (s *Server) edited(p *parameters) (*chat, *stored, *refusal) {
	c, bad := s.find(p)
	if bad != nil {
		return nil, nil, bad
	}
	if bad := c.mayWrite("text messages"); bad != nil {
		return nil, nil, bad
	}
	if bad := s.tooManyIn(s.edits, c.ID); bad != nil {
		return nil, nil, bad
	}
	id, ok := p.number("message_id")
	if !ok {
		return nil, nil, refuse(400, "Bad Request: message identifier is not specified")
	}
	m := c.find(id)
	if m == nil {
		return nil, nil, refuse(400, "Bad Request: message to edit not found")
	}
	return c, m, nil
}

func notModified() *refusal {
	return refuse(400, "Bad Request: message is not modified: specified new message content and reply markup are "+
		"exactly the same "+
		"as a current content and reply markup of the message")
}

// change commits an edit.
func (s *Server) change(p *parameters, method string, c *chat, m *stored, to Message, f *file) (any, *refusal) {
	e := Effect{Method: method, Chat: c.ID, Messages: []int64{m.ID}, Text: to.Text}
	if f != nil {
		e.Photos = []string{f.sum}
	}
	if bad := s.commit(p, e); bad != nil {
		return nil, bad
	}
	to.Edited = s.options.Now().UTC()
	m.Message, m.file = to, f
	return m.json(c), nil
}

func (s *Server) editMessageText(p *parameters) (any, *refusal) {
	c, m, bad := s.edited(p)
	if bad != nil {
		return nil, bad
	}
	if m.file != nil {
		return nil, refuse(400, "Bad Request: there is no text in the message to edit")
	}
	text, bad := readMessageText(p)
	if bad != nil {
		return nil, bad
	}
	to := m.Message
	to.Preview = LinkPreview{}
	if _, bad := p.object("link_preview_options", &to.Preview); bad != nil {
		return nil, bad
	}
	if text.same(m) && to.Preview == m.Preview {
		return nil, notModified()
	}
	to.put(text)
	return s.change(p, "editMessageText", c, m, to, nil)
}

func (s *Server) editMessageCaption(p *parameters) (any, *refusal) {
	c, m, bad := s.edited(p)
	if bad != nil {
		return nil, bad
	}
	if m.file == nil {
		return nil, refuse(400, "Bad Request: there is no caption in the message to edit")
	}
	text, above, bad := readCaption(p)
	if bad != nil {
		return nil, bad
	}
	if text.same(m) && above == m.Above {
		return nil, notModified()
	}
	to := m.Message
	to.put(text)
	to.Above = above
	return s.change(p, "editMessageCaption", c, m, to, m.file)
}

func (s *Server) editMessageMedia(p *parameters) (any, *refusal) {
	c, m, bad := s.edited(p)
	if bad != nil {
		return nil, bad
	}
	var in inputMedia
	if given, bad := p.object("media", &in); bad != nil || !given {
		return nil, refuse(400, "Bad Request: can't parse media JSON object")
	}
	text, f, bad := s.readMedia(p, in)
	if bad != nil {
		return nil, bad
	}
	if f == m.file && text.same(m) && in.Above == m.Above {
		return nil, notModified()
	}
	to := m.Message
	to.put(text)
	to.Above, to.Preview = in.Above, LinkPreview{}
	return s.change(p, "editMessageMedia", c, m, to, f)
}

// mayDelete says why the bot cannot delete a message of its own: after 48 hours it needs a right.
func (s *Server) mayDelete(c *chat, m *stored) *refusal {
	admin := c.Bot.Status == "administrator"
	switch {
	case admin && (c.Bot.DeleteAny || (c.Type == "channel" && c.Bot.PostMessages)):
		return nil
	case s.options.Now().Sub(m.Date) < 48*time.Hour && c.Bot.Status != "left" && c.Bot.Status != "kicked":
		return nil
	}
	return refuse(400, "Bad Request: message can't be deleted")
}

func (s *Server) deleteMessage(p *parameters) (any, *refusal) {
	c, bad := s.find(p)
	if bad != nil {
		return nil, bad
	}
	id, ok := p.number("message_id")
	if !ok {
		return nil, refuse(400, "Bad Request: message identifier is not specified")
	}
	m := c.find(id)
	if m == nil {
		return nil, refuse(400, "Bad Request: message to delete not found")
	}
	return s.remove(p, "deleteMessage", c, []*stored{m})
}

func (s *Server) deleteMessages(p *parameters) (any, *refusal) {
	c, bad := s.find(p)
	if bad != nil {
		return nil, bad
	}
	var ids []int64
	if given, bad := p.object("message_ids", &ids); bad != nil || !given || len(ids) == 0 || len(ids) > 100 {
		return nil, refuse(400, "Bad Request: 1 to 100 message identifiers must be specified")
	}
	var found []*stored
	for _, id := range ids {
		if m := c.find(id); m != nil {
			found = append(found, m)
		}
	}
	return s.remove(p, "deleteMessages", c, found)
}

func (s *Server) remove(p *parameters, method string, c *chat, found []*stored) (any, *refusal) {
	e := Effect{Method: method, Chat: c.ID}
	for _, m := range found {
		if bad := s.mayDelete(c, m); bad != nil {
			return nil, bad
		}
		e.Messages = append(e.Messages, m.ID)
	}
	if len(found) == 0 {
		return true, nil
	}
	if bad := s.commit(p, e); bad != nil {
		return nil, bad
	}
	for _, m := range found {
		m.Deleted = s.options.Now().UTC()
	}
	return true, nil
}
