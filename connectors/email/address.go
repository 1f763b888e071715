package email

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/belfry-news/belfry/sdk"
)

// recipient is an address as it stands in envelopes and headers.
type recipient struct {
	// path is local@domain with the domain as A-labels; the local part is quoted where it must be.
	path string
	// utf8 says that the local part is not ASCII, for which the relay must offer SMTPUTF8 (RFC 6531).
	utf8 bool
}

func malformed(what string) error {
	e := sdk.Errorf(sdk.CodeInvalid, "message", "the address cannot be written to: %s", what)
	e.Scope = sdk.ScopePerson
	return e
}

// parseRecipient checks an address (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Its errors do not repeat it.
func parseRecipient(address string) (recipient, error) {
	local, domain, found := cutLast(address, '@')
	switch {
	case !found || local == "" || domain == "":
		return recipient{}, malformed("it has no @ with something before and behind it")
	case !utf8.ValidString(address):
		return recipient{}, malformed("it is no text")
	case strings.ContainsFunc(address, unicode.IsControl):
		return recipient{}, malformed("it holds a line end or another control character")
	case len(local) > 64:
		return recipient{}, malformed("the part before the @ is longer than 64 bytes")
	}
	if !asciiDomain(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return recipient{}, malformed("the part behind the @ is no domain")
		}
		domain = ascii
	}
	if !isDomain(domain) {
		return recipient{}, malformed("the part behind the @ is no domain")
	}
	out := recipient{}
	switch atoms, ascii := dotAtom(local); {
	case !ascii && !atoms:
		return recipient{}, malformed("the part before the @ holds characters that no address has")
	case !atoms:
		quoted, ok := quoteLocal(local)
		if !ok {
			return recipient{}, malformed("the part before the @ holds characters that no address has")
		}
		local = quoted
	default:
		out.utf8 = !ascii
	}
	if out.path = local + "@" + domain; len(out.path) > 254 {
		return recipient{}, malformed("it is longer than 254 bytes")
	}
	return out, nil
}

func asciiDomain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

const atomSigns = "!#$%&'*+-/=?^_`{|}~"

// dotAtom says whether a local part is words with dots between them, and whether it is ASCII.
func dotAtom(local string) (atoms, ascii bool) {
	atoms, ascii = local[0] != '.' && local[len(local)-1] != '.' && !strings.Contains(local, ".."), true
	for _, r := range local {
		switch {
		case r >= utf8.RuneSelf:
			ascii = false
			atoms = atoms && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || unicode.IsSymbol(r))
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.', strings.ContainsRune(atomSigns, r):
		default:
			atoms = false
		}
	}
	return atoms, ascii
}

// quoteLocal writes a local part as a quoted string. One that is quoted already stays as it is.
func quoteLocal(local string) (string, bool) {
	if len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"' {
		for i := 1; i < len(local)-1; i++ {
			if local[i] == '\\' && i+1 < len(local)-1 {
				i++
			} else if local[i] == '"' || local[i] == '\\' {
				return "", false
			}
		}
		return local, true
	}
	if strings.ContainsAny(local, "<>") {
		return "", false // somebody wrote a name before the address
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	return quoted, len(quoted) <= 64
}

// mailbox reads one mailbox of the configuration, "Name <a@b>" or "a@b". The sentence of its error has a fix.
func mailbox(text string) (mail.Address, error) {
	const fix = "write it like La Gazette <brief@news.example>"
	if strings.ContainsFunc(text, unicode.IsControl) {
		return mail.Address{}, sdk.Errorf(sdk.CodeInvalid, "", "it holds a line end or another control character; %s", fix)
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil {
		// A name with marks that want quotation marks is common: "Gazette, La <brief@news.example>".
		name, rest, found := cutLast(text, '<')
		address, closed := strings.CutSuffix(strings.TrimSpace(rest), ">")
		if !found || !closed || strings.ContainsAny(name, `"<>`) {
			return mail.Address{}, sdk.Errorf(sdk.CodeInvalid, "", "this is no mail address; %s", fix)
		}
		parsed = &mail.Address{Name: strings.TrimSpace(name), Address: strings.TrimSpace(address)}
	}
	to, err := parseRecipient(parsed.Address)
	if err != nil {
		return mail.Address{}, sdk.Errorf(sdk.CodeInvalid, "", "%s; %s", sdk.AsError(err).Public, fix)
	}
	if to.utf8 {
		return mail.Address{}, sdk.Errorf(sdk.CodeInvalid, "", "the part before the @ of a sender must be ASCII, or many could not answer; %s", fix)
	}
	return mail.Address{Name: parsed.Name, Address: to.path}, nil
}
