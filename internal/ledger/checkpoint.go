package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is the state of a log at one size.
type Checkpoint struct {
	// Origin names the log. It is also the name of the key that signs, such as "news.example/belfry/ledger".
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text gives the text that is signed: origin, size and root in a line each.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign gives the signed checkpoint. Keys come from note.GenerateKey with the origin as their name.
func (c Checkpoint) Sign(by note.Signer) ([]byte, error) {
	if c.Origin != by.Name() {
		return nil, fmt.Errorf("the checkpoint is of %q, and the key of %q", c.Origin, by.Name())
	}
	return note.Sign(&note.Note{Text: c.Text()}, by)
}

// Open reads a signed checkpoint of this origin, signed with a key that is known. Lines after the third are allowed, as
// in tlog-checkpoint, and mean nothing here.
func Open(text []byte, origin string, keys note.Verifiers) (Checkpoint, error) {
	n, err := note.Open(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), keys)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return Checkpoint{}, errors.New("it is signed by a key that is not this ledger's")
	case errors.As(err, &invalid):
		return Checkpoint{}, errors.New("its text and its signature do not belong together")
	case err != nil:
		return Checkpoint{}, errors.New("it is no signed checkpoint: three lines, an empty one, and a signature")
	}
	return parse(n.Text, origin)
}

func parse(text, origin string) (Checkpoint, error) {
	c := Checkpoint{}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return c, fmt.Errorf("it has %d lines, and a checkpoint three", len(lines)-1)
	}
	if lines[0] != origin {
		return c, fmt.Errorf("it is of the log %q, and this is %q", lines[0], origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return c, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, fmt.Errorf("%q is no root", lines[2])
	}
	return Checkpoint{Origin: origin, Size: size, Root: tlog.Hash(root)}, nil
}
