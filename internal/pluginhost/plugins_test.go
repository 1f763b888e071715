//go:build linux

package pluginhost

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/plugin"
	"github.com/belfry-news/belfry/sdk/sdktest"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The test binary is every plugin of these tests: started with "plugin" and a kind, it serves that kind.

// servePlugin runs as the plugin of a kind. It is what `belfry plugin serve KIND` is to the daemon.
func servePlugin(kind string) {
	switch kind {
	case "good", "other":
		plugin.Serve(goodSpec(kind))
	case "bad":
		plugin.Serve(badSpec("bad", ""))
	case "spy":
		plugin.Serve(spySpec())
	case "postman":
		plugin.Serve(postmanSpec().WithMedium(sdk.Medium{OwnChoice: true}))
	case "old-postman":
		plugin.Serve(postmanSpec())
	case "ear":
		plugin.Serve(earSpec().WithMedium(sdk.Medium{Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventStop}}))
	case "old-ear":
		plugin.Serve(earSpec().WithMedium(sdk.Medium{}))
	case "platform":
		p := &sdktest.Platform{}
		p.AddChannel("@gazette")
		p.AddPerson("@someone")
		plugin.Serve(p.Spec())
	case "newsroom":
		n := &sdktest.Newsroom{}
		for i := range 30 {
			n.Put(sdktest.SampleItem(fmt.Sprint("item-", i)))
		}
		n.Remove("item-7")
		plugin.Serve(n.Spec())

	// What follows does not keep to the protocol.
	case "garbage":
		fmt.Println("Hello, I am a plugin.")
	case "garbage-stays":
		fmt.Println("Hello, I am a plugin.")
		forever()
	case "lacks-a-module":
		fmt.Fprint(os.Stderr, "Traceback (most recent call last):\n\nModuleNotFoundError: No module named \x1b[31m'belfry'")
		os.Exit(1)
	case "exits":
		fmt.Fprintln(os.Stderr, "panic: no such luck")
		os.Exit(7)
	case "silent":
		forever()
	case "floods-before":
		out := bufio.NewWriterSize(os.Stdout, 1<<20)
		for range 1 << 20 {
			if _, err := out.WriteString(strings.Repeat("flood ", 100)); err != nil {
				return
			}
		}
	case "stray":
		fmt.Println("loading the model…")
		fmt.Println("1|2|3")
		plugin.Serve(goodSpec(kind))
	case "wrong-version":
		fmt.Println("1|7|unix|/tmp/x|grpc|")
		forever()
	case "netrpc":
		fmt.Println("1|1|unix|/tmp/x|netrpc|")
		forever()
	case "other-socket":
		l, err := net.Listen("unix", filepath.Join(os.Getenv("TMPDIR"), "..", "elsewhere"))
		if err != nil {
			panic(err)
		}
		fmt.Printf("1|1|unix|%s|grpc|socket\n", l.Addr())
		forever()
	case "by-socket", "by-anothers-socket", "by-a-link", "by-a-file", "listens-for-another":
		serveBySocket(kind)
	case "no-certificate":
		fmt.Printf("1|1|unix|%s|grpc|\n", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s"))
		forever()
	case "old-version":
		fmt.Println("1|0|unix|/tmp/x|grpc|")
		forever()
	case "dead-socket":
		l, err := net.Listen("unix", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s"))
		if err != nil {
			panic(err)
		}
		fmt.Printf("1|1|unix|%s|grpc|%s\n", l.Addr(), strings.Repeat("A", 60))
		forever()
	case "no-answer":
		serveRaw(&rawPlugin{describe: func(context.Context) (*wire.DescribeResponse, error) { select {} }})
	case "another-type":
		plugin.Serve(goodSpec("something"), goodSpec("something-else"))
	case "odd-stderr":
		fmt.Fprintln(os.Stderr, `{"@message":5,"@level":{}}`)
		fmt.Fprintln(os.Stderr, `{"@message":"odd","@level":7,"@timestamp":[],"nested":{"a":[1]},"esc":"\u001b[2Jx"}`)
		plugin.Serve(goodSpec(kind))
	case "liar":
		serveRaw(&rawPlugin{})
	case "deaf": // the SDK ignores SIGTERM anyway
		plugin.Serve(goodSpec(kind))
		forever()
	default:
		if c, ok := culpritOf(kind); ok {
			c.serve(kind)
			return
		}
		fmt.Fprintln(os.Stderr, "no such kind of plugin:", kind)
		os.Exit(9)
	}
}

// goodConfig configures a source that does what it should.
type goodConfig struct {
	Items  int        `yaml:"items" min:"0" doc:"How many items a fetch gives."`
	Size   int        `yaml:"size" min:"0" doc:"Length of an item's text, in bytes."`
	Secret sdk.Secret `yaml:"secret" doc:"Not for others."`
}

func goodSpec(typ string) *sdk.Spec {
	return sdk.Define(typ, "a source that does what it should", goodConfig{Items: 1, Size: 10},
		func(_ context.Context, s sdk.Settings, c goodConfig) (*goodSource, error) {
			return &goodSource{settings: s, config: c}, nil
		})
}

type goodSource struct {
	settings sdk.Settings
	config   goodConfig
}

func (s *goodSource) Fetch(ctx context.Context, _ sdk.FetchRequest) (sdk.Batch, error) {
	b := sdk.Batch{Next: sdk.Cursor("1")}
	text := strings.Repeat("x", s.config.Size)
	for i := range s.config.Items {
		b.Items = append(b.Items, sdk.Item{Key: fmt.Sprint(i), Title: "item", Body: sdk.Body{sdk.Paragraph(sdk.Text(text))}})
	}
	s.settings.Log.Debug("fetched", "items", len(b.Items))
	return b, ctx.Err()
}

func (s *goodSource) CheckItems(_ context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	out := make([]sdk.Presence, len(items))
	for i := range out {
		out[i].State = sdk.PresenceThere
	}
	return out, nil
}

func (s *goodSource) Close(context.Context) error { return nil }

// badConfig configures a source that does something it should not.
type badConfig struct {
	Do string `yaml:"do" doc:"What goes wrong."`
	// Once names a file: the fault happens only while it does not exist, and makes it.
	Once string `yaml:"once"`
}

func badSpec(typ, do string) *sdk.Spec {
	return sdk.Define(typ, "a source that does what it should not", badConfig{Do: do},
		func(ctx context.Context, s sdk.Settings, c badConfig) (*badSource, error) {
			switch c.Do {
			case "crash at open":
				go panic("crashed at open")
				select {}
			case "hang at open":
				if err := os.WriteFile(c.Once, nil, 0o600); err != nil {
					return nil, err
				}
				select {}
			case "refuse at open":
				return nil, sdk.Errorf(sdk.CodeUnauthenticated, "open", "the credential is wrong")
			}
			return &badSource{settings: s, config: c}, nil
		})
}

type badSource struct {
	settings sdk.Settings
	config   badConfig
}

func (s *badSource) Close(ctx context.Context) error {
	if s.config.Do == "hang at close" {
		select {}
	}
	return nil
}

func (s *badSource) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	if s.config.Once != "" {
		f, err := os.OpenFile(s.config.Once, os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			yields, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 less the nice value
			return sdk.Batch{Next: sdk.Cursor("afterwards"), Notices: []string{fmt.Sprint("nice ", 20-yields)}}, err
		} else if err != nil {
			return sdk.Batch{}, err
		}
		_ = f.Close()
	}
	switch s.config.Do {
	case "crash":
		go panic("crashed during a fetch")
		select {}
	case "overflow":
		var down func(n int) int
		down = func(n int) int { return down(n+1) + 1 }
		_ = down(0)
	case "exit":
		os.Exit(0)
	case "panic":
		panic("panicked during a fetch")
	case "hang":
		select {}
	case "spin":
		for n := 0; ; n++ {
		}
	case "wait": // as it should
		<-ctx.Done()
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "fetch", "given up: %w", ctx.Err())
	case "eat memory":
		var all [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = byte(i)
			}
			all = append(all, b)
			_ = all
		}
	case "flood the log":
		for i := range 100_000 {
			s.settings.Log.Info("flood", "line", i)
		}
	case "flood stdout":
		for range 100_000 {
			fmt.Println("flood on stdout")
		}
	case "write a line of 1 GB":
		long := bytes.Repeat([]byte("long "), 1<<20/5)
		for range 1 << 10 {
			if _, err := os.Stderr.Write(long); err != nil {
				return sdk.Batch{}, err
			}
		}
	case "write one long line":
		fmt.Fprintln(os.Stderr, strings.Repeat("long ", 1<<20))
		s.settings.Log.Info(strings.Repeat("é", 1<<20))
	case "log":
		s.settings.Log.Debug("a word", "n", 1)
		s.settings.Log.Info("a word", "n", 2)
		s.settings.Log.Warn("a word", "n", 3)
		s.settings.Log.Error("a word", "n", 4)
		fmt.Println("printed by mistake")
		fmt.Fprintln(os.Stderr, "complained")
	case "answer 100 MB":
		var b sdk.Batch
		for i := range 1000 {
			b.Items = append(b.Items, sdk.Item{Key: fmt.Sprint(i), Title: "x", Summary: strings.Repeat("x", 150_000)})
		}
		return b, nil
	case "one item of 20 MB":
		return sdk.Batch{Items: []sdk.Item{{Key: "1", Summary: strings.Repeat("x", 20<<20)}}}, nil
	case "a large cursor":
		return sdk.Batch{Next: make([]byte, sdk.MaxCursor+1)}, nil
	case "no key":
		return sdk.Batch{Items: []sdk.Item{{Title: "x"}}}, nil
	case "a raw link":
		return sdk.Batch{Items: []sdk.Item{{Key: "1", Body: sdk.Body{sdk.Paragraph(sdk.Link("javascript:alert(1)", sdk.Text("x")))}}}}, nil
	case "environment":
		var b sdk.Batch
		b.Notices = os.Environ()
		return b, nil
	case "ids":
		wd, _ := os.Getwd()
		return sdk.Batch{Notices: []string{fmt.Sprint(os.Getpid()), strings.Join(os.Args, " "), wd}}, nil
	case "leave a child", "leave a child in a session of its own":
		child, err := os.StartProcess("/bin/sleep", []string{"sleep", "300"}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr},
			Sys: &syscall.SysProcAttr{Setsid: s.config.Do != "leave a child"}})
		if err != nil {
			return sdk.Batch{}, err
		}
		return sdk.Batch{Notices: []string{fmt.Sprint(child.Pid)}}, nil
	}
	return sdk.Batch{Next: sdk.Cursor("well")}, nil
}

