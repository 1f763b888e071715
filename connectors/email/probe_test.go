package email

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
)

// zone is DNS for tests.
type zone struct {
	txt  map[string][]string
	ptr  map[string][]string
	host map[string][]string
	dead bool
}

func (z zone) find(m map[string][]string, name string) ([]string, error) {
	if z.dead {
		return nil, &net.DNSError{Err: "i/o timeout", Name: name, IsTimeout: true}
	}
	if r, ok := m[name]; ok {
		return r, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) { return z.find(z.txt, name) }
func (z zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return z.find(z.ptr, addr)
}
func (z zone) LookupHost(_ context.Context, host string) ([]string, error) {
	return z.find(z.host, host)
}

func TestProbe(t *testing.T) {
	t.Parallel()
	signed := map[string]any{"dkim": []any{map[string]any{"domain": "news.example", "selector": "b26", "key": pkcs8(t, edKey())}}}
	key := (&signer{key: edKey(), algorithm: "ed25519-sha256"}).dnsKey()
	good := map[string][]string{"news.example": {"other", "v=spf1 include:relay.example -all"}, "b26._domainkey.news.example": {"v=DKIM1; k=ed25519; p=" + key},
		"_dmarc.news.example": {"v=DMARC1; p=reject"}}
	but := func(name string, records ...string) zone {
		z := zone{txt: map[string][]string{}}
		maps.Copy(z.txt, good)
		if delete(z.txt, name); records != nil {
			z.txt[name] = records
		}
		return z
	}
	for name, tc := range map[string]struct {
		zone     zone
		config   map[string]any
		tested   []string
		untested []string
	}{
		"all is well": {zone{txt: good}, signed, []string{"speaks TLS from the first byte (TLS 1.3), its certificate is good until", "accepts the user and password", "PIPELINING",
			"PTR was not looked up: 127.0.0.1 is no public address", "news.example has an SPF record", "the DKIM key at b26._domainkey.news.example is the one that signs",
			"DMARC is published at _dmarc.news.example (p=reject), and the sender agrees with it"}, []string{"only a mail can tell"}},
		"DNS is silent":          {zone{dead: true}, signed, []string{"accepts the user"}, []string{"SPF of news.example could not be looked up; DNS does not answer", "the DKIM key b26._domainkey.news.example could not be"}},
		"no SPF":                 {but("news.example"), signed, nil, []string{"news.example has no SPF record; add a TXT record"}},
		"two SPF records":        {but("news.example", "v=spf1 -all", "v=spf1 ~all"), signed, nil, []string{"has 2 SPF records"}},
		"too many look-ups":      {but("news.example", "v=spf1"+strings.Repeat(" include:a.example", 11)+" -all"), signed, nil, []string{"asks for 11 look-ups"}},
		"no key in DNS":          {but("b26._domainkey.news.example"), signed, nil, []string{"there is no DKIM key in DNS at b26._domainkey.news.example; add the TXT record \"v=DKIM1; k=ed25519; p=" + key + `"`}},
		"another key in DNS":     {but("b26._domainkey.news.example", "v=DKIM1; p=AAAA"), signed, nil, []string{"is another one than signs here"}},
		"a revoked key":          {but("b26._domainkey.news.example", "v=DKIM1; p="), signed, nil, []string{"is revoked"}},
		"no DMARC":               {but("_dmarc.news.example"), signed, nil, []string{`news.example has no DMARC record`, "at _dmarc.news.example"}},
		"DMARC without a policy": {but("_dmarc.news.example", "v=DMARC1; rua=mailto:x"), signed, nil, []string{"has no policy"}},
		"DMARC above": {zone{txt: map[string][]string{"mail.news.example": {"v=spf1 -all"}, "_dmarc.news.example": {"v=DMARC1; p=none"}}},
			map[string]any{"sender": "a@mail.news.example"}, []string{"DMARC is published at _dmarc.news.example (p=none)", "mails are not signed here"}, nil},
		"a mailbox": {zone{dead: true}, map[string]any{"bounces": map[string]any{"maildir": t.TempDir()}, "bounce": "bounce@news.example"}, nil, []string{"to mend: /", " is no Maildir"}},
		"bounces at another's": {zone{txt: map[string][]string{"_dmarc.news.example": {"v=DMARC1; p=none"}, "esp.example": {"v=spf1 -all"}}},
			map[string]any{"bounce": "bounce@esp.example"}, []string{"esp.example has an SPF record"}, []string{"which is another organisation than news.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := emailtest.Start(t, emailtest.Options{Implicit: true, Pipelining: true, Auth: []string{"PLAIN"}, User: "u", Password: "p"})
			more := map[string]any{"relay": "smtps://u:p@" + r.Addr, "tls": "required", "ca": r.CA, "allow_private": []any{"127.0.0.1/32"}}
			maps.Copy(more, tc.config)
			c := openConnector(t, plainRelay(r, more))
			c.resolver = tc.zone
			p, err := c.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.tested {
				if !strings.Contains(p.Tested, want) {
					t.Errorf("tested: no %q in %s", want, p.Tested)
				}
			}
			for _, want := range tc.untested {
				if !strings.Contains(p.Untested, want) {
					t.Errorf("untested: no %q in %s", want, p.Untested)
				}
			}
			if name == "all is well" && strings.Contains(p.Untested, "to mend") {
				t.Errorf("%s", p.Untested)
			}
			if len(r.Mails()) != 0 {
				t.Error("the probe sent a mail")
			}
		})
	}
}

func TestProbePTR(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	for name, tc := range map[string]struct {
		zone zone
		want string
	}{
		"both ways":    {zone{ptr: map[string][]string{"198.51.100.7": {"mx.news.example."}}, host: map[string][]string{"mx.news.example": {"198.51.100.7"}}}, "is called mx.news.example, and that name points back"},
		"one way only": {zone{ptr: map[string][]string{"198.51.100.7": {"mx.news.example."}}, host: map[string][]string{"mx.news.example": {"198.51.100.8"}}}, "does not point back to it"},
		"no name":      {zone{}, "has no name (PTR)"},
		"silence":      {zone{dead: true}, "could not be looked up"},
	} {
		c.resolver = tc.zone
		if got := c.probePTR(t.Context(), "198.51.100.7"); !strings.Contains(got.text, tc.want) || got.wrong == (name == "both ways") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestProbeOfARelayThatRefuses(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{Auth: []string{"PLAIN"}, User: "u", Password: "p"})
	c := openConnector(t, plainRelay(r, map[string]any{"relay": "smtp://u:wrong@" + r.Addr}))
	c.resolver = zone{}
	if _, err := c.Probe(t.Context()); codeOf(err) != "unauthenticated account" || !strings.Contains(err.Error(), "check user, password and auth") {
		t.Errorf("%v", err)
	}
}
