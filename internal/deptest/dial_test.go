package deptest

import (
	"cmp"
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// opens are the names by which a program can open a connection, send to an address, or start another program that does,
// by package; T.M is a method or a field. What libraries offer stands here as well.
var opens = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialIP", "DialTCP", "DialUDP", "DialUnix", "Dialer", "Dialer.Control", "Dialer.ControlContext", "FileConn", "FilePacketConn",
		"ListenPacket", "ListenUDP", "ListenIP", "ListenMulticastUDP", "ListenUnixgram", "ListenConfig.ListenPacket"},
	"net/http":                       {"Client", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "Transport"},
	"net/http/httputil":              {"ReverseProxy", "NewSingleHostReverseProxy"},
	"net/rpc":                        {"Dial", "DialHTTP", "DialHTTPPath"},
	"net/rpc/jsonrpc":                {"Dial"},
	"net/smtp":                       {"Dial", "SendMail"},
	"net/textproto":                  {"Dial"},
	"log/syslog":                     {"Dial", "New", "NewLogger"},
	"crypto/tls":                     {"Dial", "DialWithDialer", "Dialer"},
	"os":                             {"StartProcess"},
	"os/exec":                        {"Command", "CommandContext", "Cmd.Start", "Cmd.Run", "Cmd.Output", "Cmd.CombinedOutput"},
	"syscall":                        append([]string{"Exec", "ForkExec", "StartProcess"}, sockets...),
	"golang.org/x/sys/unix":          append([]string{"Exec"}, sockets...),
	"golang.org/x/sys/windows":       append([]string{"ConnectEx", "WSASocket", "WSASendto", "CreateProcess", "CreateProcessAsUser"}, sockets...),
	"golang.org/x/net/proxy":         {"Dial", "Direct", "Dialer", "ContextDialer", "FromEnvironment", "FromEnvironmentUsing", "FromURL", "SOCKS5", "NewPerHost", "RegisterDialerType"},
	"golang.org/x/net/websocket":     {"Dial", "DialConfig", "DialError", "Config.DialContext"},
	"google.golang.org/grpc":         {"Dial", "DialContext", "NewClient"},
	"github.com/hashicorp/go-plugin": {"NewClient"},
	"github.com/emersion/go-smtp":    {"Dial", "DialTLS", "DialStartTLS", "NewClient", "NewClientLMTP", "NewClientStartTLS", "SendMail", "SendMailTLS"},
	"github.com/wneessen/go-mail":    {"NewClient", "Client", "Msg.WriteToSendmail", "Msg.WriteToSendmailWithCommand", "Msg.WriteToSendmailWithContext", "QuickSend"},
	"github.com/mmcdole/gofeed":      {"Parser.ParseURL", "Parser.ParseURLWithContext", "Parser.Client"},
}

var sockets = []string{"Connect", "Socket", "Sendto", "Sendmsg", "SendmsgN", "SendmsgBuffers", "Syscall", "Syscall6", "Syscall9", "RawSyscall", "RawSyscall6", "SyscallN"}

// judged are the libraries that are built of package net and open nothing for us, with the reason. Another one has to be
// looked at first: what of it dials goes into opens.
var judged = map[string]string{
	"github.com/andybalholm/brotli":                             "writes and reads one encoding",
	"github.com/coreos/go-systemd/v22/daemon":                   "writes to the socket of the service manager that started the program",
	"github.com/google/uuid":                                    "reads the numbers of network cards",
	"github.com/knadh/koanf/v2":                                 "merges trees; its flags know addresses",
	"github.com/prometheus/client_golang/prometheus":            "keeps figures",
	"github.com/prometheus/client_golang/prometheus/collectors": "keeps figures",
	"github.com/prometheus/client_golang/prometheus/promhttp":   "answers scrapes",
	"golang.org/x/net/publicsuffix":                             "knows names",
	"golang.org/x/net/http/httpguts":                            "checks names and values of headers",
	"google.golang.org/grpc/codes":                              "are numbers",
	"google.golang.org/grpc/encoding":                           "are codecs",
	"google.golang.org/grpc/health/grpc_health_v1":              "asks over a connection that it is given",
	"google.golang.org/grpc/mem":                                "are buffers",
	"google.golang.org/grpc/status":                             "are errors",
	"modernc.org/libc":                                          "is SQLite's C library, of which only memory is asked for",
	"modernc.org/sqlite":                                        "reads and writes files; its C library knows sockets, and SQLite does not use them",
	"modernc.org/sqlite/lib":                                    "reads and writes files; its C library knows sockets, and SQLite does not use them",
}

