package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// resolver is what the probe asks of DNS. A *net.Resolver is one.
type resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// finding is one thing the probe found. wrong says that it needs mending.
type finding struct {
	text  string
	wrong bool
}

// dnsTime is how long the probe waits for DNS in all, so that one that does not answer delays nobody.
const dnsTime = 6 * time.Second

// Probe logs in at every relay, sends nothing, looks up what receivers will look up (PTR, SPF, DKIM, DMARC), and looks whether
// mails that come back can be read. It fails when no relay can be used; what is wrong in DNS, with the mailbox, or at one of several
// relays, is said in further lines of Untested, since mails leave all the same. DNS that cannot be reached is only told.
func (c *Connector) Probe(ctx context.Context) (sdk.Probe, error) {
	names, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	var tested, warned []string
	var failure error
	good := 0
	for _, r := range c.pool.relays {
		found, err := c.probeRelay(ctx, names, r)
		if err != nil {
			if failure == nil {
				failure = err
			}
			warned = append(warned, sdk.AsError(err).Public)
			continue
		}
		good++
		for _, f := range found {
			if f.wrong {
				warned = append(warned, f.text)
			} else {
				tested = append(tested, f.text)
			}
		}
	}
	if good == 0 {
		return sdk.Probe{}, failure
	}
	for _, f := range append(c.probeDomain(names), c.probeMailbox(ctx)...) {
		if f.wrong {
			warned = append(warned, f.text)
		} else {
			tested = append(tested, f.text)
		}
	}
	untested := append([]string{"whether providers put the mails into the inbox; only a mail can tell"}, warned...)
	return sdk.Probe{Tested: strings.Join(tested, "\n"), Untested: strings.Join(untested, "\nto mend: ")}, nil
}

// probeMailbox opens where mails come back, and reads none of them.
func (c *Connector) probeMailbox(ctx context.Context) []finding {
	b := c.config.Bounces
	switch {
	case b == nil:
	case b.IMAP != "":
		box, err := c.openIMAP(ctx, nil)
		if err != nil {
			return []finding{{sdk.AsError(err).Public, true}}
		}
		_ = box.close() // it is of no further use
		return []finding{{fmt.Sprintf("the mailbox at %s accepts the user, and has the folder %s", box.at.host, box.at.folder), false}}
	case b.Maildir != "":
		if _, err := openMaildir(b.Maildir, b.Poll.Std(), nil); err != nil {
			return []finding{{sdk.AsError(err).Public, true}}
		}
		return []finding{{b.Maildir + " is a Maildir, and can be read", false}}
	}
	return nil
}

// probeRelay opens a connection, says who we are, and leaves.
func (c *Connector) probeRelay(ctx, names context.Context, r *relay) ([]finding, error) {
	l, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer l.quit()
	var out []finding
	at := r.target.hostPort()
	switch {
	case l.tls == nil:
		out = append(out, finding{text: at + " answers in plain text, on this machine"})
	default:
		how := "STARTTLS"
		if r.target.implicit {
			how = "TLS from the first byte"
		}
		text := at + " speaks " + how + " (" + tls.VersionName(l.tls.Version) + ")"
		if len(l.tls.PeerCertificates) > 0 {
			end := l.tls.PeerCertificates[0].NotAfter
			text += ", its certificate is good until " + end.UTC().Format("2006-01-02")
			if left := end.Sub(c.now()); left < 7*24*time.Hour {
				out = append(out, finding{wrong: true, text: fmt.Sprintf("the certificate of %s ends in %d days; renew it", r.target.host, int(left.Hours()/24))})
			}
		}
		out = append(out, finding{text: text})
	}
	if r.user != "" {
		out = append(out, finding{text: r.target.host + " accepts the user and password"})
	} else {
		out = append(out, finding{text: r.target.host + " was not asked for a user and password, since none is configured"})
	}
	if l.caps.pipelining {
		out = append(out, finding{text: r.target.host + " takes mails without a pause between them (PIPELINING)"})
	} else {
		out = append(out, finding{text: r.target.host + " takes mails step by step (it does not offer PIPELINING)"})
	}
	if host, _, err := net.SplitHostPort(l.conn.RemoteAddr().String()); err == nil {
		out = append(out, c.probePTR(names, host))
	}
	return out, nil
}

