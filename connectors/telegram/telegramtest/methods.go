package telegramtest

import "slices"

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

// methods are those that Belfry's bot needs, by their name in lower case: the Bot API does not mind the case.
var methods = map[string]method{
	"getme":         {"getMe", nil, (*Server).getMe},
	"getchat":       {"getChat", []string{"chat_id"}, (*Server).getChat},
	"getchatmember": {"getChatMember", []string{"chat_id", "user_id"}, (*Server).getChatMember},
	"getupdates":    {"getUpdates", []string{"offset", "limit", "timeout", "allowed_updates"}, nil}, // see answer
	"setwebhook": {"setWebhook", []string{"url", "secret_token", "max_connections", "allowed_updates", "ip_address",
		"drop_pending_updates"}, (*Server).setWebhook},
	"deletewebhook":  {"deleteWebhook", []string{"drop_pending_updates"}, (*Server).deleteWebhook},
	"getwebhookinfo": {"getWebhookInfo", nil, (*Server).getWebhookInfo},
	"answercallbackquery": {"answerCallbackQuery", []string{"callback_query_id", "text", "show_alert", "url", "cache_time"},
		(*Server).answerCallbackQuery},
	"setmycommands": {"setMyCommands", []string{"commands", "scope", "language_code"}, (*Server).setMyCommands},
	"sendmessage": {"sendMessage", slices.Concat(sendKnows, []string{"text", "parse_mode", "link_preview_options",
		"reply_markup"}), (*Server).sendMessage},
	"sendphoto": {"sendPhoto", slices.Concat(sendKnows, captionKnows, []string{"photo", "has_spoiler"}),
		(*Server).sendPhoto},
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
	named := map[string]string{"title": c.Title, "username": c.Username}
	if c.Type == "private" {
		named = map[string]string{"first_name": c.first(), "username": c.Username}
	}
	for name, value := range named {
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
