package deptest

import (
	"go/ast"
	"go/token"
	"go/types"
	"testing"
)

// prefixes are the names that make a network out of something else.
var prefixes = map[string][]string{"net/netip": {"MustParsePrefix", "ParsePrefix", "PrefixFrom", "Addr.Prefix", "Prefix.UnmarshalText", "Prefix.UnmarshalBinary"}}

// mayMakePrefixes are the only files that make networks: all others get those of the configuration.
var mayMakePrefixes = map[string]string{
	"sdk/guard.go":                 "lists what is refused",
	"sdk/fetch/settings.go":        "reads allow_private",
	"cmd/belfry/networks.go":       "reads --allow-private",
	"cmd/belfry/url.go":            "writes an advice",
	"connectors/http/endpoint.go":  "writes an advice",
	"connectors/email/email.go":    "names loopback, for a relay on this machine without TLS",
	"connectors/email/link.go":     "writes an advice",
	"internal/media/fetcher.go":    "writes an advice",
	"internal/serve/door.go":       "counts connections and attempts of a network",
	"internal/app/people.go":       "keeps the network of who signs up",
	"internal/demo/own.go":         "writes the demonstration's configuration for the feed that its user gave",
	"internal/desk/doctor_host.go": "asks the daemon of this machine at the addresses where it is configured to listen",
}

// mayWiden are the only files in which the networks of a guard are something else than the setting allow_private.
var mayWiden = map[string]string{
	"connectors/email/email.go":    "speaks without TLS to a relay on this machine alone",
	"sdk/fetch/settings.go":        "makes a guard of allow_private",
	"internal/websub/ask.go":       "asks the hub of a source, with the guard that is made of the source's allow_private",
	"internal/desk/doctor_host.go": "asks the daemon of this machine at the addresses where it is configured to listen",
}

// TestWhoWidensTheGuard holds that private networks are permitted by the setting allow_private alone.
func TestWhoWidensTheGuard(t *testing.T) {
	t.Parallel()
	tr := load(t)
	var made, widened []finding
	for _, p := range tr.ours() {
		if !tr.shipped[p.ImportPath] {
			continue
		}
		for _, s := range tr.sources(t, p) {
			made = append(made, uses(s, prefixes)...)
			widened = append(widened, widens(s)...)
		}
	}
	hold(t, made, mayMakePrefixes, "networks come from allow_private in the configuration, which sdk.Decode reads")
	hold(t, widened, mayWiden, "a guard permits what allow_private says, and nothing else")
}

// widens lists where a field with permitted networks gets something else than a field AllowPrivate.
func widens(s source) (out []finding) {
	if s.types == nil {
		return nil // the guard is the same on every system
	}
	permits := func(field *types.Var) bool {
		return field != nil && (field.Name() == "AllowPrivate" || field.Name() == "Allow") && field.Type().String() == "[]net/netip.Prefix"
	}
	judge := func(value ast.Expr) {
		if !s.configured(value) {
			out = append(out, finding{s.at, "something else than AllowPrivate for the networks of a guard"})
		}
	}
	selected := func(e ast.Expr) *types.Var {
		if x, ok := ast.Unparen(e).(*ast.SelectorExpr); ok {
			if sel := s.types.Selections[x]; sel != nil {
				v, _ := sel.Obj().(*types.Var)
				return v
			}
		}
		return nil
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			named := namedOf(s.types.Types[n].Type)
			if named == nil {
				return true
			}
			fields, ok := named.Underlying().(*types.Struct)
			if !ok {
				return true
			}
			for i, e := range n.Elts {
				kv, keyed := e.(*ast.KeyValueExpr)
				switch {
				case keyed:
					if v, ok := s.types.Uses[kv.Key.(*ast.Ident)].(*types.Var); ok && permits(v) {
						judge(kv.Value)
					}
				case permits(fields.Field(i)):
					judge(e)
				}
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if permits(selected(left)) {
					judge(n.Rhs[min(i, len(n.Rhs)-1)])
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND && permits(selected(n.X)) {
				out = append(out, finding{s.at, "the address of the networks of a guard"})
			}
		case *ast.IndexExpr: // an element of them
			if permits(selected(n.X)) {
				out = append(out, finding{s.at, "an element of the networks of a guard"})
			}
		}
		return true
	})
	return out
}

// configured reports whether an expression is a field AllowPrivate, or nothing.
func (s source) configured(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name == "AllowPrivate"
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.CallExpr: // a conversion
		return len(e.Args) == 1 && s.types.Types[e.Fun].IsType() && s.configured(e.Args[0])
	}
	return false
}
