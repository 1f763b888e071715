package feed

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// hubs are the links of a document, or of the headers it came with, that say who tells of its changes (WebSub).
type hubs struct{ hub, topic string }

// link notes a link whose relation is hub or self, the first of each; of hubs the first one that can be spoken to in secret.
func (h *hubs) link(rel, href string, base *url.URL) {
	rels := strings.Fields(strings.ToLower(rel))
	isHub, isSelf := slices.Contains(rels, "hub"), slices.Contains(rels, "self")
	if !isHub && !isSelf {
		return
	}
	u, ok := join(base, href)
	if !ok || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return
	}
	if isHub && (h.hub == "" || strings.HasPrefix(h.hub, "http:") && u.Scheme == "https") {
		h.hub = u.String()
	}
	if isSelf && h.topic == "" {
		if h.topic = strings.TrimSpace(href); !strings.Contains(h.topic, "://") { // told to the hub as it is written
			h.topic = u.String()
		}
	}
}

// LinkHub gives the hub and the topic that Link headers (RFC 8288) name; empty where they name none.
func LinkHub(headers []string, base *url.URL) (hub, topic string) {
	var h hubs
	for _, l := range Links(headers) {
		h.link(l.Params["rel"], l.Target, base)
	}
	return h.hub, h.topic
}

// Link is one link of a Link header.
type Link struct {
	Target string
	// Params are its parameters, their names in small letters.
	Params map[string]string
}

// Links reads Link headers; what is too long or is no link is left out.
func Links(headers []string) []Link {
	var out []Link
	for _, h := range headers {
		if len(h) > 8<<10 {
			continue
		}
		for link := range strings.SplitSeq(h, ",") {
			target, rest, ok := strings.Cut(strings.TrimSpace(link), ">")
			if !ok || !strings.HasPrefix(target, "<") {
				continue
			}
			params := map[string]string{}
			for p := range strings.SplitSeq(rest, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				name = strings.ToLower(strings.TrimSpace(name))
				if _, twice := params[name]; !twice { // of a parameter that stands twice the first counts (RFC 8288, 3.3)
					params[name] = strings.Trim(strings.TrimSpace(value), `"`)
				}
			}
			out = append(out, Link{target[1:], params})
		}
	}
	return out
}

// jsonHub reads the members hubs and feed_url of a JSON Feed.
func (r *reader) jsonHub(head []byte) {
	if !bytes.Contains(head, []byte(`"hubs"`)) {
		return
	}
	var own struct {
		FeedURL string `json:"feed_url"`
		Hubs    []struct {
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"hubs"`
	}
	if json.Unmarshal(head, &own) != nil {
		return // a feed with odd hubs is polled
	}
	var h hubs
	h.link("self", own.FeedURL, r.base(nil))
	for _, hub := range own.Hubs {
		if strings.EqualFold(hub.Type, "WebSub") || strings.EqualFold(hub.Type, "PubSubHubbub") {
			h.link("hub", hub.URL, r.base(nil))
		}
	}
	r.feed.About.Hub, r.feed.About.Topic = h.hub, h.topic
}
