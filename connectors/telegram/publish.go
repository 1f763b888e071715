package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// partState is what a PartRef carries besides the message numbers: what an edit must know of what stands there.
type partState struct {
	Chat int64  `json:"chat"`
	Name string `json:"name,omitempty"`
	Bot  string `json:"bot,omitempty"`
	// Photos has an entry for each message of a picture or album, and none for a text.
	Photos []photoState `json:"photos,omitempty"`
}

type photoState struct {
	// Digest is the beginning of the file's SHA-256; File is Telegram's own name for the file, for using it again.
	Digest string `json:"digest"`
	File   string `json:"file,omitempty"`
}

func shown(f sdk.File, m message) photoState {
	s := photoState{Digest: digest(f)}
	if n := len(m.Photo); n > 0 && len(m.Photo[n-1].FileID) <= 200 {
		s.File = m.Photo[n-1].FileID
	}
	return s
}

func digest(f sdk.File) string { return f.SHA256[:min(len(f.SHA256), 32)] }

// Publish makes the call. When the answer is lost or cannot be understood the error has CodeUnknownOutcome: Telegram has
// no way to ask whether the post is out.
func (c *Connector) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	id, err := parseChatID(to.ID)
	if err != nil {
		return sdk.PartRef{}, err
	}
	at := placeOf(to)
	params, files, err := request(part)
	if err != nil {
		return sdk.PartRef{}, err
	}
	params.set("chat_id", id)
	if part.ReplyTo != nil && len(part.ReplyTo.IDs) > 0 {
		answered, err := strconv.ParseInt(part.ReplyTo.IDs[0], 10, 64)
		if err != nil {
			return sdk.PartRef{}, foreign(part.Kind)
		}
		// Whoever deleted the answered post must not stop the answer.
		params.set("reply_parameters", map[string]any{"message_id": answered, "allow_sending_without_reply": true})
	}
	var sent []message
	if part.Kind == kindAlbum {
		err = c.call(ctx, at, part.Kind, sending, params, files, &sent)
	} else {
		sent = make([]message, 1)
		err = c.call(ctx, at, part.Kind, sending, params, files, &sent[0])
	}
	if err != nil {
		return sdk.PartRef{}, err
	}
	return c.reply(at, part, sent)
}

// request reads a part's request back and puts its files beside it.
func request(part sdk.Part) (fields, []upload, error) {
	params := fields{}
	if err := json.Unmarshal(part.Request, &params); err != nil {
		return nil, nil, &sdk.Error{Code: sdk.CodeInvalid, Op: part.Kind, Public: "the planned request cannot be read",
			Err: err}
	}
	want := map[string]bool{kindText: len(part.Files) == 0, kindPhoto: len(part.Files) == 1,
		kindAlbum: len(part.Files) >= 2 && len(part.Files) <= maxAlbum}
	if fits, known := want[part.Kind]; !known || !fits {
		return nil, nil, sdk.Errorf(sdk.CodeUnsupported, part.Kind,
			"%q with %d files is no call that this connector makes", part.Kind, len(part.Files))
	}
	uploads := make([]upload, len(part.Files))
	for i, f := range part.Files {
		if len(f.Data) == 0 {
			return nil, nil, sdk.Errorf(sdk.CodeInvalid, part.Kind, "the content of picture %d is missing", i+1)
		}
		uploads[i] = upload{name: attachName(i), file: f}
	}
	return params, uploads, nil
}

func (c *Connector) reply(at place, part sdk.Part, sent []message) (sdk.PartRef, error) {
	nameless := len(sent) != max(len(part.Files), 1)
	for _, m := range sent {
		nameless = nameless || m.ID <= 0 || m.Chat.ID >= 0
	}
	if nameless {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeUnknownOutcome, part.Kind,
			"Telegram took the post for %s without saying which message it became; whether it is out is not known", at.name())
	}
	first := sent[0]
	state := partState{Chat: first.Chat.ID, Name: at.Name, Bot: at.Bot}
	ref := sdk.PartRef{URL: address(first)}
	for i, m := range sent {
		ref.IDs = append(ref.IDs, strconv.FormatInt(m.ID, 10))
		if i < len(part.Files) {
			state.Photos = append(state.Photos, shown(part.Files[i], m))
		}
	}
	ref.State = encode(state)
	return ref, nil
}

// address is where people see a message: public for channels with a name, for members in other channels and supergroups,
// and nowhere in small groups.
func address(m message) string {
	if m.Chat.Username != "" {
		return fmt.Sprintf("https://t.me/%s/%d", m.Chat.Username, m.ID)
	}
	if rest, ok := strings.CutPrefix(strconv.FormatInt(m.Chat.ID, 10), "-100"); ok && m.Chat.Type != "group" {
		return fmt.Sprintf("https://t.me/c/%s/%d", rest, m.ID)
	}
	return ""
}

// foreign is the error for a reference that this connector did not make.
func foreign(op string) *sdk.Error {
	return sdk.Errorf(sdk.CodeInvalid, op, "the record of this post was not made by this destination")
}