// Publish does what Fetch does.
func (s *badSource) Publish(ctx context.Context, _ sdk.ChannelRef, _ sdk.Part) (sdk.PartRef, error) {
	_, err := s.Fetch(ctx, sdk.FetchRequest{})
	return sdk.PartRef{IDs: []string{"1"}}, err
}

func (s *badSource) Plan(sdk.ChannelRef, sdk.Post) ([]sdk.Part, error) { return nil, nil }

// rawPlugin speaks the protocol by hand, and lies in it.
type rawPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	wire.UnimplementedPluginServer
	wire.UnimplementedSourceServer
	wire.UnimplementedCheckerServer
	wire.UnimplementedResolverServer
	describe func(ctx context.Context) (*wire.DescribeResponse, error)
	// typ is its type, instead of liar; lie is how it lies, instead of as the cursor says.
	typ, lie string
}

func serveRaw(p *rawPlugin) {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		panic("started by hand")
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{wire.Version: {"belfry": p}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxSendMsgSize(math.MaxInt32), grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}))...)
		},
	})
}

func (p *rawPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterPluginServer(s, p)
	wire.RegisterSourceServer(s, p)
	wire.RegisterCheckerServer(s, p)
	wire.RegisterResolverServer(s, p)
	return nil
}

func (p *rawPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("no client")
}

