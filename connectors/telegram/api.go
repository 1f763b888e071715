package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const second = time.Second

// methodUpdates is the call that waits until there is something to tell.
const methodUpdates = "getUpdates"

// The parts of the Bot API's answers that are read.
type (
	user struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
	}
	chat struct {
		ID          int64        `json:"id"`
		Type        string       `json:"type"` // private, group, supergroup, channel
		Title       string       `json:"title"`
		Username    string       `json:"username"`
		Permissions *permissions `json:"permissions"`
	}
	permissions struct {
		CanSendMessages *bool `json:"can_send_messages"`
	}
	member struct {
		Status            string `json:"status"` // creator, administrator, member, restricted, left, kicked
		CanPostMessages   bool   `json:"can_post_messages"`
		CanDeleteMessages bool   `json:"can_delete_messages"`
		CanSendMessages   *bool  `json:"can_send_messages"`
	}
	message struct {
		ID    int64   `json:"message_id"`
		Chat  chat    `json:"chat"`
		Photo []photo `json:"photo"`
	}
	photo struct {
		FileID string `json:"file_id"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
)

// verb is what kind of call is made; it decides what a failure means.
type verb int

const (
	reading   verb = iota
	sending        // to a channel
	messaging      // to a person
	editing
	removing
)

// once reports whether a repetition would be seen: what is lost on the way may have had its effect.
func (v verb) once() bool { return v == sending || v == messaging }

// fields are the fields of a call, each as JSON.
type fields map[string]json.RawMessage

func (f fields) set(name string, value any) { f[name] = encode(value) }

// encode writes JSON without escaping < and >, so that people can read formatted text in it.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("telegram: a request that cannot be written: " + err.Error()) // our own types only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// upload is a file under the name that the fields refer to as attach://name.
type upload struct {
	name string
	file sdk.File
}

// call makes one call and reads its result into out. When a group has become a supergroup, a question or a send is
// repeated once for the new chat: the first call had no effect. An edit or a removal is not, because messages have other
// numbers there.
func (c *Connector) call(ctx context.Context, at place, method string, v verb, f fields, files []upload, out any) error {
	err := c.once(ctx, method, v, f, files, out)
	if r, ok := errors.AsType[*refusal](err); ok && r.MigrateTo < 0 && f["chat_id"] != nil && (v == reading || v == sending) {
		f.set("chat_id", r.MigrateTo)
		delete(f, "reply_parameters")
		err = c.once(ctx, method, v, f, files, out)
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return c.judge(r, method, v, at)
	}
	return err
}

// once makes one HTTP exchange. Its error is a *refusal, which is Telegram's own word, or an *sdk.Error.
func (c *Connector) once(ctx context.Context, method string, v verb, f fields, files []upload, out any) error {
	body, contentType, err := requestBody(f, files)
	if err != nil {
		return &sdk.Error{Code: sdk.CodeInvalid, Op: method, Public: "the request to Telegram cannot be written", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+method, bytes.NewReader(body))
	if err != nil {
		// The cause would repeat the address and its token.
		return sdk.Errorf(sdk.CodeInvalid, method, "the address in api: cannot be used")
	}
	req.Header.Set("Content-Type", contentType)
	client := c.client
	if method == methodUpdates {
		client = c.polls
	}
	answer, err := client.Send(req, method)
	if err != nil {
		return transport(err, v)
	}
	return c.read(answer, method, v, out)
}

// transport says what a broken exchange means: whoever repeats an edit, a removal or a question does no harm.
func transport(err error, v verb) error {
	e := *sdk.AsError(err)
	if e.Code == sdk.CodeUnknownOutcome && !v.once() {
		e.Code = sdk.CodeUnavailable
		e.Scope = sdk.ScopeAccount
	}
	return &e
}

// requestBody is JSON, or a form when there are files.
func requestBody(f fields, files []upload) (body []byte, contentType string, err error) {
	if len(files) == 0 {
		return encode(f), "application/json", nil
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range f {
		text := string(value)
		var s string
		if json.Unmarshal(value, &s) == nil {
			text = s
		}
		if err := w.WriteField(name, text); err != nil {
			return nil, "", err
		}
	}
	for _, u := range files {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, u.name, u.name+extension(u.file.Type)))
		h.Set("Content-Type", u.file.Type)
		p, err := w.CreatePart(h)
		if err != nil {
			return nil, "", err
		}
		if _, err := io.Copy(p, bytes.NewReader(u.file.Data)); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func extension(mediaType string) string {
	switch mediaType {
	case "image/png":
		return ".png"
	case "image/webp":
		return ".webp"
	}
	return ".jpg"
}

// refusal is Telegram's own "no": the call certainly had no effect, unless it is a 5xx.
type refusal struct {
	Status      int
	Description string
	RetryAfter  time.Duration
	MigrateTo   int64
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Description) }

// envelope is the shape of every answer.
type envelope struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter float64 `json:"retry_after"`
		MigrateTo  int64   `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// read reads an answer. Only {"ok":true} with a result that can be read is a success.
func (c *Connector) read(a sdk.Answer, method string, v verb, out any) error {
	var e envelope
	if json.Unmarshal(a.Body, &e) != nil || (!e.OK && e.ErrorCode == 0 && e.Description == "") {
		return c.stranger(a, method, v)
	}
	if e.OK {
		if a.Status >= 300 || json.Unmarshal(e.Result, out) != nil {
			return c.stranger(a, method, v)
		}
		return nil
	}
	r := &refusal{Status: e.ErrorCode, Description: c.clean(e.Description), MigrateTo: e.Parameters.MigrateTo}
	if r.Status == 0 {
		r.Status = a.Status
	}
	if s := e.Parameters.RetryAfter; s > 0 {
		r.RetryAfter = sdk.Forever / 2
		if s < r.RetryAfter.Seconds() {
			r.RetryAfter = time.Duration(s * float64(second))
		}
	}
	if h, ok := sdk.RetryAfter(a.Header, a.At); ok {
		r.RetryAfter = max(r.RetryAfter, h)
	}
	return r
}

// parseChatID reads a ChannelRef.ID. Only channels and groups have negative numbers; persons are refused.
func parseChatID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n >= 0 {
		e := sdk.Errorf(sdk.CodeNotAChannel, "chat", "%q is no channel or group; Belfry posts to nothing else", id)
		e.Scope = sdk.ScopeDestination
		return 0, e
	}
	return n, nil
}
