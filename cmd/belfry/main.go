// Command belfry is the whole of Belfry: the daemon and the commands that look after it. Commands act on rows of the
// store, which the daemon notices within a second; they work whether it runs or not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/memory"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/plugins/webhook/signature"
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

// unusable says that the command line or its input cannot be used.
func unusable(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// cli is the command line.
type cli struct {
	global

	Run        runCmd        `cmd:"" group:"serve" help:"Run the daemon until it is told to stop."`
	Demo       demoCmd       `cmd:"" group:"serve" help:"Show the main job on this machine, without the internet."`
	Check      checkCmd      `cmd:"" group:"serve" help:"Read the configuration and name every problem."`
	Config     configCmd     `cmd:"" group:"serve" help:"An example, the schema, and what is in force."`
	Version    versionCmd    `cmd:"" group:"serve" help:"Print the version."`
	Completion completionCmd `cmd:"" group:"serve" help:"Completion for a shell."`
	Token      tokenCmd      `cmd:"" group:"serve" help:"Make a token for the API, and what the configuration holds of it."`

	Status  statusCmd  `cmd:"" group:"look" help:"One screen: what runs, what waits, what needs a person."`
	Plan    planCmd    `cmd:"" group:"look" help:"What will be posted where, and what a new configuration would change."`
	Why     whyCmd     `cmd:"" group:"look" help:"Why an item or a post is, or is not, where it should be."`
	Privacy privacyCmd `cmd:"" group:"look" help:"What is kept about people, and why."`
	Alert   alertCmd   `cmd:"" group:"look" help:"The trouble that lasts, and what mends it."`
	Doctor  doctorCmd  `cmd:"" group:"look" help:"Look at everything, and say what needs a person and what to do."`

	Post        postCmd        `cmd:"" group:"act" help:"Write, correct, retract and look after posts."`
	Source      sourceCmd      `cmd:"" group:"act" help:"Look at sources, fetch them, release what they hold."`
	Destination destinationCmd `cmd:"" group:"act" help:"Look at destinations and test them."`
	Subscriber  subscriberCmd  `cmd:"" group:"act" help:"Look after the people who follow: list, import, merge, let them go."`
	Consent     consentCmd     `cmd:"" group:"act" help:"What people agreed to: show, export, erase."`
	Message     messageCmd     `cmd:"" group:"act" help:"What people are sent: preview it, and release what is held."`
	Keys        keysCmd        `cmd:"" group:"act" help:"The keys that seal the addresses of people."`
	Store       storeCmd       `cmd:"" group:"act" help:"Back the store up, restore it, and see what takes room."`
	Pause       pauseCmd       `cmd:"" group:"act" help:"Pause everything, a source, a channel or a destination."`
	Resume      resumeCmd      `cmd:"" group:"act" help:"End a pause, or let a stopped destination serve again."`

	Try      tryCmd      `cmd:"" group:"try" help:"Read a feed or another source as the daemon would, and print its items."`
	Render   renderCmd   `cmd:"" group:"try" help:"The requests that a destination would be sent for an item."`
	Page     pageCmd     `cmd:"" group:"try" help:"The hosted page of an item."`
	Schedule scheduleCmd `cmd:"" group:"try" help:"When a schedule is due."`
	URL      urlCmd      `cmd:"" name:"url" group:"try" help:"Whether an address may be fetched."`
	Webhook  webhookCmd  `cmd:"" group:"try" help:"Whether a webhook is genuine."`
	Bounce   bounceCmd   `cmd:"" group:"try" help:"What a mail that came back says."`
	Plugin   pluginCmd   `cmd:"" group:"try" help:"The kinds of sources and destinations, and plugins of third parties."`
}

var groups = []kong.Group{
	{Key: "serve", Title: "Serve:"},
	{Key: "look", Title: "Look:"},
	{Key: "act", Title: "Act (with or without a running daemon):"},
	{Key: "try", Title: "Try, without a store:"},
	{Key: "global", Title: "Flags of every command:"},
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	sandbox.Main()
	memory.NoSamples()
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// newParser makes the parser of a command line. exit is called when help was asked for.
func newParser(c *cli, std streams, exit func(int)) (*kong.Kong, error) {
	return kong.New(c, kong.Name("belfry"), kong.Description("Belfry rings the news to those who asked to hear it."),
		kong.Writers(std.out, std.err), kong.Exit(exit), kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(flagHelp), kong.Help(printHelp), kong.Vars{"schemes": strings.Join(signature.Schemes(), ", ")})
}

// run runs one command line and gives the exit code.
func run(args []string, std streams) (code int) {
	c := cli{}
	exited := false
	parser, err := newParser(&c, std, func(n int) { exited, code = true, n })
	if err != nil {
		fmt.Fprintln(std.err, "belfry:", err)
		return exitFailed
	}
	if len(args) == 0 {
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	ctx, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(std.err, "belfry: %s\n", mistake(err))
		return exitUsage
	}
	for _, p := range ctx.Path {
		c.explicit = c.explicit || p.Flag != nil && p.Flag.Name == "config"
	}
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx.BindTo(signals, (*context.Context)(nil))
	return report(ctx.Run(&c.global, std), std)
}

// report prints an error and gives its exit code.
func report(err error, std streams) int {
	var ee *exitError
	var invalid *configs.Invalid
	var said *desk.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ee):
		if ee.err != nil {
			fmt.Fprintf(std.err, "belfry: %s\n", ee.err)
		}
		return ee.code
	case errors.As(err, &invalid):
		fmt.Fprintln(std.err, invalid)
	case errors.As(err, &said) && (said.Kind == desk.Unusable || said.Kind == desk.Unknown):
		fmt.Fprintf(std.err, "belfry: %s\n", err)
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(std.err, "belfry: interrupted")
	default:
		fmt.Fprintf(std.err, "belfry: %s\n", err)
	}
	return exitFailed
}
