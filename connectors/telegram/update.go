package telegram

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// allowedUpdates are the kinds of updates that Belfry asks for.
var allowedUpdates = [...]string{"message", "callback_query", "my_chat_member"}

// The parts of updates that are read.
type (
	update struct {
		ID       int64           `json:"update_id"`
		Message  *inMessage      `json:"message"`
		Callback *callbackQuery  `json:"callback_query"`
		Member   *chatMemberNews `json:"my_chat_member"`
	}
	sender struct {
		ID       int64  `json:"id"`
		IsBot    bool   `json:"is_bot"`
		Username string `json:"username"`
		Lang     string `json:"language_code"`
	}
	inMessage struct {
		ID      int64  `json:"message_id"`
		From    sender `json:"from"`
		Chat    chat   `json:"chat"`
		Date    int64  `json:"date"`
		Text    string `json:"text"`
		Caption string `json:"caption"`
	}
	callbackQuery struct {
		ID      string     `json:"id"`
		From    sender     `json:"from"`
		Message *inMessage `json:"message"`
		Data    string     `json:"data"`
	}
	chatMemberNews struct {
		Chat chat   `json:"chat"`
		From sender `json:"from"`
		Date int64  `json:"date"`
		Old  member `json:"old_chat_member"`
		New  member `json:"new_chat_member"`
	}
)

// readUpdate reads one update. Fields that this connector does not know are left alone. Where only the number can be read
// it is given beside the error, and 0 where not even that.
func readUpdate(raw json.RawMessage) (update, error) {
	var u update
	err := json.Unmarshal(raw, &u)
	if err == nil && u.ID > 0 {
		return u, nil
	}
	var only struct {
		ID int64 `json:"update_id"`
	}
	if json.Unmarshal(raw, &only) != nil || only.ID <= 0 {
		only.ID = 0
	}
	// The cause may repeat what somebody wrote.
	return update{ID: only.ID}, errors.New("its form is not that of the Bot API")
}

// event is what an update means; false when it means nothing to Belfry. Only private chats with people give events: what
// happens in groups and channels never makes somebody a reader.
func (c *Connector) event(u update, now time.Time) (sdk.InboxEvent, bool) {
	e := sdk.InboxEvent{ID: c.number + "-" + strconv.FormatInt(u.ID, 10), At: now.UTC()}
	var in chat
	var from sender
	switch {
	case u.Message != nil:
		m := u.Message
		in, from = m.Chat, m.From
		e.Kind, e.At = sdk.EventMessage, at(m.Date, now)
		if e.Text = m.Text; e.Text == "" {
			e.Text = m.Caption
		}
		e.Ref = strconv.FormatInt(m.ID, 10)
		e.ReplyTo = e.Ref
	case u.Callback != nil && u.Callback.Message != nil && u.Callback.Data != "":
		q := u.Callback
		in, from = q.Message.Chat, q.From
		e.Kind, e.Data = sdk.EventButton, q.Data
		e.Ref = strconv.FormatInt(q.Message.ID, 10)
	case u.Member != nil:
		m := u.Member
		in, from = m.Chat, m.From
		e.At = at(m.Date, now)
		switch {
		case m.New.Status == "kicked":
			e.Kind = sdk.EventStop
		case m.New.Status == "member" && m.Old.Status != "member":
			e.Kind = sdk.EventReopen
		default:
			return sdk.InboxEvent{}, false
		}
	default:
		return sdk.InboxEvent{}, false
	}
	// In a private chat the chat's number is the person's.
	if in.Type != "private" || in.ID <= 0 || from.ID != in.ID || from.IsBot {
		return sdk.InboxEvent{}, false
	}
	e.From = sdk.Handle{Medium: Medium, Value: strconv.FormatInt(in.ID, 10)}
	e.Lang = from.Lang
	if from.Username != "" {
		e.Name = "@" + from.Username
	}
	return e, true
}

// at reads a Unix time; the time of receipt where it is missing or cannot be.
func at(unix int64, now time.Time) time.Time {
	if t := time.Unix(unix, 0); unix > 0 && !t.After(now.Add(time.Hour)) {
		return t.UTC()
	}
	return now.UTC()
}

// cursor is where listening goes on: the next update of this bot.
type cursor struct {
	Bot    string `json:"bot"`
	Offset int64  `json:"offset"`
}

// readCursor reads a cursor; one of another bot counts for nothing, since bots number their updates by themselves.
func (c *Connector) readCursor(from sdk.Cursor) (int64, error) {
	if len(from) == 0 {
		return 0, nil
	}
	var was cursor
	if err := json.Unmarshal(from, &was); err != nil || was.Offset < 0 {
		return 0, sdk.Errorf(sdk.CodeInvalid, "listen", "the record of where to go on was not made by this destination")
	}
	if was.Bot != c.number {
		return 0, nil
	}
	return was.Offset, nil
}

func (c *Connector) cursorAt(offset int64) sdk.Cursor {
	return sdk.Cursor(encode(cursor{Bot: c.number, Offset: offset}))
}

// botNumber is the part of a token that is no secret.
func botNumber(token string) string {
	number, _, _ := strings.Cut(token, ":")
	return number
}
