package telegram

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

var _ sdk.Rehearser = (*Connector)(nil)

// Rehearse answers as the Bot API does for a bot that may do everything in a channel. A channel known by its name only
// has a number made of that name, since the real one would have to be asked for.
func (c *Connector) Rehearse(r *http.Request, body []byte, n int) []byte {
	f := rehearsedFields(r.Header.Get("Content-Type"), body)
	name := strings.Trim(string(f["chat_id"]), `"`)
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		id = -1_000_000_000_000 - int64(crc32.ChecksumIEEE([]byte(name)))
	}
	in := chat{ID: id, Type: "channel", Title: name, Username: strings.TrimPrefix(name, "@")}
	if err == nil {
		in.Username = ""
	}
	var result any
	switch path.Base(r.URL.Path) {
	case "getMe":
		result = user{ID: 1, Username: "rehearsal_bot"}
	case "getChat":
		result = in
	case "getChatMember":
		result = member{Status: "administrator", CanPostMessages: true, CanDeleteMessages: true}
	case kindText, kindPhoto:
		result = message{ID: int64(n * maxAlbum), Chat: in}
	case kindAlbum:
		var items []json.RawMessage
		_ = json.Unmarshal(f["media"], &items) // one that cannot be read becomes no message, which Publish reports
		sent := make([]message, len(items))
		for i := range items {
			sent[i] = message{ID: int64(n*maxAlbum + i), Chat: in}
		}
		result = sent
	default:
		result = true
	}
	return encode(map[string]any{"ok": true, "result": result})
}

// rehearsedFields reads the fields of a call back, from JSON or from a form.
func rehearsedFields(contentType string, body []byte) fields {
	f := fields{}
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" {
		_ = json.Unmarshal(body, &f) // what this connector wrote is JSON
		return f
	}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := form.NextPart()
		if err != nil {
			return f
		}
		if p.FileName() == "" {
			value, _ := io.ReadAll(p)
			f[p.FormName()] = value
		}
	}
}
