package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dials are the names by which a program can open a connection, by package.
var dials = map[string][]string{
	"net":        {"Dial", "DialTimeout", "DialIP", "DialTCP", "DialUDP", "DialUnix", "Dialer"},
	"net/http":   {"Client", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "Transport"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"net/smtp":   {"Dial", "SendMail"},
	"net/rpc":    {"Dial", "DialHTTP"},
}

// mayDial are the only files that open connections, with what keeps each from private addresses. Every other place that
// takes an address uses one of the first two: feeds, their redirects and discovery by plugins/rss; images, destinations
// and their redirects, and heartbeats by sdk.Client.
var mayDial = map[string]string{
	"sdk/guard.go":           "is the guard",
	"sdk/client.go":          "dials by Guard.Dialer",
	"plugins/rss/network.go": "dials by Guard.Dialer",
	"internal/demo/proxy.go": "asks the demonstration's own daemon",
	"internal/demo/ring.go":  "asks the demonstration's own daemon",
	"bench/":                 "asks the daemon that it measures",
}

func TestWhoDials(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for name, p := range packages(t) {
		if strings.HasSuffix(name, "test") && under(name, "connectors", "plugins", "sdk") {
			continue // strict stand-ins of test suites
		}
		for _, file := range p.GoFiles {
			tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]string{} // the package's name in this file, to its path
			for _, spec := range tree.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil || dials[path] == nil {
					continue
				}
				local := path[strings.LastIndexByte(path, '/')+1:]
				if spec.Name != nil {
					local = spec.Name.Name
				}
				names[local] = path
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok || !slices.Contains(dials[names[x.Name]], sel.Sel.Name) {
					return true
				}
				for place := range mayDial {
					if at := name + "/" + file; at == place || strings.HasSuffix(place, "/") && strings.HasPrefix(at, place) {
						seen[place] = true
						return true
					}
				}
				t.Errorf("%s/%s uses %s.%s; addresses are dialled by sdk.Client, which guards them", name, file, x.Name, sel.Sel.Name)
				return true
			})
		}
	}
	for place := range mayDial {
		if !seen[place] {
			t.Errorf("%s is listed, but opens no connection", place)
		}
	}
}
