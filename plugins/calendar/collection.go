package calendar

import (
	"slices"
)

const (
	// maxResources is how many resources of a collection may have events within the horizon: what a cursor has room for.
	maxResources = 5000
	// A resource in a cursor: bytes that stand for its address, and bytes that stand for its version.
	hrefBytes, versionBytes = 6, 3
	resourceBytes           = hrefBytes + versionBytes
)

// collection is what is known of a CalDAV collection.
type collection struct {
	// URL is the collection that was found.
	URL  string `json:"url"`
	Name string `json:"name,omitempty"`
	// Token is the server's sync token, Tag its ctag; a server has one of them, both, or none.
	Token string `json:"token,omitempty"`
	Tag   string `json:"tag,omitempty"`
	// After says that a pass over all resources is under way, and has come to this address.
	After string `json:"after,omitempty"`
	// Doubt says that the last listing lost more than a fifth of the resources, which is believed when the next one says so too.
	Doubt bool `json:"doubt,omitempty"`
	// Known is how many resources follow.
	Known int `json:"known,omitempty"`

	// resources with events within the horizon: the version by the hash of the address.
	resources map[string]string
}

func (c *collection) read(bulk []byte) {
	c.resources = make(map[string]string, c.Known)
	for ; len(bulk) >= resourceBytes; bulk = bulk[resourceBytes:] {
		c.resources[string(bulk[:hrefBytes])] = string(bulk[hrefBytes:resourceBytes])
	}
}

func (c *collection) write(to []byte) []byte {
	keys := make([]string, 0, len(c.resources))
	for k := range c.resources {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		to = append(append(to, k...), c.resources[k]...)
	}
	return to
}
