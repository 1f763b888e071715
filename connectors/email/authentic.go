package email

import (
	"strings"

	"github.com/emersion/go-msgauth/authres"
)

// authentic says that the mail server that is trusted, by the name it gives itself in Authentication-Results (RFC 8601), found
// that the domain of the sender sent the mail: by DMARC, or by DKIM or SPF for a domain of the same organisation. Only the
// newest such header counts, which that server added; one further down may be the sender's own work.
func (p *parsed) authentic(server, from string) bool {
	if server == "" || len(p.header["From"]) != 1 {
		return false
	}
	_, domain, _ := cutLast(from, '@')
	for _, text := range p.header["Authentication-Results"] {
		by, results, err := authres.Parse(text)
		if name, _, _ := strings.Cut(by, " "); !strings.EqualFold(name, server) {
			continue
		}
		if err != nil {
			return false
		}
		for _, r := range results {
			switch r := r.(type) {
			case *authres.DMARCResult:
				if r.Value == authres.ResultPass && (r.From == "" || sameDomain(r.From, domain)) {
					return true
				}
			case *authres.DKIMResult:
				signer := r.Domain
				if signer == "" {
					_, signer, _ = cutLast(r.Identifier, '@')
				}
				if r.Value == authres.ResultPass && signer != "" && aligned(signer, domain) {
					return true
				}
			case *authres.SPFResult:
				if r.Value == authres.ResultPass && r.From != "" && aligned(domainOf(r.From), domain) {
					return true
				}
			}
		}
		return false
	}
	return false
}

// sameDomain compares the domain that DMARC was asked for, which some write as an address, with that of the sender.
func sameDomain(found, domain string) bool { return strings.EqualFold(domainOf(found), domain) }

func domainOf(s string) string {
	if _, domain, found := cutLast(s, '@'); found {
		return domain
	}
	return s
}
