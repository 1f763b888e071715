package deptest

import (
	"go/ast"
	"go/parser"
	"slices"
	"testing"
)

// TestEvasionsAreSeen holds that the tests beside this one see every way around the guard, whatever it is called.
func TestEvasionsAreSeen(t *testing.T) {
	t.Parallel()
	tr := load(t, "golang.org/x/net/proxy", "golang.org/x/net/websocket", "net/smtp", "net/rpc", "log/syslog", "net/http/httputil", "github.com/mmcdole/gofeed")
	for name, c := range map[string]struct{ code, want string }{
		"another name":                {`import n "net"; var _, _ = n.Dial("tcp", "")`, "net.Dial"},
		"no name":                     {`import . "net"; var _, _ = Dial("tcp", "")`, "net.Dial"},
		"a value":                     {`import "net"; var d = net.DialTimeout`, "net.DialTimeout"},
		"a dialer":                    {`import "net"; var d = &net.Dialer{}`, "net.Dialer"},
		"an alias":                    {`import "net"; type mine = net.Dialer; var d mine`, "net.Dialer"},
		"a type of it":                {`import "net"; type mine net.Dialer`, "net.Dialer"},
		"the guard's without it":      {`import "github.com/belfry-news/belfry/sdk"; func f() { d := sdk.Guard{}.Dialer(0); d.Control = nil; _, _ = d.Dial("", "") }`, "net.Dialer.Control"},
		"packets":                     {`import "net"; var _, _ = net.ListenPacket("udp", "")`, "net.ListenPacket"},
		"packets by another way":      {`import ("context"; "net"); var c net.ListenConfig; var _, _ = c.ListenPacket(context.Background(), "udp", "")`, "net.ListenConfig.ListenPacket"},
		"datagrams":                   {`import "net"; var _, _ = net.ListenUDP("udp", nil)`, "net.ListenUDP"},
		"a file":                      {`import "net"; var _, _ = net.FileConn(nil)`, "net.FileConn"},
		"the default client":          {`import "net/http"; var c = http.DefaultClient`, "net/http.DefaultClient"},
		"the default transport":       {`import "net/http"; var c = http.DefaultTransport.RoundTrip`, "net/http.DefaultTransport"},
		"get":                         {`import "net/http"; var _, _ = http.Get("")`, "net/http.Get"},
		"post":                        {`import "net/http"; var _, _ = http.PostForm("", nil)`, "net/http.PostForm"},
		"a transport":                 {`import "net/http"; var t = http.Transport{}`, "net/http.Transport"},
		"a client":                    {`import "net/http"; var t = new(http.Client)`, "net/http.Client"},
		"an embedded client":          {`import "net/http"; type mine struct{ http.Client }`, "net/http.Client"},
		"a proxy":                     {`import "net/http/httputil"; var p = httputil.NewSingleHostReverseProxy(nil)`, "net/http/httputil.NewSingleHostReverseProxy"},
		"TLS":                         {`import "crypto/tls"; var _, _ = tls.Dial("tcp", "", nil)`, "crypto/tls.Dial"},
		"mail":                        {`import "net/smtp"; var _, _ = smtp.Dial("")`, "net/smtp.Dial"},
		"mail in one call":            {`import "net/smtp"; var _ = smtp.SendMail("", nil, "", nil, nil)`, "net/smtp.SendMail"},
		"calls":                       {`import "net/rpc"; var _, _ = rpc.DialHTTP("", "")`, "net/rpc.DialHTTP"},
		"the system's log":            {`import "log/syslog"; var _, _ = syslog.Dial("", "", 0, "")`, "log/syslog.Dial"},
		"a socket":                    {`import "syscall"; var _ = syscall.Connect(0, nil)`, "syscall.Connect"},
		"a socket of its own":         {`import "syscall"; var _, _ = syscall.Socket(0, 0, 0)`, "syscall.Socket"},
		"a call of the kernel":        {`import "syscall"; var f = syscall.RawSyscall`, "syscall.RawSyscall"},
		"a socket of another name":    {`import "golang.org/x/sys/unix"; var _ = unix.Connect(0, nil)`, "golang.org/x/sys/unix.Connect"},
		"SOCKS":                       {`import "golang.org/x/net/proxy"; var _, _ = proxy.SOCKS5("", "", nil, nil)`, "golang.org/x/net/proxy.SOCKS5"},
		"whatever the system says":    {`import "golang.org/x/net/proxy"; var d = proxy.FromEnvironment()`, "golang.org/x/net/proxy.FromEnvironment"},
		"a web socket":                {`import "golang.org/x/net/websocket"; var _, _ = websocket.Dial("", "", "")`, "golang.org/x/net/websocket.Dial"},
		"a prepared web socket":       {`import "golang.org/x/net/websocket"; var _, _ = websocket.DialConfig(nil)`, "golang.org/x/net/websocket.DialConfig"},
		"gRPC":                        {`import "google.golang.org/grpc"; var _, _ = grpc.NewClient("")`, "google.golang.org/grpc.NewClient"},
		"a library that fetches":      {`import "github.com/mmcdole/gofeed"; var _, _ = gofeed.NewParser().ParseURL("")`, "github.com/mmcdole/gofeed.Parser.ParseURL"},
		"another program":             {`import "os/exec"; var c = exec.Command("curl")`, "os/exec.Command"},
		"another program by its path": {`import "os/exec"; var c = (&exec.Cmd{Path: "/usr/bin/curl"}).Run()`, "os/exec.Cmd.Run"},
		"a process":                   {`import "os"; var _, _ = os.StartProcess("", nil, nil)`, "os.StartProcess"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := tr.snippet(t, c.code, opens); !slices.Contains(found, c.want) {
				t.Errorf("%s is not seen; only %q", c.want, found)
			}
		})
	}
	for name, code := range map[string]string{
		"everything":    `import "net/netip"; import "github.com/belfry-news/belfry/sdk"; var c = sdk.NewClient(sdk.ClientConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})`,
		"a variable":    `import "net/netip"; import "github.com/belfry-news/belfry/sdk"; func f(all []netip.Prefix) sdk.Guard { return sdk.Guard{Allow: all} }`,
		"without a key": `import "net/netip"; import "github.com/belfry-news/belfry/sdk"; func f(all []netip.Prefix) sdk.Guard { return sdk.Guard{all} }`,
		"afterwards":    `import "net/netip"; import "github.com/belfry-news/belfry/sdk"; func f(g *sdk.Guard, p netip.Prefix) { g.Allow = append(g.Allow, p) }`,
		"by a pointer":  `import "github.com/belfry-news/belfry/sdk"; func f(g *sdk.Guard) any { return &g.Allow }`,
		"in its place":  `import "net/netip"; import "github.com/belfry-news/belfry/sdk"; func f(g sdk.Guard, p netip.Prefix) { g.Allow[0] = p }`,
		"in settings":   `import "net/netip"; import "github.com/belfry-news/belfry/internal/media"; func f(all []netip.Prefix) any { return media.Settings{AllowPrivate: all} }`,
	} {
		t.Run("wider by "+name, func(t *testing.T) {
			if len(widens(tr.parse(t, code))) == 0 {
				t.Error("it is not seen")
			}
		})
	}
	for name, code := range map[string]string{
		"nothing":   `import "github.com/belfry-news/belfry/sdk"; var c = sdk.NewClient(sdk.ClientConfig{UserAgent: "x"}); var g = sdk.Guard{Allow: nil}`,
		"a setting": `import ("net/netip"; "github.com/belfry-news/belfry/sdk"); type c struct{ AllowPrivate []netip.Prefix }; func f(x c) any { return sdk.Guard{Allow: []netip.Prefix(x.AllowPrivate)} }`,
	} {
		t.Run("not wider by "+name, func(t *testing.T) {
			s := tr.parse(t, code)
			if found := append(widens(s), uses(s, opens)...); len(found) > 0 {
				t.Errorf("it is taken for %q", found)
			}
		})
	}
	if found := tr.snippet(t, `import "net/netip"; var p = netip.MustParsePrefix("::/0"); var q, _ = netip.Addr{}.Prefix(0)`, prefixes); !slices.Equal(found, []string{"net/netip.MustParsePrefix", "net/netip.Addr.Prefix"}) {
		t.Errorf("networks are not seen: %q", found)
	}
}

// parse type-checks a file of one line, as a package of the module.
func (tr *tree) parse(t *testing.T, code string) source {
	t.Helper()
	f, err := parser.ParseFile(tr.fset, "snippet.go", "package snippet; "+code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	info, err := tr.check(module+"snippet", []*ast.File{f}...)
	if err != nil {
		t.Fatal(err)
	}
	return source{"snippet.go", f, info}
}

// snippet lists what of a table a file of one line uses.
func (tr *tree) snippet(t *testing.T, code string, table map[string][]string) (names []string) {
	t.Helper()
	for _, f := range uses(tr.parse(t, code), table) {
		names = append(names, f.name)
	}
	return names
}
