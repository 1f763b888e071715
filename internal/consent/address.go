package consent

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/belfry-news/belfry/sdk"
)

// Media that have a form of their own. Others take what their platform calls a person, as it is.
const (
	Email    = "email"
	Telegram = "telegram"
)

// Normalize brings an address into the form by which it is compared and written to: without white space around it, NFC, a
// domain as A-label in small letters. compare is the form for hashes, in which the local part is in small letters too. Dots
// and plus tags stay: they may tell people apart. The error has CodeInvalid, and its Public is for the person who typed.
func Normalize(medium, address string) (use, compare string, err error) {
	address = norm.NFC.String(strings.TrimSpace(address))
	switch {
	case address == "":
		return "", "", sdk.Errorf(sdk.CodeInvalid, "address", "no address was given")
	case !utf8.ValidString(address) || strings.ContainsFunc(address, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
		return "", "", sdk.Errorf(sdk.CodeInvalid, "address", "the address holds characters that no address has")
	case medium == Email:
		return normalizeEmail(address)
	case len(address) > 256:
		return "", "", sdk.Errorf(sdk.CodeInvalid, "address", "the address is longer than 256 bytes")
	}
	return address, address, nil
}

// NormalizeBy is Normalize on a medium whose addresses have a rule of their own.
func NormalizeBy(rule sdk.AddressRule, medium, address string) (use, compare string, err error) {
	if use, compare, err = Normalize(medium, address); err != nil || medium == Email {
		return use, compare, err
	}
	switch rule {
	case "", sdk.AddressExact:
		return use, compare, nil
	case sdk.AddressLowercase:
		use = norm.NFC.String(strings.ToLower(use))
	case sdk.AddressE164:
		if use, err = e164(use); err != nil {
			return "", "", err
		}
	default:
		return "", "", sdk.Errorf(sdk.CodeUnsupported, "address", "the addresses of %s have a rule, %q, that is not known here", medium, string(rule))
	}
	return use, use, nil
}

// normalize brings an address into its form, by the rule of its medium.
func (r *Registry) normalize(medium, address string) (use, compare string, err error) {
	return NormalizeBy(r.s.Rule(medium), medium, address)
}

// CheckAddress says what is wrong with an address that nobody can have on its medium: nobody was ever kept by it, and no answer
// reaches it.
func (r *Registry) CheckAddress(h sdk.Handle) error {
	_, _, err := r.normalize(h.Medium, h.Value)
	return err
}

// ErrNoNumber says that an address is no telephone number with its country, where its medium wants one.
var ErrNoNumber = errors.New("no telephone number with its country")

// e164 takes a telephone number as people write it, with its country (ITU-T E.164): a country is never guessed.
func e164(number string) (string, error) {
	digits := strings.TrimPrefix(strings.ToLower(number), "tel:")
	if strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "00") {
		digits = strings.Replace(digits, "(0)", "", 1) // the prefix for calls within the country
	}
	digits = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || strings.ContainsRune("()./", c) {
			return -1
		}
		return c
	}, digits)
	if abroad, ok := strings.CutPrefix(digits, "00"); ok {
		digits = "+" + abroad
	}
	bare, country := strings.CutPrefix(digits, "+")
	if !country || len(bare) < 7 || len(bare) > 15 || bare[0] == '0' || strings.Trim(bare, "0123456789") != "" {
		return "", &sdk.Error{Code: sdk.CodeInvalid, Op: "address", Public: "this is no telephone number with its country; write it like +33 6 12 34 56 78", Err: ErrNoNumber}
	}
	return "+" + bare, nil
}

// normalizeEmail takes what a person types into a form: one mailbox without a name or comment (RFC 5321, section 4.1.2).
func normalizeEmail(address string) (use, compare string, err error) {
	wrong := func(what string) (string, string, error) {
		return "", "", sdk.Errorf(sdk.CodeInvalid, "address", "%s; write it like name@example.org", what)
	}
	local, domain, found := cutLast(address, '@')
	switch {
	case !found || local == "" || domain == "":
		return wrong("this is no e-mail address")
	case strings.ContainsAny(address, " \t<>(),;:\\\"[]"):
		return wrong("an e-mail address has no spaces, brackets or quotation marks")
	case strings.Contains(local, "@"):
		return wrong("an e-mail address has one @")
	case len(local) > 64:
		return wrong("the part before the @ is longer than 64 bytes")
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return wrong("a dot stands at the edge of the part before the @, or two in a row")
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil || !strings.Contains(ascii, ".") || len(ascii) > 253 {
		return wrong("the part behind the @ is no domain")
	}
	use = local + "@" + ascii
	if parsed, err := mail.ParseAddress(use); err != nil || parsed.Address != use {
		return wrong("this is no e-mail address")
	}
	return use, strings.ToLower(local) + "@" + ascii, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// Mask shows an address to the person who knows it, and to nobody else.
func Mask(medium, address string) string {
	if local, domain, found := cutLast(address, '@'); medium == Email && found {
		first, _ := utf8.DecodeRuneInString(local)
		return string(first) + "…@" + domain
	}
	if n := utf8.RuneCountInString(address); n > 4 {
		runes := []rune(address)
		return "…" + string(runes[n-3:])
	}
	return "…"
}
