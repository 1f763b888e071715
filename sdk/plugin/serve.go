package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const (
	// closing is how long instances may take to close after the host has gone.
	closing = 5 * time.Second
	// watching is how often the parent process is looked at.
	watching = 500 * time.Millisecond
)

// Serve offers the types that the specs declare to the host that started this process, and returns when the host is done
// with it. A plugin's main calls it first, and prints nothing before.
//
// Started by a person instead of Belfry, it says so and exits with status 2. It takes over the process: standard output
// and error, package log and the default slog go to the host's log; SIGINT, SIGTERM and SIGHUP are left to the host; the
// process ends when its parent does.
func Serve(specs ...*sdk.Spec) {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		fmt.Fprintln(os.Stderr, startedByHand(specs))
		os.Exit(2)
	}
	stderr := os.Stderr
	if err := divertStdout(); err != nil {
		fmt.Fprintf(stderr, "standard output cannot be diverted: %v\n", err)
	}
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(os.Getenv(wire.EnvLogLevel)))
	log := slog.New(newLogHandler(stderr, level))
	slog.SetDefault(log)
	limitMemory(log)
	// The host decides when the process ends. A signal to the whole group, such as Ctrl-C at a terminal or the stop of a
	// service, must not take the plugin from under a daemon that still drains.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go watchParent(log, os.Getppid()) // asked before the host hears of us: it may be gone soon after

	server, err := wire.NewServer(log, specs...)
	if err != nil {
		log.Error("the plugin cannot be served", "error", err)
		os.Exit(2)
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{wire.Version: {"belfry": &served{server: server}}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(wire.MaxMessage),
				grpc.StaticStreamWindowSize(wire.StreamWindow), grpc.StaticConnWindowSize(wire.ConnWindow))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Output: stderr, Level: hclog.Warn, JSONFormat: true}),
	})
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := server.Close(ctx); err != nil {
		log.Warn("an instance did not close", "error", err)
	}
}

// startedByHand is what a person reads who starts a plugin.
func startedByHand(specs []*sdk.Spec) string {
	var types []string
	for _, s := range specs {
		if s != nil {
			types = append(types, s.Type)
		}
	}
	return fmt.Sprintf("%s is a plugin of Belfry (%s). Belfry starts it by itself: name its path in Belfry's configuration, "+
		"and use its type there.", os.Args[0], strings.Join(types, ", "))
}

// served registers the services with go-plugin's server.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
	server *wire.Server
}

// GRPCServer implements goplugin.GRPCPlugin.
func (p *served) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	p.server.Register(s)
	return nil
}

// GRPCClient implements goplugin.GRPCPlugin; a plugin is never a client.
func (p *served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("a plugin is no client")
}

// watchParent ends the process when it has another parent than at its start: a daemon that was killed cannot take its
// plugins along. It ends only with the process, which it owns.
func watchParent(log *slog.Logger, parent int) {
	for range time.Tick(watching) {
		if os.Getppid() != parent {
			log.Warn("the host is gone; the plugin ends")
			os.Exit(3)
		}
	}
}

// limitMemory sets the limit that the host chose. The collector works harder from three quarters of it on.
func limitMemory(log *slog.Logger) {
	limit, err := strconv.ParseInt(os.Getenv(wire.EnvMemory), 10, 64)
	if err != nil || limit <= 0 {
		return
	}
	if err := setMemoryLimit(limit); err != nil {
		log.Warn("the memory limit cannot be set", "limit", limit, "error", err)
	}
}
