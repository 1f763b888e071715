package email

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes under a destination of type email.
type Config struct {
	Relay        Relays         `yaml:"relay" required:"true" doc:"Where mails are handed over: smtps:// (TLS from the first byte) or smtp:// (STARTTLS), or a list of relays." example:"smtps://mx.news.example"`
	Username     string         `yaml:"username" doc:"The user at relays that have none of their own."`
	Password     sdk.Secret     `yaml:"password" doc:"The password, or the access token where auth is xoauth2."`
	Auth         string         `yaml:"auth" enum:"auto|plain|login|xoauth2" doc:"How the user is told; auto takes PLAIN, or else LOGIN."`
	TLS          string         `yaml:"tls" enum:"required|none" doc:"Mails leave encrypted only; none is for a relay on this very machine."`
	CA           string         `yaml:"ca" doc:"Certificates in PEM that the relays' are checked against besides the system's." example:"${file:/etc/belfry/relay-ca.pem}"`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks the relays and the mailbox may be in." example:"[10.0.3.7/32]"`
	Connections  int            `yaml:"connections" min:"1" max:"500" doc:"The most connections to a relay at once."`
	Timeout      sdk.Duration   `yaml:"timeout" doc:"How long a relay may take for an answer."`
	Hello        string         `yaml:"hello" doc:"The name this machine gives itself towards relays; its own full name unless given." example:"mail.news.example"`

	Sender          string      `yaml:"sender" required:"true" doc:"Who writes, as readers see it." example:"La Gazette <brief@news.example>"`
	ReplyTo         string      `yaml:"reply_to" doc:"Where answers go. Without it they go to the sender, or, where bounces reads mails, to an address that each message has for itself: it proves who answers."`
	MessageIDDomain string      `yaml:"message_id_domain" doc:"The domain in Message-IDs; the sender's unless given. Changing it makes repeated mails look new."`
	FeedbackID      string      `yaml:"feedback_id" doc:"The sender's name in Gmail's feedback loop, 5 to 15 characters that never change."`
	DKIM            []Signature `yaml:"dkim" doc:"Keys that sign each mail here. Without them the relay has to sign, which costs less."`

	Bounce        string       `yaml:"bounce" doc:"Where what cannot be delivered comes back: a domain, or an address to which a token is added (bounce+TOKEN@…)." example:"bounce@news.example"`
	BounceSecrets []sdk.Secret `yaml:"bounce_secrets" doc:"Secrets that make and check these tokens: the first makes them, all of them check while one replaces another."`
	Bounces       *Inbox       `yaml:"bounces" doc:"Where bounces, complaints and replies are read: a Maildir, an LMTP address or an IMAP mailbox, and the relay's provider, who tells of them by webhook."`
}

// Signature is a DKIM key (RFC 6376).
type Signature struct {
	Domain   string     `yaml:"domain" required:"true" doc:"The domain that signs (d=)." example:"news.example"`
	Selector string     `yaml:"selector" required:"true" doc:"The name of the key in DNS: SELECTOR._domainkey.DOMAIN." example:"b2026"`
	Key      sdk.Secret `yaml:"key" required:"true" doc:"The private key in PEM, RSA (2048 bits) or Ed25519." example:"${file:/run/secrets/dkim.pem}"`
}

// Inbox is where mails come back: at most one of maildir, lmtp and imap, and webhook alone or beside it.
type Inbox struct {
	Maildir  string       `yaml:"maildir" doc:"A folder with new and cur, to which the mail server delivers." example:"/var/mail/bounces"`
	LMTP     string       `yaml:"lmtp" doc:"The address on which the mail server hands them over." example:"127.0.0.1:24"`
	IMAP     string       `yaml:"imap" doc:"The mailbox's server, with the folder in its path unless it is INBOX." example:"imaps://imap.news.example"`
	User     string       `yaml:"user" doc:"The user of the IMAP mailbox."`
	Password sdk.Secret   `yaml:"password" doc:"The password of the IMAP mailbox."`
	Poll     sdk.Duration `yaml:"poll" doc:"How often a Maildir or an IMAP mailbox is looked at."`

	AuthservID string `yaml:"authserv_id" doc:"The name that your own mail server gives itself in Authentication-Results (RFC 8601): what it found out about a sender counts as proof of who wrote. The server must take out what senders write there in its name." example:"mx.news.example"`

	Webhook *Webhook `yaml:"webhook" doc:"The provider that runs the relay tells of bounces and complaints at /hooks/NAME, where NAME is that of the destination."`
}

