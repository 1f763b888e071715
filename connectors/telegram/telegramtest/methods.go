package telegramtest

import (
	"slices"
	"strconv"
	"time"
)

// method is one method of the Bot API.
type method struct {
	name  string
	knows []string
	do    func(*Server, *parameters) (any, *refusal)
}

var (
	sendKnows    = []string{"chat_id", "disable_notification", "protect_content", "reply_parameters"}
	captionKnows = []string{"caption", "parse_mode", "show_caption_above_media"}
	editKnows    = []string{"chat_id", "message_id"}
)

// methods are those a publishing bot needs, by their name in lower case: the Bot API does not mind the case.
var methods = map[string]method{
	"getme":          {"getMe", nil, (*Server).getMe},
	"getchat":        {"getChat", []string{"chat_id"}, (*Server).getChat},
	"getchatmember":  {"getChatMember", []string{"chat_id", "user_id"}, (*Server).getChatMember},
	"getupdates":     {"getUpdates", []string{"offset", "limit", "timeout", "allowed_updates"}, (*Server).getUpdates},
	"sendmessage":    {"sendMessage", slices.Concat(sendKnows, []string{"text", "parse_mode", "link_preview_options"}), (*Server).sendMessage},
	"sendphoto":      {"sendPhoto", slices.Concat(sendKnows, captionKnows, []string{"photo", "has_spoiler"}), (*Server).sendPhoto},
	"sendmediagroup": {"sendMediaGroup", slices.Concat(sendKnows, []string{"media"}), (*Server).sendMediaGroup},
	"editmessagetext": {"editMessageText", slices.Concat(editKnows, []string{"text", "parse_mode", "link_preview_options"}),
		(*Server).editMessageText},
	"editmessagecaption": {"editMessageCaption", slices.Concat(editKnows, captionKnows), (*Server).editMessageCaption},
	"editmessagemedia":   {"editMessageMedia", slices.Concat(editKnows, []string{"media"}), (*Server).editMessageMedia},
	"deletemessage":      {"deleteMessage", editKnows, (*Server).deleteMessage},
	"deletemessages":     {"deleteMessages", []string{"chat_id", "message_ids"}, (*Server).deleteMessages},
}

func (s *Server) getMe(*parameters) (any, *refusal) {
	return map[string]any{"id": s.options.BotID, "is_bot": true, "first_name": s.options.Bot, "username": s.options.Bot}, nil
}

// getUpdates refuses: nothing ever comes in here.
func (s *Server) getUpdates(*parameters) (any, *refusal) {
	return nil, refuse(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
}

// find gives the chat that chat_id names, with the refusals of a chat that is no more.
func (s *Server) find(p *parameters) (*chat, *refusal) {
	name := p.text("chat_id")
	if name == "" {
		return nil, refuse(400, "Bad Request: chat_id is empty")
	}
	var c *chat
	if id, ok := p.number("chat_id"); ok {
		c = s.chats[id]
	} else {
		for _, known := range s.chats {
			if known.Username != "" && known.Type != "private" && "@"+known.Username == name {
				c = known
			}
		}
	}
	switch {
	case c == nil:
		return nil, refuse(400, "Bad Request: chat not found")
	case c.MigratedTo != 0:
		e := refuse(400, "Bad Request: group chat was upgraded to a supergroup chat")
		e.migrateTo = c.MigratedTo
		return nil, e
	}
	return c, nil
}

func (s *Server) getChat(p *parameters) (any, *refusal) {
	c, bad := s.find(p)
	if bad != nil {
		return nil, bad
	}
	if c.Type != "channel" && c.Username == "" && (c.Bot.Status == "left" || c.Bot.Status == "kicked") {
		return nil, refuse(400, "Bad Request: chat not found")
	}
	out := c.json()
	if c.Type == "group" || c.Type == "supergroup" {
		out["permissions"] = map[string]any{"can_send_messages": !c.AdminsOnly}
	}
	return out, nil
}

func (c *chat) json() map[string]any {
	out := map[string]any{"id": c.ID, "type": c.Type}
	for name, value := range map[string]string{"title": c.Title, "username": c.Username} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func (s *Server) getChatMember(p *parameters) (any, *refusal) {
	c, bad := s.find(p)
	if bad != nil {
		return nil, bad
	}
	id, ok := p.number("user_id")
	switch {
	case !ok:
		return nil, refuse(400, "Bad Request: invalid user_id specified")
	case c.Type == "channel" && (c.Bot.Status == "left" || c.Bot.Status == "kicked"):
		return nil, refuse(400, "Bad Request: member list is inaccessible")
	case id != s.options.BotID:
		return nil, refuse(400, "Bad Request: user not found")
	}
	out := map[string]any{"status": c.Bot.Status, "user": map[string]any{"id": id, "is_bot": true, "username": s.options.Bot}}
	switch c.Bot.Status {
	case "administrator":
		out["can_post_messages"] = c.Bot.PostMessages
		out["can_edit_messages"] = c.Bot.EditMessages
		out["can_delete_messages"] = c.Bot.DeleteAny
	case "restricted":
		out["can_send_messages"] = !c.AdminsOnly
	}
	return out, nil
}

// mayWrite says why the bot cannot post in a chat.
func (c *chat) mayWrite(what string) *refusal {
	kind := c.Type + " chat"
	switch {
	case c.Type == "private" && c.Closed:
		return refuse(403, "Forbidden: user is deactivated")
	case c.Type == "private" && c.Bot.Status == "kicked":
		return refuse(403, "Forbidden: bot was blocked by the user")
	case c.Type == "private" && c.Bot.Status != "member":
		return refuse(403, "Forbidden: bot can't initiate conversation with a user")
	case c.Type == "private":
		return nil
	case c.Closed:
		return refuse(403, "Forbidden: the group chat was deleted")
	case c.Bot.Status == "kicked":
		return refuse(403, "Forbidden: bot was kicked from the %s", kind)
	case c.Bot.Status == "left" || c.Bot.Status == "":
		return refuse(403, "Forbidden: bot is not a member of the %s", kind)
	case c.Type == "channel" && (c.Bot.Status != "administrator" || !c.Bot.PostMessages):
		return refuse(400, "Bad Request: need administrator rights in the channel chat")
	case c.AdminsOnly && c.Bot.Status != "administrator":
		return refuse(400, "Bad Request: not enough rights to send %s to the chat", what)
	}
	return nil
}

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
	return refuse(400, "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "+
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
