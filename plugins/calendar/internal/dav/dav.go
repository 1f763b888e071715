// Package dav writes the requests of CalDAV (RFC 4791) and of its synchronisation (RFC 6578), and reads the answers. It knows
// no network. Its one promise: an answer that is no multi-status document is an error, whatever it is instead.
package dav

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// Requests that say what is asked of a collection, an account or a principal.
const (
	propfindHead = `<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/"><d:prop>`
	propfindTail = `</d:prop></d:propfind>`
	// Describe asks what something is, and where its calendars are.
	Describe = propfindHead + `<d:resourcetype/><d:displayname/><d:current-user-principal/><c:calendar-home-set/><c:supported-calendar-component-set/>` + propfindTail
	// State asks whether a collection changed.
	State = propfindHead + `<d:displayname/><d:sync-token/><s:getctag/>` + propfindTail
)

// Sync asks what changed since a token (sync-collection).
func Sync(token string) string {
	return `<?xml version="1.0" encoding="utf-8"?><d:sync-collection xmlns:d="DAV:"><d:sync-token>` + escape(token) +
		`</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>`
}

// Query asks for the versions of all resources with events in a time.
func Query(from, to time.Time) string {
	const stamp = "20060102T150405Z"
	return `<?xml version="1.0" encoding="utf-8"?><c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/></d:prop>` +
		`<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="` + from.UTC().Format(stamp) + `" end="` + to.UTC().Format(stamp) +
		`"/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>`
}

// Multiget asks for resources by their addresses.
func Multiget(hrefs []string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><c:calendar-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/></d:prop>`)
	for _, h := range hrefs {
		b.WriteString("<d:href>" + escape(h) + "</d:href>")
	}
	b.WriteString(`</c:calendar-multiget>`)
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// Multistatus is an answer.
type Multistatus struct {
	XMLName   xml.Name   `xml:"DAV: multistatus"`
	Responses []Response `xml:"DAV: response"`
	SyncToken string     `xml:"DAV: sync-token"`
}

// Response is what is said of one address.
type Response struct {
	Href     string     `xml:"DAV: href"`
	Status   string     `xml:"DAV: status"`
	Propstat []propstat `xml:"DAV: propstat"`
}

type propstat struct {
	Status string `xml:"DAV: status"`
	Prop   Prop   `xml:"DAV: prop"`
}

// Prop are the properties that are asked for.
type Prop struct {
	Name      string `xml:"DAV: displayname"`
	SyncToken string `xml:"DAV: sync-token"`
	CTag      string `xml:"http://calendarserver.org/ns/ getctag"`
	ETag      string `xml:"DAV: getetag"`
	Data      string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
	Type      struct {
		Calendar *struct{} `xml:"urn:ietf:params:xml:ns:caldav calendar"`
	} `xml:"DAV: resourcetype"`
	Principal struct {
		Href string `xml:"DAV: href"`
	} `xml:"DAV: current-user-principal"`
	Home struct {
		Hrefs []string `xml:"DAV: href"`
	} `xml:"urn:ietf:params:xml:ns:caldav calendar-home-set"`
	Components struct {
		List []struct {
			Name string `xml:"name,attr"`
		} `xml:"urn:ietf:params:xml:ns:caldav comp"`
	} `xml:"urn:ietf:params:xml:ns:caldav supported-calendar-component-set"`
}

// Parse reads a multi-status document.
func Parse(body []byte) (*Multistatus, error) {
	m := &Multistatus{}
	if err := xml.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("the answer is no multi-status document: %w", err)
	}
	return m, nil
}

// Code is the status of a line such as "HTTP/1.1 404 Not Found"; 0 when it has none.
func Code(status string) int {
	var code int
	if fields := strings.Fields(status); len(fields) > 1 {
		if _, err := fmt.Sscan(fields[1], &code); err != nil {
			return 0
		}
	}
	return code
}

// Props are the properties that the server gives.
func (r *Response) Props() Prop {
	for _, p := range r.Propstat {
		if c := Code(p.Status); c == 0 || c/100 == 2 {
			return p.Prop
		}
	}
	return Prop{}
}

// Gone says that there is nothing at the address.
func (r *Response) Gone() bool {
	c := Code(r.Status)
	return c == 404 || c == 410
}

// Holds tells whether a calendar takes components of a kind; one that does not say takes all.
func (p *Prop) Holds(component string) bool {
	for _, c := range p.Components.List {
		if strings.EqualFold(c.Name, component) {
			return true
		}
	}
	return len(p.Components.List) == 0
}