// Webhook is a provider that tells of bounces and complaints by HTTP.
type Webhook struct {
	Provider string     `yaml:"provider" required:"true" enum:"ses|mailgun|postmark|sendgrid|brevo" doc:"Who runs the relay."`
	Secret   sdk.Secret `yaml:"secret" doc:"What proves a call: of mailgun the HTTP webhook signing key, of sendgrid the verification key of signed events, of postmark and brevo the password of user in the webhook's address. ses has none: Amazon SNS signs."`
	User     string     `yaml:"user" doc:"The user in the webhook's address: of postmark and brevo." example:"belfry"`
	Topic    string     `yaml:"topic" doc:"The Amazon SNS topic to which SES tells, by its ARN; of ses alone. Everybody can make topics of their own, so no other is believed." example:"arn:aws:sns:eu-west-3:123456789012:bounces"`
}

// reads says that mails are read.
func (i *Inbox) reads() bool { return i != nil && (i.Maildir != "" || i.LMTP != "" || i.IMAP != "") }

// trusted is the name of the mail server whose findings count; empty for none.
func (i *Inbox) trusted() string {
	if i == nil {
		return ""
	}
	return i.AuthservID
}

// SetDefaults implements sdk.Defaulter.
func (i *Inbox) SetDefaults() { i.Poll = sdk.D(30 * time.Second) }

const (
	tlsRequired = "required"
	tlsNone     = "none"
	authAuto    = "auto"
	authPlain   = "plain"
	authLogin   = "login"
	authXOAuth2 = "xoauth2"
)

func defaults() Config {
	return Config{TLS: tlsRequired, Auth: authAuto, Connections: 4, Timeout: sdk.D(15 * time.Second)}
}

