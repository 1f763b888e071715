package exec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// outputWait is how long the output is read on after everything was ended, should something hold it still.
	outputWait = 2 * time.Second
	// maxStderr is how much a command may say for the log in one run, in bytes; one that says more is ended.
	maxStderr = 4 << 20
	// maxLogLines are passed on of one run, each cut at maxLogLine bytes.
	maxLogLines = 200
	maxLogLine  = 1000
)

// errLate ends a run that takes too long.
var errLate = errors.New("the run takes too long")

// run runs the command once, reads all that it prints, and ends all that it started.
func (s *Source) run(caller context.Context, now time.Time, cursor json.RawMessage) (sdk.Batch, error) {
	if caller.Err() != nil {
		return sdk.Batch{}, gaveUp(caller, "the command was not started")
	}
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, s.config.Timeout.Std(), errLate)
	defer stop()
	deadline, _ := ctx.Deadline()
	input, err := s.request(now, deadline, cursor)
	if err != nil {
		return sdk.Batch{}, err
	}
	// The folder is inside that of the source's own process, so whatever is left behind is found by its name.
	folder, err := os.MkdirTemp("", "run")
	if err != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "the command has no folder to run in: %w", err)
	}
	defer os.RemoveAll(folder)

	// The kernel ends the command with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := s.sandbox.Command(ctx, Program{Path: s.config.Command[0], Args: s.config.Command[1:], Read: s.config.readable(), Folder: folder, Memory: int64(s.config.Memory) << 20})
	if err != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "the command cannot be started: %w", err)
	}
	for name, value := range s.config.Env {
		cmd.Env = append(cmd.Env, name+"="+value.Reveal())
	}
	said := newStderr(s.log, s.mask, func() {
		cancel(sdk.Errorf(sdk.CodeTooLarge, opFetch, "the command wrote more than %d MiB to standard error; write less there", maxStderr>>20))
	})
	in := &lineReader{source: s, cursor: cursor}
	out, closeOutput, err := connect(cmd, input, said)
	if err != nil {
		return sdk.Batch{}, err
	}
	defer closeOutput()
	if err := cmd.Start(); err != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "%s cannot be started: %w", s.config.Command[0], startCause(err))
	}
	cmd.Stdout.(*os.File).Close() //nolint:forcetypeassert // connect set it
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := in.read(out); err != nil {
			cancel(err) // nothing that follows would be taken
		}
	})
	waited := cmd.Wait()
	left := s.sandbox.End(cmd.Process.Pid, folder)
	// What holds the output although it was ended, or got away, is not waited for.
	giveUp := time.AfterFunc(outputWait, func() { _ = out.Close() })
	reading.Wait()
	stuck := !giveUp.Stop()
	said.end()
	return s.judge(caller, ctx, in, end{state: cmd.ProcessState, err: waited, said: said, left: left, stuck: stuck})
}

// connect gives the command its request and pipes for what it prints.
func connect(cmd *exec.Cmd, input []byte, said io.Writer) (out *os.File, closeOutput func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, sdk.Errorf(sdk.CodeUnavailable, opFetch, "the command has nothing to print to: %w", err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), w, said
	return r, func() { _ = r.Close(); _ = w.Close() }, nil
}

// end is how a run ended.
type end struct {
	state *os.ProcessState
	err   error
	said  *stderr
	// left says that the command left processes behind, stuck that one of them could not be ended in time.
	left, stuck bool
}

// exit codes with a meaning (sysexits.h), besides 0.
const (
	exitUsage       = 64
	exitData        = 65
	exitNoUser      = 67
	exitNoPerm      = 77
	exitConfig      = 78
	exitNotStarted  = 125 // the sandbox says so
	exitNotExecuted = 126
	exitNotFound    = 127
)

