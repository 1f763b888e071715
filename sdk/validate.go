package sdk

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Validate checks what the host relies on in a batch: a cursor of at most MaxCursor bytes; keys that are there, at most
// MaxKey bytes long, text and unique; bodies that are valid; and no contradiction between its parts. Its errors have
// CodeInvalid or CodeTooLarge and name the item. What the host itself cuts or cleans (long titles, odd addresses) passes.
func (b Batch) Validate() error {
	if len(b.Next) > MaxCursor {
		return Errorf(CodeTooLarge, "batch", "the cursor has %d bytes; at most %d are stored", len(b.Next), MaxCursor)
	}
	if b.Unchanged && len(b.Items)+len(b.Removed)+len(b.Whole) > 0 {
		return Errorf(CodeInvalid, "batch", "the batch says that nothing changed and yet holds something")
	}
	if b.Complete && b.More {
		return Errorf(CodeInvalid, "batch", "the batch says that it is complete and that there is more")
	}
	seen := make(map[string]bool, len(b.Items))
	for i := range b.Items {
		it := &b.Items[i]
		if err := checkKey(it.Key); err != nil {
			return err
		}
		if seen[it.Key] {
			return Errorf(CodeInvalid, "batch", "the key %s stands for two items of one batch", quoteKey(it.Key))
		}
		seen[it.Key] = true
		if err := it.Body.Validate(); err != nil {
			e := AsError(err)
			return Errorf(e.Code, "batch", "item %s: %s", quoteKey(it.Key), e.Public)
		}
	}
	for _, r := range b.Removed {
		if err := checkKey(r.Key); err != nil {
			return err
		}
		if seen[r.Key] {
			return Errorf(CodeInvalid, "batch", "item %s is given and removed in one batch", quoteKey(r.Key))
		}
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case strings.TrimSpace(key) == "":
		return Errorf(CodeInvalid, "batch", "an item has no key")
	case len(key) > MaxKey:
		return Errorf(CodeTooLarge, "batch", "the key %s has %d bytes; at most %d are stored", quoteKey(key), len(key), MaxKey)
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return Errorf(CodeInvalid, "batch", "the key %s is no text", quoteKey(key))
	}
	return nil
}

// quoteKey names a key in a sentence.
func quoteKey(key string) string {
	const most = 80
	if len(key) > most {
		key = strings.ToValidUTF8(key[:most], "") + "…"
	}
	return strconv.Quote(key)
}
