package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/alecthomas/kong"
)

// networks is the flag --allow-private: alone it means every private network and this machine itself, with a network or
// an address only that. It may be repeated.
type networks []netip.Prefix

// private are the networks of --allow-private alone. Link-local addresses are not among them: the metadata services of
// clouds live there.
var private = []string{"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"}

// Decode implements kong.MapperValue.
func (n *networks) Decode(ctx *kong.DecodeContext) error {
	t := ctx.Scan.Peek()
	text, ok := t.Value.(string)
	prefixes, err := parseNetworks(text)
	switch {
	case ok && t.Type == kong.FlagValueToken:
		ctx.Scan.Pop()
		if err != nil {
			return err
		}
	case ok && t.IsValue() && err == nil:
		ctx.Scan.Pop()
	default:
		prefixes, _ = parseNetworks(strings.Join(private, ","))
	}
	*n = append(*n, prefixes...)
	return nil
}

// IsBool tells kong that the flag needs no value.
func (n *networks) IsBool() bool { return true }

func parseNetworks(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for s := range strings.SplitSeq(text, ",") {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network; write it like 10.0.3.7 or 10.0.3.0/24", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// texts writes the networks as a configuration does.
func (n networks) texts() []any {
	out := make([]any, len(n))
	for i, p := range n {
		out[i] = p.String()
	}
	return out
}
