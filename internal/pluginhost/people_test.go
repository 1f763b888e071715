//go:build linux

package pluginhost

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// postman writes to people, or does what the template of a message says instead. It notes each call in a file.
type postman struct{ folder string }

type postmanConfig struct {
	Folder string `yaml:"folder" doc:"Where it notes its calls."`
}

func postmanSpec() *sdk.Spec {
	return sdk.Define("postman", "writes to people, or fails", postmanConfig{},
		func(_ context.Context, _ sdk.Settings, c postmanConfig) (*postman, error) {
			return &postman{c.Folder}, nil
		})
}

func (*postman) Close(context.Context) error { return nil }

func (*postman) MessageLimits() sdk.Limits {
	return sdk.Limits{Text: 160, Unit: sdk.UnitCodePoints, Rules: sdk.Rules{Rates: []sdk.Rate{{Scope: sdk.RateDestination, Events: 7, Per: time.Second}}}}
}

func (p *postman) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	if _, err := m.Recipient(time.Now()); err != nil {
		return sdk.MessageRef{}, err
	}
	f, err := os.OpenFile(filepath.Join(p.folder, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return sdk.MessageRef{}, err
	}
	_, _ = f.WriteString(m.Template + "\n")
	_ = f.Close()
	switch m.Template {
	case "exit":
		os.Exit(9)
	case "panic":
		panic("the postman fell")
	case "wait":
		<-ctx.Done()
		return sdk.MessageRef{}, ctx.Err()
	case "hang":
		forever()
	case "later":
		return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeAccount, Public: "too fast", RetryAfter: 3 * time.Second}
	}
	return sdk.MessageRef{ID: m.ID()}, nil
}

// TestMessagesOfAProcess: what breaks off in a process that writes to people is not known and not repeated, whether it ends, hangs
// or panics; and it writes again afterwards.
func TestMessagesOfAProcess(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Limits.Grace, c.Limits.BackoffMin, c.Limits.BackoffMax = 300*time.Millisecond, time.Millisecond, time.Millisecond
	})
	folder := t.TempDir()
	conn := f.open("postman", "post", map[string]any{"folder": folder})
	m, ok := sdk.As[sdk.Messenger](conn)
	if !ok {
		t.Fatal("it does not write to people")
	}
	if limiter, ok := sdk.As[sdk.MessageLimiter](conn); !ok || limiter.MessageLimits().Rules.Rates[0].Events != 7 {
		t.Error("what it takes is not known")
	}
	noted := func(do string) int {
		b, err := os.ReadFile(filepath.Join(folder, "calls"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), do+"\n")
	}
	write := func(ctx context.Context, do string) error {
		_, err := m.Message(ctx, sdk.NewDirectMessage(sdktest.Permit(t, "m", "postman", "reader@example.invalid"), sdk.MessageContent{Template: do}))
		return err
	}
	well := func() {
		t.Helper()
		await(t, "it writes", func() bool { return write(t.Context(), "well") == nil })
	}
	// givenUp writes, and gives the call up once the process has it.
	givenUp := func(do string) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- write(ctx, do) }() // received below
		await(t, "the process has it", func() bool { return noted(do) > 0 })
		cancel()
		return <-done
	}
	well()
	err := write(t.Context(), "later")
	wantCode(t, err, sdk.CodeRateLimited, "too fast")
	if sdk.AsError(err).RetryAfter != 3*time.Second {
		t.Errorf("%+v", err)
	}
	wantCode(t, write(t.Context(), "panic"), sdk.CodeUnknownOutcome)
	well()
	wantCode(t, givenUp("wait"), sdk.CodeUnknownOutcome)
	well()
	wantCode(t, write(t.Context(), "exit"), sdk.CodeUnknownOutcome)
	well()
	wantCode(t, givenUp("hang"), sdk.CodeUnknownOutcome)
	well()
	for _, once := range []string{"later", "panic", "wait", "exit", "hang"} {
		if n := noted(once); n != 1 {
			t.Errorf("the message %q was made %d times", once, n)
		}
	}
}

// TestAnOldMessenger: a program that writes to people and does not say what its medium allows, as those from before messages
// crossed, is used for what else it can do.
func TestAnOldMessenger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.AnyType = true })
	types, err := f.Offers(t.Context(), "old-postman")
	if err != nil {
		t.Fatal(err)
	}
	if roles := f.usable(types[0]); len(types) != 1 || len(roles) != 0 {
		t.Errorf("it can %v of %v", roles, types)
	}
	if !strings.Contains(f.log.String(), "does not say what its medium allows") {
		t.Errorf("the log:\n%s", f.log)
	}
}