func (p *rawPlugin) Describe(ctx context.Context, _ *wire.DescribeRequest) (*wire.DescribeResponse, error) {
	if p.describe != nil {
		return p.describe(ctx)
	}
	return &wire.DescribeResponse{Types: []*wire.Type{{Name: cmp.Or(p.typ, "liar"), Roles: []string{"source", "checker", "resolver", "grand-vizier"}}}}, nil
}

func (p *rawPlugin) Check(context.Context, *wire.CheckRequest) (*wire.CheckResponse, error) {
	return &wire.CheckResponse{}, nil
}

func (p *rawPlugin) Open(context.Context, *wire.OpenRequest) (*wire.OpenResponse, error) {
	return &wire.OpenResponse{Roles: []string{"source"}}, nil
}

// Settle says that a call has ended.
func (p *rawPlugin) Settle(context.Context, *wire.SettleRequest) (*wire.SettleResponse, error) {
	return &wire.SettleResponse{}, nil
}

// Fetch lies in the way that the cursor names.
func (p *rawPlugin) Fetch(r *wire.FetchRequest, s grpc.ServerStreamingServer[wire.BatchChunk]) error {
	switch cmp.Or(p.lie, string(r.GetCursor())) {
	case "one message of 100 MB":
		return s.Send(&wire.BatchChunk{Items: []*wire.Item{{Key: "1", Summary: strings.Repeat("x", 100<<20)}}})
	case "a bomb of empty nodes":
		// 14 MiB on the wire, gigabytes in memory.
		return s.Send(&wire.BatchChunk{Items: []*wire.Item{{Key: "1", Body: make7M()}}, End: &wire.BatchEnd{}})
	case "items without end":
		items := make([]*wire.Item, 1000)
		for i := range items {
			items[i] = &wire.Item{}
		}
		for {
			if err := s.Send(&wire.BatchChunk{Items: items}); err != nil {
				return err
			}
		}
	case "messages without end":
		for {
			if err := s.Send(&wire.BatchChunk{}); err != nil {
				return err
			}
		}
	case "an item of 1 GB":
		return s.SendMsg(itemOf1GB())
	case "invalid UTF-8":
		return s.SendMsg(rawMessage{mem.SliceBuffer("\x0a\x06\x0a\x04ab\xff\xfe")}) // an item whose key it is
	case "duplicate ids":
		return s.Send(&wire.BatchChunk{Items: []*wire.Item{{Key: "1", Title: "a"}, {Key: "1", Title: "b"}}, End: &wire.BatchEnd{Next: []byte("x")}})
	case "no end":
		return s.Send(&wire.BatchChunk{Items: []*wire.Item{{Key: "1"}}})
	case "after the end":
		_ = s.Send(&wire.BatchChunk{End: &wire.BatchEnd{}})
		return s.Send(&wire.BatchChunk{Items: []*wire.Item{{Key: "1"}}})
	case "a plain error":
		return errors.New("oops, token hunter2")
	}
	return s.Send(&wire.BatchChunk{End: &wire.BatchEnd{Next: []byte("well")}})
}

