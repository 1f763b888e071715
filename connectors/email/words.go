package email

import (
	"maps"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// sender is the address in From, in small letters; empty when there is none.
func (p *parsed) sender() string {
	if a, err := mail.ParseAddress(p.header.Get("From")); err == nil {
		return strings.ToLower(a.Address)
	}
	return ""
}

var bounceSubjects = []string{"undelivered mail", "undeliverable", "delivery status notification", "delivery failure", "delivery failed", "failure notice",
	"returned mail", "mail delivery failed", "mail delivery failure", "mail delivery subsystem", "non remis", "échec de", "unzustellbar", "could not be delivered"}

// looksLikeBounce says that a mail without a status notification is a server's word about a failure.
func (p *parsed) looksLikeBounce() bool {
	local, _, _ := strings.Cut(p.sender(), "@")
	if local == "mailer-daemon" || local == "postmaster" || local == "mail-daemon" || strings.TrimSpace(p.header.Get("Return-Path")) == "<>" {
		return true
	}
	if p.header.Get("X-Failed-Recipients") != "" {
		return true
	}
	subject := strings.ToLower(headerWords(p.header.Get("Subject")))
	return slices.ContainsFunc(bounceSubjects, func(s string) bool { return strings.Contains(subject, s) })
}

// headerWords decodes a header's encoded words.
func headerWords(s string) string {
	if d, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
		return d
	}
	return s
}

var addressForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+`)
})

// originalBegins are the lines after which a bounce in a server's own words repeats the mail.
var originalBegins = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?im)^-{2,}.*(original message|copy of the message|message follows|below this line|copie du message).*$|^Return-Path:`)
})

// plainBounce reads a bounce in a server's own words: qmail's, Exim's, sendmail's and their kin. A recipient is an address at
// the beginning of a line, with what stands up to the next one as its reason.
func (p *parsed) plainBounce(out *Report) {
	text := p.text()
	if at := originalBegins().FindStringIndex(text); at != nil {
		out.headerOf([]byte(text[at[0]:]))
		if _, after, found := strings.Cut(text[at[0]:], "\n"); found {
			out.headerOf([]byte(after))
		}
		text = text[:at[0]]
	}
	named := map[string]bool{}
	for a := range strings.SplitSeq(p.header.Get("X-Failed-Recipients"), ",") {
		if a = strings.TrimSpace(a); a != "" {
			named[strings.ToLower(a)] = true
		}
	}
	var open *Recipient
	var words []string
	settle := func() {
		if open == nil {
			return
		}
		reason := strings.Join(words, " ")
		code, basic := findStatus(reason), 0
		for i := range reason {
			if i == 0 || !isDigit(reason[i-1]) && reason[i-1] != '.' {
				if basic = basicCode(reason[i:]); basic != 0 && (i+3 == len(reason) || reason[i+3] == ' ' || reason[i+3] == '-') {
					break
				}
				basic = 0
			}
		}
		if code.class == 0 {
			if code = guess(basic, strings.ToLower(reason)); !code.specific() && basic == 0 && len(named) == 0 {
				return // an address and no word of a failure
			}
		}
		open.Class, open.Status, open.Reason = bounceClass(code, basic, reason), code.String(), reasonText(reason)
		out.Recipients = append(out.Recipients, *open)
	}
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		start := strings.TrimLeft(trimmed, "<\"'(*- ")
		at := addressForm().FindStringIndex(start)
		if at != nil && at[0] == 0 && len(out.Recipients) < maxRecipients && (open == nil || !strings.EqualFold(open.Address, start[:at[1]])) {
			settle()
			open, words = &Recipient{Address: start[:at[1]], Final: true}, nil
			trimmed = strings.TrimLeft(start[at[1]:], ">\"':,; ")
		}
		if open != nil && trimmed != "" && len(words) < 40 {
			words = append(words, trimmed)
		}
	}
	settle()
	// The header names recipients that the text does not.
	for _, r := range out.Recipients {
		delete(named, strings.ToLower(r.Address))
	}
	for _, address := range slices.Sorted(maps.Keys(named)) {
		code := findStatus(text)
		if code.class == 0 {
			code = guess(0, strings.ToLower(text))
		}
		out.Recipients = append(out.Recipients, Recipient{Address: address, Class: bounceClass(code, 0, text), Status: code.String(), Final: true,
			Reason: reasonText(text)})
	}
}

// text is what a person reads first of a mail.
func (p *parsed) text() string {
	for _, part := range p.parts {
		if part.kind == "text/plain" {
			return string(part.body[:min(len(part.body), maxText)])
		}
	}
	return ""
}

// automatic says that nobody wrote the mail by hand (RFC 3834, and what servers do in its place).
func (p *parsed) automatic() bool {
	h := p.header
	if v := strings.ToLower(strings.TrimSpace(h.Get("Auto-Submitted"))); v != "" && v != "no" && !strings.HasPrefix(v, "no;") {
		return true
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Autoreply-From", "X-Auto-Reply"} {
		if h.Get(name) != "" {
			return true
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "List-") {
			return true
		}
	}
	switch strings.ToLower(strings.TrimSpace(h.Get("Precedence"))) {
	case "bulk", "junk", "list", "auto_reply":
		return true
	}
	if strings.TrimSpace(h.Get("Return-Path")) == "<>" {
		return true
	}
	local, _, _ := strings.Cut(p.sender(), "@")
	return local == "" || local == "mailer-daemon" || local == "postmaster" || strings.HasPrefix(local, "owner-") ||
		strings.HasSuffix(local, "-request") || strings.HasSuffix(local, "-owner") || local == "noreply" || local == "no-reply"
}
