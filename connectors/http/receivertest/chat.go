package receivertest

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mattermost stands for a Mattermost server: POST /hooks/KEY for an incoming webhook, and /api/v4/posts for a bot with a
// token. Texts have at most 16383 characters; a webhook answers a plain ok.
func Mattermost(o Options, key, token string) *Product {
	fail := func(code int, id, text string) reply {
		return reply{code, map[string]any{"id": id, "message": text, "status_code": code, "request_id": "r1"}}
	}
	return newProduct(o, `(?i)(?:^|[^A-Za-z0-9_])@(?:all|channel|here|[a-z][a-z0-9._-]*)|<!(?:all|channel|here)>`,
		func(p *Product, r *http.Request, body []byte) reply {
			if hook, ok := strings.CutPrefix(r.URL.Path, "/hooks/"); ok {
				if hook != key || r.Method != http.MethodPost {
					return fail(404, "web.incoming_webhook.invalid.app_error", "Invalid webhook.")
				}
				return mattermostHook(p, r, body, fail)
			}
			if r.Header.Get("Authorization") != "Bearer "+token {
				return fail(401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.")
			}
			return mattermostPosts(p, r, body, fail)
		})
}

const mattermostMax = 16383

func mattermostHook(p *Product, r *http.Request, body []byte, fail func(int, string, string) reply) reply {
	var in struct {
		Text string `json:"text"`
	}
	err := unknownMembers(body, "text", "channel", "username", "icon_url", "icon_emoji", "attachments", "props",
		"priority", "type")
	if err != nil || !isJSON(r) || json.Unmarshal(body, &in) != nil {
		return fail(400, "web.incoming_webhook.parse.app_error", "Unable to parse incoming data.")
	}
	switch {
	case in.Text == "":
		return fail(400, "web.incoming_webhook.text.app_error", "No text specified.")
	case codePoints(in.Text) > mattermostMax:
		return fail(400, "web.incoming_webhook.text.length.app_error", "Maximum text length is 16383 characters.")
	case !p.post(Message{ID: fmt.Sprintf("post%d", p.next()), Text: in.Text}):
		return fail(500, "journal", "the journal failed")
	}
	return reply{200, "ok"}
}

func mattermostPosts(p *Product, r *http.Request, body []byte, fail func(int, string, string) reply) reply {
	var in struct {
		Channel string `json:"channel_id"`
		Message string `json:"message"`
	}
	if r.Method != http.MethodDelete {
		err := unknownMembers(body, "channel_id", "message", "root_id", "props", "pending_post_id", "file_ids")
		if err != nil || json.Unmarshal(body, &in) != nil || in.Message == "" || codePoints(in.Message) > mattermostMax {
			return fail(400, "api.context.invalid_body_param.app_error", "Invalid or missing message in request body.")
		}
	}
	id, patch := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v4/posts/"), "/patch")
	m := p.find(id)
	var ok bool
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/v4/posts":
		if in.Channel == "" {
			return fail(400, "api.context.invalid_body_param.app_error", "Invalid or missing channel_id in request body.")
		}
		n := Message{ID: fmt.Sprintf("post%d", p.next()), Room: in.Channel, Text: in.Message}
		if p.post(n) {
			return reply{201, map[string]any{"id": n.ID, "channel_id": in.Channel, "message": in.Message}}
		}
	case m == nil:
		return fail(404, "app.post.get.app_error", "Unable to get the post.")
	case r.Method == http.MethodPut && patch && in.Channel == "":
		ok = p.edit(m, "", in.Message)
	case r.Method == http.MethodDelete && !patch:
		ok = p.remove(m)
	default:
		return fail(400, "api.context.invalid_url_param.app_error", "Invalid request.")
	}
	if !ok {
		return fail(500, "journal", "the journal failed")
	}
	return reply{200, map[string]any{"id": id, "status": "OK"}}
}

// RocketChat stands for a Rocket.Chat server: POST /hooks/ID/TOKEN for an incoming integration, and chat.postMessage,
// chat.update and chat.delete under /api/v1/ for a user with a token. Texts have at most 5000 characters.
func RocketChat(o Options, hook, user, token string) *Product {
	fail := func(code int, text string) reply { return reply{code, map[string]any{"success": false, "error": text}} }
	return newProduct(o, `(?:^|[\s>(*_~])@(?:all|here|[a-zA-Z0-9._-]+)`, func(p *Product, r *http.Request,
		body []byte) reply {
		if r.Method != http.MethodPost || !isJSON(r) {
			return fail(400, "Invalid request")
		}
		if path, ok := strings.CutPrefix(r.URL.Path, "/hooks/"); ok {
			if path != hook {
				return fail(401, "Invalid integration id or token provided.")
			}
			return rocketPost(p, body, fail, "text", "channel", "alias", "avatar", "emoji", "attachments")
		}
		if r.Header.Get("X-Auth-Token") != token || r.Header.Get("X-User-Id") != user {
			return reply{401, map[string]any{"status": "error", "message": "You must be logged in to do this."}}
		}
		switch r.URL.Path {
		case "/api/v1/chat.postMessage":
			return rocketPost(p, body, fail, "text", "channel", "roomId", "alias", "avatar", "emoji", "attachments", "tmid")
		case "/api/v1/chat.update":
			return rocketChange(p, body, fail, true, "roomId", "msgId", "text")
		case "/api/v1/chat.delete":
			return rocketChange(p, body, fail, false, "roomId", "msgId", "asUser")
		}
		return fail(404, "unknown method")
	})
}

