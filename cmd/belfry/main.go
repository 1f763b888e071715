// Command belfry is the whole of Belfry: the daemon and the commands that look after it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
)

// Exit codes, the same for every command.
const (
	exitOK      = 0
	exitFailed  = 1 // it was tried and did not work, or problems were found
	exitUsage   = 2 // the command line or its input cannot be used
	exitChanged = 3 // plan --config: something would change
)

// version is set when a release is built.
var version = "dev"

// exitError ends the program with a code; its text, if any, is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// global are the settings of every command.
type global struct {
	Config string            `short:"c" default:"belfry.yaml" env:"BELFRY_CONFIG" placeholder:"PATH" help:"The configuration: a YAML file, or a folder of them."`
	Set    map[string]string `placeholder:"PATH=VALUE" help:"Override one setting, such as site.url=https://news.example."`
	Log    string            `default:"info" enum:"debug,info,warn,error" env:"BELFRY_LOG" help:"What is logged: debug, info, warn or error."`
	JSON   bool              `name:"json" help:"Print JSON, for programs."`
}

// cli is the command line.
type cli struct {
	global
	Run     runCmd     `cmd:"" help:"Run the daemon until it is told to stop."`
	Check   checkCmd   `cmd:"" help:"Read the configuration and name every problem."`
	Plugin  pluginCmd  `cmd:"" help:"Plugin processes."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) }

// run runs one command line and gives the exit code.
func run(args []string, std streams) (code int) {
	c := cli{}
	exited := false
	parser, err := kong.New(&c, kong.Name("belfry"), kong.Description("Belfry rings the news to those who asked to hear it."),
		kong.Writers(std.out, std.err), kong.Exit(func(n int) { exited, code = true, n }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(std.err, "belfry:", err)
		return exitFailed
	}
	ctx, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(std.err, "belfry: %s\n", err)
		return exitUsage
	}
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx.BindTo(signals, (*context.Context)(nil))
	err = ctx.Run(&c.global, std)
	var ee *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ee):
		if ee.err != nil {
			fmt.Fprintf(std.err, "belfry: %s\n", ee.err)
		}
		return ee.code
	}
	var invalid *configs.Invalid
	if errors.As(err, &invalid) {
		fmt.Fprintln(std.err, invalid)
	} else {
		fmt.Fprintf(std.err, "belfry: %s\n", err)
	}
	return exitFailed
}

func (g *global) options() configs.Options {
	return configs.Options{Path: g.Config, Environ: os.Environ(), Flags: g.Set, Specs: builtIn()}
}

func (g *global) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(strings.ToUpper(g.Log))) // checked by the enum
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func (g *global) app(std streams) (*app.App, error) {
	return app.New(app.Options{Config: g.options(), Log: g.logger(std.err), Version: version})
}
