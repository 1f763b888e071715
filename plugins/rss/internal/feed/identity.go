package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// canonical is the form of an address in which equal articles are equal: lower-case scheme and host, no default port, no
// fragment, none of the parameters that only count visitors. Other parameters stay, since they may choose the article.
func canonical(link string) string {
	if link == "" {
		return ""
	}
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "http" {
		u.Host = strings.TrimSuffix(u.Host, ":80")
	} else {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	if u.RawQuery != "" {
		kept := make([]string, 0, 4)
		for p := range strings.SplitSeq(u.RawQuery, "&") {
			if name, _, _ := strings.Cut(p, "="); p != "" && !tracking(strings.ToLower(name)) {
				kept = append(kept, p)
			}
		}
		u.RawQuery = strings.Join(kept, "&")
	}
	u.ForceQuery = false
	return u.String()
}

func tracking(name string) bool {
	return strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "mc_") || name == "fbclid" || name == "gclid"
}

// fingerprint identifies an item that has neither identifier nor address.
func fingerprint(it *sdk.Item) string {
	enclosure := ""
	if len(it.Media) > 0 {
		enclosure = it.Media[0].URL
	}
	text := it.Title
	if text == "" {
		text = it.Summary
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %s %q", text, it.Published.Format(time.RFC3339), enclosure)))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// identifier cleans what a feed gives as one: no blanks around it, no control characters, UTF-8. Nothing else is changed.
func identifier(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexFunc(s, unicode.IsControl) >= 0 {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

// Key makes an item's key of an identifier: the identifier itself while it is short enough, else its hash.
func Key(id string) string {
	id = identifier(id)
	if len(id) <= sdk.MaxKey {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}