type rocketFields struct {
	Text    string `json:"text"`
	Channel string `json:"channel"`
	RoomID  string `json:"roomId"`
	MsgID   string `json:"msgId"`
}

const rocketMax = 5000

func rocketPost(p *Product, body []byte, fail func(int, string) reply, known ...string) reply {
	var in rocketFields
	if err := unknownMembers(body, known...); err != nil || json.Unmarshal(body, &in) != nil {
		return fail(400, "invalid-params")
	}
	room := in.RoomID
	if room == "" {
		room = in.Channel
	}
	switch {
	case in.Text == "":
		return fail(400, "error-no-message")
	case codePoints(in.Text) > rocketMax:
		return fail(400, "error-message-size-exceeded")
	case slices.Contains(known, "roomId") && room == "":
		return fail(400, "[invalid-channel]")
	case strings.HasPrefix(room, "@"):
		return fail(400, "error-not-allowed")
	}
	m := Message{ID: fmt.Sprintf("rc%d", p.next()), Room: room, Text: in.Text}
	if !p.post(m) {
		return fail(500, "the journal failed")
	}
	return reply{200, map[string]any{"success": true, "message": map[string]any{"_id": m.ID, "rid": room, "msg": in.Text}}}
}

func rocketChange(p *Product, body []byte, fail func(int, string) reply, edit bool, known ...string) reply {
	var in rocketFields
	if err := unknownMembers(body, known...); err != nil || json.Unmarshal(body, &in) != nil || in.MsgID == "" || in.RoomID == "" {
		return fail(400, "The required params are missing.")
	}
	m := p.find(in.MsgID)
	switch {
	case m == nil:
		return fail(400, fmt.Sprintf("No message found with the id of %q.", in.MsgID))
	case m.Room != in.RoomID:
		return fail(400, "The room id provided does not match where the message is from.")
	case edit && (in.Text == "" || codePoints(in.Text) > rocketMax):
		return fail(400, "error-message-size-exceeded")
	case edit && !p.edit(m, "", in.Text), !edit && !p.remove(m):
		return fail(500, "the journal failed")
	}
	return reply{200, map[string]any{"success": true, "_id": in.MsgID}}
}

// Zulip stands for a Zulip server: a form to /api/v1/messages with Basic authentication, PATCH and DELETE for one
// message. A topic has at most 60 characters and a message at most 10000; both are refused beyond that, where Zulip
// would cut them. Only the channels (streams) given exist.
func Zulip(o Options, email, key string, streams ...string) *Product {
	fail := func(http int, code, text string) reply {
		return reply{http, map[string]any{"result": "error", "msg": text, "code": code}}
	}
	return newProduct(o, `(?:^|[^\p{L}\p{N}_])@_?\*{1,2}[^*]+\*{1,2}|(?:^|\s)@(?:all|everyone|stream|channel|topic)\b`,
		func(p *Product, r *http.Request, body []byte) reply {
			user, password, _ := r.BasicAuth()
			if user != email || subtle.ConstantTimeCompare([]byte(password), []byte(key)) != 1 {
				return fail(401, "UNAUTHORIZED", "Invalid API key")
			}
			values, err := url.ParseQuery(string(body))
			if err != nil || (len(body) > 0 && r.Header.Get("Content-Type") != "application/x-www-form-urlencoded") {
				return fail(400, "BAD_REQUEST", "The form cannot be read")
			}
			id, one := strings.CutPrefix(r.URL.Path, "/api/v1/messages/")
			switch {
			case r.Method == http.MethodPost && r.URL.Path == "/api/v1/messages":
				return zulipPost(p, values, streams, fail)
			case one && (r.Method == http.MethodPatch || r.Method == http.MethodDelete):
				return zulipChange(p, r.Method, id, values, fail)
			}
			return fail(404, "BAD_REQUEST", "Endpoint not found")
		})
}

const (
	zulipMax      = 10000
	zulipMaxTopic = 60
)

// onlyFields refuses fields that are not known or come twice.
func onlyFields(values url.Values, known ...string) bool {
	for name, v := range values {
		if !slices.Contains(known, name) || len(v) != 1 {
			return false
		}
	}
	return true
}