// mayOpen are the only files that open connections or start programs, with what keeps each from private addresses. Every
// other place that takes an address uses one of the first two: feeds, their redirects and discovery by plugins/rss;
// images, destinations and their redirects, and heartbeats by sdk.Client.
var mayOpen = map[string]string{
	"sdk/guard.go":                     "is the guard",
	"sdk/client.go":                    "dials by Guard.Dialer",
	"sdk/fetch/network.go":             "dials by Guard.Dialer",
	"connectors/email/relay.go":        "holds what Guard.Dialer made",
	"internal/pluginhost/process.go":   "speaks to the plugin that it started, by a socket in a folder of its own",
	"internal/pluginhost/runner.go":    "starts plugins",
	"internal/sandbox/":                "starts programs under a policy, and connects to nothing",
	"plugins/exec/run.go":              "starts the command of its configuration, which whoever declares the source has put into a sandbox",
	"internal/fake/fake.go":            "starts what the author of a plugin names, to play the part of what the plugin talks to",
	"internal/plugintest/fake.go":      "asks the fake that the author of a plugin names what it holds, and stands before it",
	"internal/plugintest/scenario.go":  "runs the commands that the author of a plugin wrote for a test",
	"internal/pluginhost/socket.go":    "speaks to a plugin that it started, by a socket in its own folder, and looks at who listens there",
	"internal/demo/proxy.go":           "asks the demonstration's own daemon",
	"internal/demo/ring.go":            "asks the demonstration's own daemon",
	"internal/demo/daemon.go":          "starts the demonstration's own daemon",
	"bench/":                           "starts and asks the daemon that it measures",
	"internal/plugindev/build.go":      "builds the plugin of the developer who asked for it",
	"internal/scaffold/bundle/pack.go": "asks the Go command for the SDK's packages when Belfry is built",
	"internal/memory/program_linux.go": "gives pages of the program back",
	"internal/visitor/visitor.go":      "asks the own pages of a demonstration and of a plugin under development; who may use it is looked at too",
}

// finding is a use of what is not for everybody.
type finding struct{ at, name string }

// uses lists what of a table a file uses. The type checker says which name is which, whatever the file calls it; a file of
// another system is read by the names of its imports.
func uses(s source, table map[string][]string) (out []finding) {
	add := func(path, name string) {
		if slices.Contains(table[path], name) {
			out = append(out, finding{s.at, path + "." + name})
		}
	}
	names := map[string]string{}
	for _, spec := range s.tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		local := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = path
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if s.types != nil {
				if obj := s.types.Uses[n]; obj != nil && obj.Pkg() != nil {
					add(obj.Pkg().Path(), inPackage(obj))
				}
			}
		case *ast.SelectorExpr:
			if s.types == nil {
				if x, ok := n.X.(*ast.Ident); ok {
					add(names[x.Name], n.Sel.Name)
				}
				return true
			}
			if sel := s.types.Selections[n]; sel != nil && sel.Kind() == types.FieldVal {
				if named := namedOf(sel.Recv()); named != nil && named.Obj().Pkg() != nil {
					add(named.Obj().Pkg().Path(), named.Obj().Name()+"."+n.Sel.Name)
				}
			}
		case *ast.CompositeLit: // its fields
			if s.types == nil {
				return true
			}
			named := namedOf(s.types.Types[n].Type)
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok && named != nil && named.Obj().Pkg() != nil {
					if key, ok := kv.Key.(*ast.Ident); ok {
						add(named.Obj().Pkg().Path(), named.Obj().Name()+"."+key.Name)
					}
				}
			}
		}
		return true
	})
	return out
}

// inPackage is an object's name in its package; a method's with its type.
func inPackage(obj types.Object) string {
	if f, ok := obj.(*types.Func); ok {
		if recv := f.Signature().Recv(); recv != nil {
			if named := namedOf(recv.Type()); named != nil {
				return named.Obj().Name() + "." + f.Name()
			}
		}
	}
	if v, ok := obj.(*types.Var); ok && v.IsField() {
		return "" // by its selection
	}
	return obj.Name()
}

func namedOf(t types.Type) *types.Named {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	named, _ := types.Unalias(t).(*types.Named)
	return named
}

// place is the entry of a list that permits a file; empty when there is none.
func place(list map[string]string, at string) string {
	for p := range list {
		if at == p || strings.HasSuffix(p, "/") && strings.HasPrefix(at, p) {
			return p
		}
	}
	return ""
}

// hold reports findings outside the places that are listed, and places without any.
func hold(t *testing.T, found []finding, list map[string]string, instead string) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range slices.Compact(slices.SortedFunc(slices.Values(found), func(a, b finding) int { return cmp.Or(strings.Compare(a.at, b.at), strings.Compare(a.name, b.name)) })) {
		if p := place(list, f.at); p != "" {
			seen[p] = true
			continue
		}
		t.Errorf("%s uses %s; %s", f.at, f.name, instead)
	}
	for p := range list {
		if !seen[p] {
			t.Errorf("%s is listed, and does nothing for which it would have to be", p)
		}
	}
}

// TestWhoDials holds that nothing of which a program of ours is built opens a connection around the guard.
func TestWhoDials(t *testing.T) {
	t.Parallel()
	tr := load(t)
	var found []finding
	unknown := map[string]bool{}
	for path := range judged {
		unknown[path] = true
	}
	for _, p := range tr.ours() {
		if !tr.shipped[p.ImportPath] {
			continue // it stands in tests only
		}
		for _, s := range tr.sources(t, p) {
			found = append(found, uses(s, opens)...)
		}
		for _, i := range p.Imports {
			if tr.all[i].Standard || strings.HasPrefix(i, module) || opens[i] != nil || !tr.reaches(i, "net") {
				continue
			}
			if judged[i] == "" {
				t.Errorf("%s imports %s, which is built of package net: look at what of it opens connections, and list that", p.ImportPath, i)
			}
			delete(unknown, i)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(unknown)) {
		t.Errorf("%s is judged, and nothing that is shipped imports it", path)
	}
	hold(t, found, mayOpen, "addresses are dialled by sdk.Client, which guards them")
}
