package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Edit makes the message or album show the part. A text can become another text or a picture; a picture can become
// another picture; an album keeps its number of pictures. What cannot be done by an edit has CodeUnsupported.
//
// An album may need several calls. Its text comes first. When one of them fails, the reference given back beside the
// error tells how far the edit came; repeating the edit with either reference is right.
func (c *Connector) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	e, err := c.edit(ref, part)
	if err != nil {
		return ref, err
	}
	unsupported := func(format string, args ...any) (sdk.PartRef, error) {
		return ref, sdk.Errorf(sdk.CodeUnsupported, part.Kind, format, args...)
	}
	switch had, has := len(e.state.Photos), len(part.Files); {
	case has == 0 && had == 0:
		err = e.text(ctx)
	case has == 0:
		return unsupported("Telegram cannot take the picture out of the post in %s; delete it and post it again", e.at.name())
	case has != len(e.ids):
		return unsupported("the post in %s has %s and its correction %s, and Telegram cannot change their number; "+
			"delete it and post it again",
			e.at.name(), pictures(had), pictures(has))
	default:
		err = e.photos(ctx)
	}
	ref.State = encode(e.state)
	return ref, err
}

func pictures(n int) string {
	switch n {
	case 0:
		return "no picture"
	case 1:
		return "one picture"
	}
	return strconv.Itoa(n) + " pictures"
}

// edition is one edit under way.
type edition struct {
	c       *Connector
	at      place
	ids     []int64
	state   partState
	part    sdk.Part
	request fields
	uploads []upload
}

func (c *Connector) edit(ref sdk.PartRef, part sdk.Part) (*edition, error) {
	ids, state, err := referred(ref, "edit")
	if err != nil {
		return nil, err
	}
	e := &edition{c: c, at: place{Name: state.Name, Bot: state.Bot}, ids: ids, state: state, part: part}
	e.request, e.uploads, err = request(part)
	return e, err
}

// referred reads a reference that Publish made.
func referred(ref sdk.PartRef, op string) ([]int64, partState, error) {
	var state partState
	if json.Unmarshal(ref.State, &state) != nil || state.Chat >= 0 || len(ref.IDs) == 0 || len(ref.IDs) > maxAlbum ||
		(len(state.Photos) != 0 && len(state.Photos) != len(ref.IDs)) {
		return nil, state, foreign(op)
	}
	ids := make([]int64, len(ref.IDs))
	for i, id := range ref.IDs {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			return nil, state, foreign(op)
		}
		ids[i] = n
	}
	return ids, state, nil
}

func (e *edition) text(ctx context.Context) error {
	params := pick(e.request, "text", "parse_mode", "link_preview_options")
	_, err := e.call(ctx, "editMessageText", 0, params, nil)
	return err
}

func (e *edition) photos(ctx context.Context) error {
	items := []fields{pick(e.request, captionFields...)}
	if e.part.Kind == kindAlbum {
		items = nil
		if err := json.Unmarshal(e.request["media"], &items); err != nil || len(items) != len(e.ids) {
			return sdk.Errorf(sdk.CodeInvalid, e.part.Kind, "the planned request cannot be read")
		}
	}
	known := slices.Clone(e.state.Photos)
	for i, item := range items {
		file := e.part.Files[i]
		if i >= len(known) || known[i].Digest != digest(file) {
			m, err := e.replace(ctx, i, item, file, known)
			if err != nil {
				return err
			}
			now := make([]photoState, len(items))
			copy(now, e.state.Photos)
			now[i] = shown(file, m)
			e.state.Photos = now
			continue
		}
		if i > 0 {
			continue // only the first picture of an album carries text
		}
		params := pick(item, captionFields...)
		if params["caption"] == nil {
			params.set("caption", "")
		}
		if _, err := e.call(ctx, "editMessageCaption", i, params, nil); err != nil {
			return err
		}
	}
	return nil
}

// replace puts another picture into a message: one that this post shows already by Telegram's own name for it, which
// saves the upload, or else by an upload.
func (e *edition) replace(ctx context.Context, i int, item fields, file sdk.File, known []photoState) (message, error) {
	media := pick(item, captionFields...)
	media.set("type", "photo")
	if at := slices.IndexFunc(known, func(k photoState) bool { return k.Digest == digest(file) && k.File != "" }); at >= 0 {
		media.set("media", known[at].File)
		m, err := e.call(ctx, "editMessageMedia", i, fields{"media": encode(media)}, nil)
		if err == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			return m, err
		}
		// Telegram has forgotten the file.
	}
	media.set("media", attach(i))
	return e.call(ctx, "editMessageMedia", i, fields{"media": encode(media)}, e.uploads[i:i+1])
}

var captionFields = []string{"caption", "parse_mode", "show_caption_above_media"}

// pick copies the named fields that are there.
func pick(from fields, names ...string) fields {
	out := fields{}
	for _, name := range names {
		if from[name] != nil {
			out[name] = from[name]
		}
	}
	return out
}

// call edits one message. That nothing would change is a success.
func (e *edition) call(ctx context.Context, method string, i int, params fields, files []upload) (message, error) {
	params.set("chat_id", e.state.Chat)
	params.set("message_id", e.ids[i])
	var result json.RawMessage
	err := e.c.call(ctx, e.at, method, editing, params, files, &result)
	if err != nil {
		if r, ok := errors.AsType[*refusal](err); ok && r.Status == 400 && strings.Contains(strings.ToLower(r.Description), "message is not modified") {
			return message{}, nil
		}
		return message{}, err
	}
	var m message
	_ = json.Unmarshal(result, &m) // true for messages that are not the bot's own; then the file's name stays unknown
	return m, nil
}

// Delete takes the message or the whole album away. What is already gone is a success. After 48 hours a bot without the
// right to delete messages gets CodeWindowClosed.
func (c *Connector) Delete(ctx context.Context, ref sdk.PartRef) error {
	ids, state, err := referred(ref, "delete")
	if err != nil {
		return err
	}
	at := place{Name: state.Name, Bot: state.Bot}
	method, params := "deleteMessage", fields{}
	params.set("chat_id", state.Chat)
	if len(ids) == 1 {
		params.set("message_id", ids[0])
	} else {
		method = "deleteMessages"
		params.set("message_ids", ids)
	}
	var done bool
	err = c.call(ctx, at, method, removing, params, nil, &done)
	if err == nil {
		return nil
	}
	if r, ok := errors.AsType[*refusal](err); ok && r.Status == 400 {
		said := strings.ToLower(r.Description)
		if strings.Contains(said, "message to delete not found") || strings.Contains(said, "message_id_invalid") {
			return nil
		}
	}
	return err
}