// probePTR looks whether an address has a name that points back to it, as Gmail and Yahoo ask of machines that deliver.
func (c *Connector) probePTR(ctx context.Context, addr string) finding {
	if ip, err := netip.ParseAddr(addr); err == nil && (ip.IsLoopback() || ip.IsPrivate()) {
		return finding{text: "PTR was not looked up: " + addr + " is no public address, and receivers see another one"}
	}
	names, err := c.resolver.LookupAddr(ctx, addr)
	if unreachable(err) {
		return finding{wrong: true, text: "PTR of " + addr + " could not be looked up; DNS does not answer"}
	}
	for _, n := range names {
		back, err := c.resolver.LookupHost(ctx, strings.TrimSuffix(n, "."))
		if err != nil {
			continue
		}
		if slices.Contains(back, addr) {
			return finding{text: addr + " is called " + strings.TrimSuffix(n, ".") + ", and that name points back to it (PTR)"}
		}
	}
	if len(names) == 0 {
		return finding{wrong: true, text: addr + " has no name (PTR); if this machine itself delivers the mails, ask its provider for one"}
	}
	return finding{wrong: true, text: addr + " is called " + strings.TrimSuffix(names[0], ".") + ", and that name does not point back to it; add an address record for it"}
}

// unreachable says that DNS gave no answer at all; that a name does not exist is an answer.
func unreachable(err error) bool {
	if err == nil {
		return false
	}
	dns, ok := errors.AsType[*net.DNSError](err)
	return !ok || !dns.IsNotFound
}

// records gives the TXT records of a name that begin with a tag.
func (c *Connector) records(ctx context.Context, name, begin string) (found []string, silent bool) {
	all, err := c.resolver.LookupTXT(ctx, name)
	if unreachable(err) {
		return nil, true
	}
	for _, r := range all {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(r)), begin) {
			found = append(found, strings.TrimSpace(r))
		}
	}
	return found, false
}

// probeDomain looks up what proves the sender.
func (c *Connector) probeDomain(ctx context.Context) []finding {
	_, from, _ := cutLast(c.from.Address, '@')
	envelope := from
	if c.tokens != nil {
		envelope = c.tokens.domain
	}
	out := []finding{c.probeSPF(ctx, envelope)}
	if envelope != from && !aligned(envelope, from) {
		out = append(out, finding{wrong: true, text: "bounces come back to " + envelope + ", which is another organisation than " + from +
			": SPF does not prove the sender, so DKIM must"})
	}
	byKey := false
	for _, s := range c.signers {
		f := c.probeKey(ctx, s)
		out = append(out, f)
		byKey = byKey || !f.wrong && aligned(s.domain, from)
	}
	if len(c.signers) == 0 {
		out = append(out, finding{text: "mails are not signed here (no dkim); the relay has to sign for " + from})
	}
	dmarc := c.probeDMARC(ctx, from)
	if !dmarc.wrong && (byKey || aligned(envelope, from)) {
		dmarc.text += ", and the sender agrees with it"
	}
	return append(out, dmarc)
}

func (c *Connector) probeSPF(ctx context.Context, domain string) finding {
	found, silent := c.records(ctx, domain, "v=spf1")
	switch {
	case silent:
		return finding{wrong: true, text: "SPF of " + domain + " could not be looked up; DNS does not answer"}
	case len(found) == 0:
		return finding{wrong: true, text: domain + ` has no SPF record; add a TXT record like "v=spf1 include:RELAY -all"`}
	case len(found) > 1:
		return finding{wrong: true, text: fmt.Sprintf("%s has %d SPF records, which receivers take as none; keep one", domain, len(found))}
	}
	if n := spfLookups(found[0]); n > 10 {
		return finding{wrong: true, text: fmt.Sprintf("the SPF record of %s asks for %d look-ups; more than 10 fail everywhere", domain, n)}
	}
	return finding{text: domain + " has an SPF record"}
}

