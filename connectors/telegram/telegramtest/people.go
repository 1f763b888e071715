package telegramtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// What people do. Each act of somebody in a private chat becomes an update, as Telegram makes it; an act that Telegram's own
// programs would not let them do is an error.

// Say lets a person write to the bot; whoever never did so presses Start by it. It is an error for somebody who blocked
// the bot, since they have to unblock it first.
func (s *Server) Say(chatID int64, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.person(chatID)
	if err != nil {
		return err
	}
	if c.Bot.Status == "kicked" {
		return fmt.Errorf("telegramtest: %d blocked the bot", chatID)
	}
	c.Bot.Status = "member"
	c.last++
	s.arrive("message", map[string]any{"message_id": c.last, "from": s.from(c), "chat": c.json(),
		"date": s.options.Now().Unix(), "text": text})
	return nil
}

// SayIn lets a person write in a group; the bot sees it as Telegram shows it there.
func (s *Server) SayIn(group, personID int64, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.person(personID)
	in := s.chats[group]
	if err != nil || in == nil || in.Type == "private" {
		return fmt.Errorf("telegramtest: no group %d, or no person %d", group, personID)
	}
	in.last++
	s.arrive("message", map[string]any{"message_id": in.last, "from": s.from(c), "chat": in.json(),
		"date": s.options.Now().Unix(), "text": text})
	return nil
}

// Press lets a person press the button that sends data under a message. It gives the number of the query.
func (s *Server) Press(chatID, messageID int64, data string) (query string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.person(chatID)
	if err != nil {
		return "", err
	}
	m := c.find(messageID)
	if m == nil || !slices.ContainsFunc(m.Buttons, func(row []Button) bool {
		return slices.ContainsFunc(row, func(b Button) bool { return b.Data == data && data != "" })
	}) {
		return "", fmt.Errorf("telegramtest: message %d of %d has no button that sends %q", messageID, chatID, data)
	}
	s.queries++
	query = fmt.Sprint(4_000_000_000_000+s.queries*7919, "-q")
	s.open[query] = true
	s.arrive("callback_query", map[string]any{"id": query, "from": s.from(c), "chat_instance": "1", "data": data,
		"message": m.json(c)})
	return query, nil
}

// Answered reports whether the bot has answered a press of a button, which ends its spinner.
func (s *Server) Answered(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	waits, known := s.open[query]
	return known && !waits
}

// Block lets a person block the bot; Unblock undoes it, without any message.
func (s *Server) Block(chatID int64) error { return s.become(chatID, "member", "kicked") }

// Unblock is the opposite of Block.
func (s *Server) Unblock(chatID int64) error { return s.become(chatID, "kicked", "member") }

func (s *Server) become(chatID int64, from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.person(chatID)
	if err != nil {
		return err
	}
	if c.Bot.Status != from {
		return fmt.Errorf("telegramtest: the bot is %q for %d and not %q", c.Bot.Status, chatID, from)
	}
	c.Bot.Status = to
	bot := map[string]any{"id": s.options.BotID, "is_bot": true, "first_name": s.options.Bot, "username": s.options.Bot}
	s.arrive("my_chat_member", map[string]any{"chat": c.json(), "from": s.from(c), "date": s.options.Now().Unix(),
		"old_chat_member": map[string]any{"user": bot, "status": from},
		"new_chat_member": map[string]any{"user": bot, "status": to}})
	return nil
}

func (s *Server) person(chatID int64) (*chat, error) {
	c := s.chats[chatID]
	if c == nil || c.Type != "private" || c.Closed {
		return nil, fmt.Errorf("telegramtest: %d is nobody", chatID)
	}
	return c, nil
}

// from is a person as a User.
func (s *Server) from(c *chat) map[string]any {
	out := map[string]any{"id": c.ID, "is_bot": false, "first_name": c.first()}
	if c.Username != "" {
		out["username"] = c.Username
	}
	if c.Lang != "" {
		out["language_code"] = c.Lang
	}
	return out
}

func (c *chat) first() string {
	if c.Title != "" {
		return c.Title
	}
	return "Somebody"
}

// Webhook gives what setWebhook set: an empty url when none is.
func (s *Server) Webhook() (url string, allowed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.webhook.url, slices.Clone(s.allowed)
}

// Deliver calls the webhook with the oldest update, by do, as Telegram does: one that is not answered with a 2xx stays, and a
// method in the answer is called. It gives the status of the answer, and 0 when nothing waits.
func (s *Server) Deliver(do func(*http.Request) (*http.Response, error)) (int, error) {
	s.mu.Lock()
	hook := s.webhook
	var u update
	if len(s.updates) > 0 {
		u = s.updates[0]
	}
	s.mu.Unlock()
	if hook.url == "" {
		return 0, fmt.Errorf("telegramtest: no webhook is set")
	}
	if u.id == 0 {
		return 0, nil
	}
	r, err := http.NewRequest(http.MethodPost, hook.url, bytes.NewReader(u.json))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	if hook.secret != "" {
		r.Header.Set("X-Telegram-Bot-Api-Secret-Token", hook.secret)
	}
	answer, err := do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode < 200 || answer.StatusCode > 299 {
		return answer.StatusCode, err
	}
	s.mu.Lock()
	s.updates = slices.DeleteFunc(s.updates, func(w update) bool { return w.id == u.id })
	s.mu.Unlock()
	return answer.StatusCode, s.inAnswer(body)
}

// inAnswer makes the call that stands in the answer to a webhook, if one does.
func (s *Server) inAnswer(body []byte) error {
	var call map[string]any
	if len(body) == 0 || json.Unmarshal(body, &call) != nil {
		return nil //nolint:nilerr // an answer need hold no call
	}
	method, ok := call["method"].(string)
	if !ok {
		return nil
	}
	delete(call, "method")
	rest, err := json.Marshal(call)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, "/bot"+s.options.Token+"/"+method, strings.NewReader(string(rest)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if _, bad := s.answer(r); bad != nil {
		return fmt.Errorf("telegramtest: the call %s in the answer: %d %s", method, bad.code, bad.description)
	}
	return nil
}