// FetchMany answers fetches that nobody asked of this process, should the cursor ask for that; else there is no such method.
func (p *rawPlugin) FetchMany(s grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
	first, err := s.Recv()
	if err != nil || cmp.Or(p.lie, string(first.GetCalls()[0].GetFetch().GetCursor())) != "another's ids" {
		return status.Error(codes.Unimplemented, "no")
	}
	own := first.GetCalls()[0].GetFetch().GetCall()
	for n := uint64(1); ; n++ {
		if n == own {
			continue
		}
		text, err := proto.Marshal(&wire.BatchChunk{Items: []*wire.Item{{Key: "stolen", Title: "stolen"}}, End: &wire.BatchEnd{Next: []byte("stolen")}})
		if err != nil {
			return err
		}
		if err := s.Send(&wire.FetchResults{Results: []*wire.FetchResult{{Call: n, Chunk: text, Last: true}}}); err != nil {
			return err
		}
	}
}

// rawMessage is sent as it is.
type rawMessage mem.BufferSlice

// itemOf1GB is a batch of one item whose summary has 1 GB, of which no more than a piece is in memory.
func itemOf1GB() rawMessage {
	const size = 1 << 30
	summary := protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.BytesType), size) // any field would do
	item := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(len(summary)+size))
	out := rawMessage{mem.SliceBuffer(append(item, summary...))}
	piece := mem.SliceBuffer(bytes.Repeat([]byte("x"), 1<<20))
	for range size >> 20 {
		out = append(out, piece)
	}
	return out
}

// rawCodec lets a plugin send what protobuf would not.
type rawCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if m, raw := v.(rawMessage); raw {
		return mem.BufferSlice(m), nil
	}
	return c.CodecV2.Marshal(v)
}

func make7M() []*wire.Node {
	n := &wire.Node{}
	out := make([]*wire.Node, 7<<20)
	for i := range out {
		out[i] = n
	}
	return out
}

func (p *rawPlugin) CheckItems(context.Context, *wire.CheckItemsRequest) (*wire.CheckItemsResponse, error) {
	return &wire.CheckItemsResponse{Presences: []*wire.Presence{{State: "there"}, {State: "there"}}}, nil
}

func (p *rawPlugin) ResolveChannel(_ context.Context, r *wire.ResolveChannelRequest) (*wire.ResolveChannelResponse, error) {
	out := &wire.ResolveChannelResponse{Channel: &wire.ChannelRef{Id: "1"}, Limits: &wire.Limits{Text: 100, Unit: "runes of old"}}
	switch r.GetName() {
	case "no id":
		out.Channel.Id = ""
	case "a large state":
		out.Channel.State = make([]byte, 5000)
	case "a negative limit":
		out.Limits.Text = -1
	case "a rate of nothing":
		out.Limits.Rules = &wire.Rules{Rates: []*wire.Rate{{Scope: "channel"}}}
	case "nothing at all":
		return &wire.ResolveChannelResponse{}, nil
	}
	return out, nil
}