// judge decides what a run was worth.
func (s *Source) judge(caller, ctx context.Context, in *lineReader, e end) (sdk.Batch, error) {
	if caller.Err() != nil {
		return sdk.Batch{}, gaveUp(caller, "the command ran")
	}
	if cause := context.Cause(ctx); cause != nil {
		if !errors.Is(cause, errLate) {
			return sdk.Batch{}, cause // a line was wrong, or there was too much
		}
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "the command did not end within %s and was ended%s; nothing of its output was taken: print less at a time (more: true), or raise timeout",
			s.config.Timeout, in.soFar())
	}
	if e.state == nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "the end of the command is not known: %w", e.err)
	}
	if !e.state.Success() {
		return sdk.Batch{}, exitError(e)
	}
	if in.cut != nil {
		return sdk.Batch{}, in.cut
	}
	if !in.ended {
		what := fmt.Sprintf("the command ended well%s and did not say that this was all", in.soFar())
		fix := `print a last line {"cursor": …}, whose value may be null`
		if e.left || e.stuck {
			what = fmt.Sprintf("the command ended%s while something that it started went on, and was ended with it", in.soFar())
			fix = "wait for what the command starts before it ends"
		}
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, opFetch, "%s; nothing of its output was taken: %s", what, fix)
	}
	b, err := in.finish()
	if err == nil && (e.left || e.stuck) {
		b.Notices = append(b.Notices, "the command left processes behind, which were ended; it should wait for what it starts")
	}
	return b, err
}

// exitError is the error of a command that ended by itself and not well.
func exitError(e end) *sdk.Error {
	last := e.said.last()
	how := fmt.Sprintf("the command ended with exit code %d", e.state.ExitCode())
	code := sdk.CodeUnavailable
	switch e.state.ExitCode() {
	case -1:
		how = "the command was ended by a " + e.state.String() // "signal: killed"
	case exitUsage, exitData, exitConfig:
		code = sdk.CodeInvalid
	case exitNoUser:
		code = sdk.CodeUnauthenticated
	case exitNoPerm:
		code = sdk.CodeForbidden
	case exitNotStarted:
		how, code = "the command was not started", sdk.CodeInvalid
	case exitNotExecuted, exitNotFound:
		code = sdk.CodeInvalid
	}
	if last == "" {
		last = "it said nothing on standard error"
	}
	if strings.Contains(last, "ermission denied") {
		last += "; a file or folder that it may read stands under read"
	}
	return sdk.Errorf(code, opFetch, "%s: %s", how, last)
}

// startCause takes the path of the launcher out of an error.
func startCause(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

// stderr passes what a command says on to the log, and keeps its last line.
type stderr struct {
	log     *slog.Logger
	mask    mask
	flooded func()

	mu    sync.Mutex
	buf   []byte
	seen  int
	lines int
	words string
}

func newStderr(log *slog.Logger, m mask, flooded func()) *stderr {
	return &stderr{log: log, mask: m, flooded: sync.OnceFunc(flooded)}
}

// Write takes everything.
func (e *stderr) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen += len(p); e.seen > maxStderr {
		e.flooded()
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		e.buf = append(e.buf, line[:min(len(line), max(0, 4*maxLogLine-len(e.buf)))]...)
		if ended {
			e.flush()
		}
		rest = after
	}
	return len(p), nil
}

func (e *stderr) flush() {
	line := e.mask.text(readable(string(e.buf)))
	e.buf = e.buf[:0]
	if line == "" {
		return
	}
	if len(line) > maxLogLine { // after the masking: a part of a secret is no secret that is looked for
		line = strings.ToValidUTF8(line[:maxLogLine], "") + "…"
	}
	e.words = line
	if e.lines++; e.lines > maxLogLines {
		return
	}
	level := slog.LevelInfo
	for word, is := range map[string]slog.Level{"debug:": slog.LevelDebug, "warning:": slog.LevelWarn, "error:": slog.LevelError} {
		if len(line) >= len(word) && strings.EqualFold(line[:len(word)], word) {
			level, line = is, strings.TrimSpace(line[len(word):])
			break
		}
	}
	e.log.Log(context.Background(), level, "the command says", "line", line)
}

// end passes on what stands in an unfinished line.
func (e *stderr) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flush()
	if e.lines > maxLogLines {
		e.log.Warn("the command says too much; lines were dropped", "lines", e.lines-maxLogLines)
	}
}

// last is the last line, which mostly says what went wrong.
func (e *stderr) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	const most = 300
	if len(e.words) > most {
		return strings.TrimSpace(strings.ToValidUTF8(e.words[:most], "")) + "…"
	}
	return strings.TrimSpace(e.words)
}

// readable takes out of a line what could write on a terminal.
func readable(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")), " \t")
}
