package receivertest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var ntfyName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`) })

// Ntfy stands for an ntfy server (2.16 and later): POST / takes {topic, message, title…}, and DELETE /topic/sequence
// withdraws. Messages with the same sequence id replace each other. Errors are {code, http, error, link}.
func Ntfy(o Options, token string) *Product {
	fail := func(code, http int, text string) reply {
		return reply{http, map[string]any{"code": code, "http": http, "error": text, "link": "https://ntfy.sh/docs/publish/"}}
	}
	return newProduct(o, "", func(p *Product, r *http.Request, body []byte) reply {
		switch auth := r.Header.Get("Authorization"); {
		case auth == "":
			return fail(40301, 403, "forbidden")
		case auth != "Bearer "+token:
			return fail(40101, 401, "unauthorized")
		}
		path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		switch {
		case r.Method == http.MethodDelete && len(path) == 2 && ntfyName().MatchString(path[0]) && ntfyName().MatchString(path[1]):
			if m := p.find(path[1]); m != nil && !p.remove(m) {
				return fail(50001, 500, "internal server error")
			}
			return reply{200, map[string]any{"event": "message_delete", "topic": path[0], "sequence_id": path[1]}}
		case (r.Method == http.MethodPost || r.Method == http.MethodPut) && r.URL.Path == "/":
			return ntfyPublish(p, body, fail)
		}
		return fail(40401, 404, "page not found")
	})
}

func ntfyPublish(p *Product, body []byte, fail func(code, http int, text string) reply) reply {
	var in struct {
		Topic      string   `json:"topic"`
		Message    string   `json:"message"`
		Title      string   `json:"title"`
		Tags       []string `json:"tags"`
		Priority   int      `json:"priority"`
		Click      string   `json:"click"`
		Attach     string   `json:"attach"`
		Icon       string   `json:"icon"`
		Markdown   bool     `json:"markdown"`
		Delay      string   `json:"delay"`
		SequenceID string   `json:"sequence_id"`
	}
	if err := strict(body, &in); err != nil {
		return fail(40017, 400, "invalid request: request body must be message JSON")
	}
	switch {
	case !ntfyName().MatchString(in.Topic):
		return fail(40009, 400, "invalid request: topic invalid")
	case in.Priority < 0 || in.Priority > 5:
		return fail(40007, 400, "invalid priority parameter")
	case len(in.Message) > 4096:
		return fail(41301, 413, "attachment too large, or bandwidth limit reached")
	case in.Click != "" && !isWebAddress(in.Click), in.Attach != "" && !isWebAddress(in.Attach):
		return fail(40013, 400, "invalid request: attachment URL is invalid")
	case in.SequenceID != "" && !ntfyName().MatchString(in.SequenceID):
		return fail(40049, 400, "invalid request: sequence ID invalid")
	}
	n := p.next()
	id := fmt.Sprintf("msg%09d", n)
	answer := map[string]any{"id": id, "time": p.options.Now().Unix(), "event": "message", "topic": in.Topic,
		"message": in.Message, "title": in.Title}
	if in.SequenceID != "" {
		answer["sequence_id"] = in.SequenceID
		if m := p.find(in.SequenceID); m != nil {
			if !p.edit(m, in.Title, in.Message) {
				return fail(50001, 500, "internal server error")
			}
			return reply{200, answer}
		}
		id = in.SequenceID
	}
	if !p.post(Message{ID: id, Room: in.Topic, Title: in.Title, Text: in.Message, Link: in.Click}) {
		return fail(50001, 500, "internal server error")
	}
	return reply{200, answer}
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// Gotify stands for a Gotify server: POST /message with an application's token, DELETE /message/{id} with a client's.
// Errors are {error, errorCode, errorDescription}.
func Gotify(o Options, appToken, clientToken string) *Product {
	fail := func(code int, text string) reply {
		return reply{code, map[string]any{"error": http.StatusText(code), "errorCode": code, "errorDescription": text}}
	}
	return newProduct(o, "", func(p *Product, r *http.Request, body []byte) reply {
		token := r.Header.Get("X-Gotify-Key")
		if token == "" {
			token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		if token != appToken && token != clientToken {
			return fail(401, "you need to provide a valid access token or user credentials to access this api")
		}
		id, one := strings.CutPrefix(r.URL.Path, "/message/")
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/message":
			if token != appToken {
				return fail(403, "you are not allowed to access this api")
			}
			return gotifyPost(p, r, body, fail)
		case r.Method == http.MethodDelete && one:
			m := p.find(id)
			switch {
			case token != clientToken:
				return fail(403, "you are not allowed to access this api")
			case m == nil:
				return fail(404, "message does not exist")
			case !p.remove(m):
				return fail(500, "the journal failed")
			}
			return reply{200, ""}
		}
		return fail(404, "page not found")
	})
}

func gotifyPost(p *Product, r *http.Request, body []byte, fail func(int, string) reply) reply {
	var in struct {
		Message  string `json:"message"`
		Title    string `json:"title"`
		Priority int    `json:"priority"`
		Extras   struct {
			Display struct {
				ContentType string `json:"contentType"`
			} `json:"client::display"`
			Notification struct {
				Click struct {
					URL string `json:"url"`
				} `json:"click"`
			} `json:"client::notification"`
		} `json:"extras"`
	}
	if err := strict(body, &in); err != nil || !isJSON(r) {
		return fail(400, "the message cannot be read")
	}
	if in.Message == "" {
		return fail(400, "Field 'message' is required")
	}
	if t := in.Extras.Display.ContentType; t != "" && t != "text/plain" && t != "text/markdown" {
		return fail(400, "unknown content type "+t)
	}
	n := p.next()
	if !p.post(Message{ID: strconv.Itoa(n), Title: in.Title, Text: in.Message, Link: in.Extras.Notification.Click.URL}) {
		return fail(500, "the journal failed")
	}
	return reply{200, map[string]any{"id": n, "appid": 1, "message": in.Message, "title": in.Title, "priority": in.Priority,
		"date": p.options.Now().UTC()}}
}