// spfLookups counts the terms of a record that cost a look-up (RFC 7208 section 4.6.4), without those of included records.
func spfLookups(record string) int {
	n := 0
	for _, term := range strings.Fields(strings.ToLower(record))[1:] {
		term = strings.TrimLeft(term, "+-~?")
		name, _, _ := strings.Cut(term, ":")
		name, _, _ = strings.Cut(name, "/")
		if strings.HasPrefix(term, "redirect=") || name == "include" || name == "a" || name == "mx" || name == "ptr" || name == "exists" {
			n++
		}
	}
	return n
}

func (c *Connector) probeKey(ctx context.Context, s *signer) finding {
	name := s.selector + "._domainkey." + s.domain
	all, err := c.resolver.LookupTXT(ctx, name)
	kind := "rsa"
	if s.algorithm == "ed25519-sha256" {
		kind = "ed25519"
	}
	record := `"v=DKIM1; k=` + kind + `; p=` + s.dnsKey() + `"`
	switch {
	case unreachable(err):
		return finding{wrong: true, text: "the DKIM key " + name + " could not be looked up; DNS does not answer"}
	case len(all) == 0:
		return finding{wrong: true, text: "there is no DKIM key in DNS at " + name + "; add the TXT record " + record}
	}
	for _, r := range all {
		tags := tagsOf(r)
		if strings.Join(strings.Fields(tags["p"]), "") == s.dnsKey() {
			return finding{text: "the DKIM key at " + name + " is the one that signs"}
		}
		if p, has := tags["p"]; has && p == "" {
			return finding{wrong: true, text: "the DKIM key at " + name + " is revoked; publish a new selector"}
		}
	}
	return finding{wrong: true, text: "the DKIM key in DNS at " + name + " is another one than signs here; the TXT record must be " + record}
}

// tagsOf reads "a=b; c=d".
func tagsOf(record string) map[string]string {
	out := map[string]string{}
	for t := range strings.SplitSeq(record, ";") {
		if k, v, found := strings.Cut(t, "="); found {
			out[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	return out
}

// probeDMARC looks for the policy at the domain and walks up the tree as RFC 9989 says.
func (c *Connector) probeDMARC(ctx context.Context, domain string) finding {
	labels := strings.Split(domain, ".")
	// At most eight names are asked for; of a longer one the middle is left out.
	for i, asked := 0, 0; i < len(labels) && asked < 8; asked++ {
		at := strings.Join(labels[i:], ".")
		found, silent := c.records(ctx, "_dmarc."+at, "v=dmarc1")
		switch {
		case silent:
			return finding{wrong: true, text: "DMARC of " + domain + " could not be looked up; DNS does not answer"}
		case len(found) > 1:
			return finding{wrong: true, text: fmt.Sprintf("_dmarc.%s has %d records, which receivers take as none; keep one", at, len(found))}
		case len(found) == 1:
			policy := tagsOf(found[0])["p"]
			if policy == "" {
				return finding{wrong: true, text: "the DMARC record at _dmarc." + at + ` has no policy; it must say p=none, p=quarantine or p=reject`}
			}
			return finding{text: "DMARC is published at _dmarc." + at + " (p=" + policy + ")"}
		}
		if i++; i == 1 && len(labels) > 8 {
			i = len(labels) - 7
		}
	}
	return finding{wrong: true, text: domain + ` has no DMARC record, which Gmail, Yahoo and Microsoft ask for; add the TXT record "v=DMARC1; p=none" at _dmarc.` + organisation(domain)}
}