func zulipPost(p *Product, v url.Values, streams []string, fail func(int, string, string) reply) reply {
	content, topic, to := v.Get("content"), v.Get("topic"), v.Get("to")
	switch {
	case !onlyFields(v, "type", "to", "topic", "content", "queue_id", "local_id", "read_by_sender"):
		return fail(400, "BAD_REQUEST", "Unknown field")
	case v.Get("type") != "stream" && v.Get("type") != "channel":
		return fail(400, "BAD_REQUEST", "Invalid message type")
	case strings.TrimSpace(content) == "":
		return fail(400, "BAD_REQUEST", "Message must not be empty")
	case codePoints(content) > zulipMax || codePoints(topic) > zulipMaxTopic || topic == "":
		return fail(400, "BAD_REQUEST", "The message or its topic is too long, or there is no topic")
	case !slices.Contains(streams, to):
		return fail(400, "STREAM_DOES_NOT_EXIST", fmt.Sprintf("Channel '%s' does not exist", to))
	}
	n := p.next()
	if !p.post(Message{ID: strconv.Itoa(n), Room: to, Title: topic, Text: content}) {
		return fail(500, "INTERNAL", "the journal failed")
	}
	return reply{200, map[string]any{"result": "success", "msg": "", "id": n}}
}

func zulipChange(p *Product, method, id string, v url.Values, fail func(int, string, string) reply) reply {
	m := p.find(id)
	content := v.Get("content")
	switch {
	case m == nil:
		return fail(404, "BAD_REQUEST", "Invalid message(s)")
	case method == http.MethodDelete && !p.remove(m):
		return fail(500, "INTERNAL", "the journal failed")
	case method == http.MethodDelete:
	case !onlyFields(v, "content", "topic", "propagate_mode"):
		return fail(400, "BAD_REQUEST", "Unknown field")
	case strings.TrimSpace(content) == "" || codePoints(content) > zulipMax:
		return fail(400, "BAD_REQUEST", "Nothing to change, or too long")
	case !p.edit(m, m.Title, content):
		return fail(500, "INTERNAL", "the journal failed")
	}
	return reply{200, map[string]any{"result": "success", "msg": ""}}
}

// Teams stands for a Workflow webhook of Microsoft Teams: one message with one Adaptive Card of at most 28 KB, answered
// with 202. The signature is in the query. There is no edit and no deletion.
func Teams(o Options, path, signature string) *Product {
	fail := func(code int, kind, text string) reply {
		return reply{code, map[string]any{"error": map[string]any{"code": kind, "message": text}}}
	}
	return newProduct(o, `<at>[^<]*</at>`, func(p *Product, r *http.Request, body []byte) reply {
		switch {
		case r.URL.Path != path:
			return fail(404, "WorkflowNotFound", "The workflow could not be found.")
		case r.URL.Query().Get("sig") != signature:
			return fail(401, "DirectApiAuthorizationRequired",
				"The request must be authenticated only by Shared Access scheme.")
		case r.Method != http.MethodPost || !isJSON(r):
			return fail(400, "InvalidRequest", "POST application/json only")
		case len(body) > 28<<10:
			return fail(413, "RequestEntityTooLarge", "The message is larger than 28 KB.")
		}
		text, link, err := readCard(body)
		if err != nil {
			return fail(400, "TriggerInputSchemaMismatch", err.Error())
		}
		if !p.post(Message{ID: fmt.Sprintf("card%d", p.next()), Text: text, Link: link}) {
			return fail(500, "InternalServerError", "the journal failed")
		}
		return reply{202, ""}
	})
}

// readCard checks a message with an Adaptive Card and gives its texts, a line each, and its first link.
func readCard(body []byte) (text, link string, err error) {
	type element struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		URL      string `json:"url"`
		AltText  string `json:"altText"`
		Wrap     bool   `json:"wrap"`
		Weight   string `json:"weight"`
		Size     string `json:"size"`
		IsSubtle bool   `json:"isSubtle"`
		Spacing  string `json:"spacing"`
		Title    string `json:"title"`
	}
	var in struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string  `json:"contentType"`
			ContentURL  *string `json:"contentUrl"`
			Content     struct {
				Schema  string    `json:"$schema"`
				Type    string    `json:"type"`
				Version string    `json:"version"`
				Body    []element `json:"body"`
				Actions []element `json:"actions"`
				MSTeams *struct {
					Width string `json:"width"`
				} `json:"msteams"`
			} `json:"content"`
		} `json:"attachments"`
	}
	if err := strict(body, &in); err != nil {
		return "", "", fmt.Errorf("the message cannot be read: %w", err)
	}
	if in.Type != "message" || len(in.Attachments) != 1 || in.Attachments[0].ContentURL != nil ||
		in.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
		return "", "", fmt.Errorf("one attachment with an Adaptive Card expected")
	}
	card := in.Attachments[0].Content
	if card.Type != "AdaptiveCard" || card.Version == "" || len(card.Body) == 0 {
		return "", "", fmt.Errorf("an AdaptiveCard with a version and a body expected")
	}
	var lines []string
	for _, e := range card.Body {
		switch {
		case e.Type == "TextBlock" && e.Text != "":
			lines = append(lines, e.Text)
		case e.Type == "Image" && isWebAddress(e.URL):
		default:
			return "", "", fmt.Errorf("a %q without content, or of an unknown type", e.Type)
		}
	}
	for _, a := range card.Actions {
		if a.Type != "Action.OpenUrl" || !isWebAddress(a.URL) || a.Title == "" {
			return "", "", fmt.Errorf("the action %q is not possible in a webhook's card", a.Type)
		}
		if link == "" {
			link = a.URL
		}
	}
	return strings.Join(lines, "\n"), link, nil
}