var (
	selectorForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)
	})
	feedbackForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.-]{5,15}$`) })
)

// isDomain says that a name is one of the public DNS: two or more labels of letters, digits and inner hyphens (A-labels).
func isDomain(name string) bool {
	label, dots := 0, 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 || label > 63 || name[i-1] == '-' {
				return false
			}
			label, dots = 0, dots+1
			continue
		case c == '-' && label > 0, c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		default:
			return false
		}
		label++
	}
	return dots > 0 && label > 0 && label <= 63 && name[len(name)-1] != '-' && len(name) <= 253
}

// Validate checks spellings and what contradicts. Its error is sdk.Problems.
func (c *Config) Validate() error {
	var ps sdk.Problems
	c.checkRelays(&ps)
	c.checkSender(&ps)
	c.checkBounce(&ps)
	for i, k := range c.DKIM {
		k.check(&ps, sdk.Pointer("dkim", i))
	}
	if len(c.DKIM) > 0 && c.senderDomain() != "" && !c.signedForSender() {
		ps.Add("/dkim", "no key signs for "+c.senderDomain()+", so receivers cannot tell that the mail is the sender's",
			"add a key whose domain is the sender's or above it", "/sender")
	}
	if c.Timeout.Std() < time.Second {
		ps.Add("/timeout", "no relay answers as fast as that", "at least 1s; 15s is usual")
	}
	if c.Hello != "" && !isDomain(c.Hello) {
		ps.Add("/hello", fmt.Sprintf("%q is no full name of a machine", c.Hello), "write it like mail.news.example")
	}
	if c.FeedbackID != "" && !feedbackForm().MatchString(c.FeedbackID) {
		ps.Add("/feedback_id", "a sender's name in Gmail's feedback loop has 5 to 15 letters, digits, dots, - and _",
			"choose one like gazette and never change it")
	}
	if _, err := c.roots(); err != nil {
		ps.Add("/ca", "this holds no certificate in PEM", `give the file with "-----BEGIN CERTIFICATE-----" in it: ca: "${file:/etc/belfry/relay-ca.pem}"`)
	}
	return ps.Err()
}

func (c *Config) checkRelays(ps *sdk.Problems) {
	for i := range c.Relay.list {
		r := &c.Relay.list[i]
		at := c.Relay.pointer(i)
		t, err := r.target()
		if err != nil {
			continue // said by Relay.Validate
		}
		user, password := r.credential(c)
		switch {
		case c.TLS == tlsNone && t.implicit:
			ps.Add(at, "smtps speaks TLS from its first byte, and tls: none wants none", "write smtp://, or take tls: none out", "/tls")
		case c.TLS == tlsNone && !isLoopback(t.host):
			ps.Add("/tls", "without TLS everybody on the way to "+t.host+" could read the mails and the password",
				"take tls: none out; it is for a relay on this machine (localhost, 127.0.0.1 or ::1)", "/relay")
		}
		if c.TLS != tlsNone {
			checkLiteral(ps, at, t.host, c.guard())
		}
		switch {
		case user == "" && password != "":
			ps.Add(at, "there is a password for "+t.host+" and no user", "add username", "/username", "/password")
		case user != "" && password == "":
			ps.Add(at, "there is a user for "+t.host+" and no password", `add password: "${file:…}"`, "/username", "/password")
		case user == "" && c.Auth != authAuto:
			ps.Add("/auth", "auth says how a user is told, and there is no user", "add username and password, or take auth out", "/username", "/relay")
		case strings.ContainsAny(user, "\x00\r\n") || strings.ContainsAny(password, "\x00\r\n"):
			ps.Add(at, "the user or the password holds a line end or a NUL", "take it out; a file must end without a line feed", "/username", "/password")
		}
	}
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

func (c *Config) checkSender(ps *sdk.Problems) {
	for at, value := range map[string]string{"/sender": c.Sender, "/reply_to": c.ReplyTo} {
		if value == "" && at != "/sender" {
			continue
		}
		if _, err := mailbox(value); err != nil {
			what, fix := sdk.Sentence(err)
			ps.Add(at, what, fix)
		}
	}
	if c.MessageIDDomain != "" && !isDomain(c.MessageIDDomain) {
		ps.Add("/message_id_domain", fmt.Sprintf("%q is no domain", c.MessageIDDomain), "write one of yours, like news.example")
	}
}

// checkLiteral refuses the address of a server that is written as such, and would not be dialled.
func checkLiteral(ps *sdk.Problems, at, host string, guard sdk.Guard) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return
	}
	if refused := guard.Check(addr); refused != nil {
		ps.Add(at, sdk.AsError(refused).Public, "name your own network: allow_private: ["+addr.String()+"/"+fmt.Sprint(addr.BitLen())+"]", "/allow_private")
	}
}

// senderDomain is empty when the sender is not spelt right.
func (c *Config) senderDomain() string {
	from, err := mailbox(c.Sender)
	if err != nil {
		return ""
	}
	_, domain, _ := cutLast(from.Address, '@')
	return domain
}

func (c *Config) signedForSender() bool {
	for _, k := range c.DKIM {
		if aligned(k.Domain, c.senderDomain()) {
			return true
		}
	}
	return false
}

// aligned says that two domains belong to one organisation, as DMARC's relaxed mode asks (RFC 9989).
func aligned(a, b string) bool {
	return organisation(a) == organisation(b)
}

func organisation(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}

func (k *Signature) check(ps *sdk.Problems, at string) {
	if !isDomain(k.Domain) {
		ps.Add(at+"/domain", fmt.Sprintf("%q is no domain", k.Domain), "write it like news.example")
	}
	if !selectorForm().MatchString(k.Selector) {
		ps.Add(at+"/selector", fmt.Sprintf("%q is no selector", k.Selector), "letters, digits and -, as it stands before ._domainkey in DNS")
	}
	if _, err := privateKey(k.Key.Reveal()); err != nil {
		what, fix := sdk.Sentence(err)
		ps.Add(at+"/key", what, fix)
	}
}

func (c *Config) checkBounce(ps *sdk.Problems) {
	if c.Bounce != "" {
		if _, _, err := bounceAddress(c.Bounce); err != nil {
			what, fix := sdk.Sentence(err)
			ps.Add("/bounce", what, fix)
		}
		if len(c.BounceSecrets) == 0 {
			ps.Add("/bounce", "without a secret anybody could forge a bounce",
				`make one with: openssl rand -base64 32, and add bounce_secrets: ["${file:…}"]`, "/bounce_secrets")
		}
	}
	for i, s := range c.BounceSecrets {
		if len(s.Reveal()) < 16 {
			ps.Add(sdk.Pointer("bounce_secrets", i), "this secret has less than 16 characters", "make one with: openssl rand -base64 32")
		}
	}
	if len(c.BounceSecrets) > 0 && c.Bounce == "" {
		ps.Add("/bounce_secrets", "the secrets are for a bounce address, and there is none", "add bounce: bounce@news.example", "/bounce")
	}
	if c.Bounces == nil {
		return
	}
	c.Bounces.check(ps)
	switch t, err := imapTarget(c.Bounces.IMAP); {
	case err != nil: // said above, or there is none
	case c.TLS != tlsNone:
		checkLiteral(ps, "/bounces/imap", t.host, c.guard())
	case !isLoopback(t.host):
		ps.Add("/bounces/imap", "with tls: none only a mailbox on this machine is opened, and "+t.host+" is another", "take tls: none out", "/tls")
	}
	if c.Bounce == "" && c.Bounces.reads() {
		ps.Add("/bounces", "what comes back cannot be told from forgeries without a bounce address",
			"add bounce and bounce_secrets", "/bounce")
	}
}

func (i *Inbox) check(ps *sdk.Problems) {
	given := 0
	for _, s := range []string{i.Maildir, i.LMTP, i.IMAP} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1:
		ps.Add("/bounces", fmt.Sprintf("%d places are given", given), "give one of maildir, lmtp and imap",
			"/bounces/maildir", "/bounces/lmtp", "/bounces/imap")
	case given == 0 && i.Webhook == nil:
		ps.Add("/bounces", "no place is given", "give one of maildir, lmtp and imap, or webhook")
	case given == 0 && i.AuthservID != "":
		ps.Add("/bounces/authserv_id", "it is about mails that are read, and none are", "take it out, or give one of maildir, lmtp and imap")
	}
	if i.AuthservID != "" && strings.ContainsAny(i.AuthservID, " ;\t\r\n") {
		ps.Add("/bounces/authserv_id", fmt.Sprintf("%q is no name of a server", i.AuthservID), "write what stands first in its Authentication-Results, like mx.news.example")
	}
	if i.Webhook != nil {
		i.Webhook.check(ps)
	}
	if i.LMTP != "" {
		host, port, err := net.SplitHostPort(i.LMTP)
		addr, notAddr := netip.ParseAddr(host)
		switch {
		case err != nil || port == "":
			ps.Add("/bounces/lmtp", fmt.Sprintf("%q is no address to listen on", i.LMTP), "write it like 127.0.0.1:24")
		case !strings.EqualFold(host, "localhost") && (notAddr != nil || !addr.IsLoopback() && !addr.IsPrivate()):
			ps.Add("/bounces/lmtp", "LMTP has no password: everybody who reaches "+i.LMTP+" could hand mails over",
				"listen on 127.0.0.1 or on a private address")
		}
	}
	if i.IMAP != "" {
		if _, err := imapTarget(i.IMAP); err != nil {
			what, fix := sdk.Sentence(err)
			ps.Add("/bounces/imap", what, fix)
		} else if i.User == "" || i.Password.Empty() {
			ps.Add("/bounces/imap", "a mailbox needs a user and a password", "add user and password", "/bounces/user", "/bounces/password")
		}
	} else if i.User != "" || !i.Password.Empty() {
		ps.Add("/bounces", "user and password are for imap", "take them out", "/bounces/imap")
	}
	if i.Poll.Std() < time.Second {
		ps.Add("/bounces/poll", "that is too often", "at least 1s; 30s is usual")
	}
}
