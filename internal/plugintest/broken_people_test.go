//go:build linux

package plugintest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/sdk"
)

const (
	somebody = "somebody@example.invalid"
	lostBody = "whoisgone@example.invalid"
	office   = 300 // characters that the office takes
)

// postman is a connector that writes to people as one should, but for one flaw.
type postman struct {
	flaw   string
	api    string
	client *sdk.Client

	mu    sync.Mutex
	slots map[string]string
}

type postmanConfig struct {
	API          string         `yaml:"api" required:"true" doc:"The address of the office."`
	Token        sdk.Secret     `yaml:"token" required:"true" doc:"The credential."`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks in which it may be."`
}

func postmanSpec(flaw string) *sdk.Spec {
	spec := sdk.Define("postman", "writes to people", postmanConfig{}, func(_ context.Context, s sdk.Settings, c postmanConfig) (*postman, error) {
		return &postman{flaw: flaw, api: c.API, client: sdk.NewClient(sdk.ClientConfig{UserAgent: s.UserAgent, AllowPrivate: c.AllowPrivate})}, nil
	})
	if flaw == "no rules" {
		return spec
	}
	return spec.WithMedium(sdk.Medium{})
}

func (p *postman) Close(context.Context) error { p.client.CloseIdle(); return nil }

func (p *postman) MessageLimits() sdk.Limits {
	l := sdk.Limits{Text: office, Unit: sdk.UnitCodePoints}
	if p.flaw == "limits that are a lie" {
		l.Text = office / 2
	}
	return l
}

func (p *postman) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	now := time.Now()
	if p.flaw == "too late" {
		now = time.Time{}
	}
	to, err := m.Recipient(now)
	address, _ := to.Reveal()
	switch {
	case err != nil && p.flaw == "to anybody":
		address = somebody
	case err != nil:
		return sdk.MessageRef{}, err
	case to.Medium() != "postman" && p.flaw != "any medium":
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeNoConsent, "post", "another medium")
	case m.Common == nil:
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeUnsupported, "post", "no text")
	}
	slots := m.Slots
	if p.flaw == "one for all" {
		p.mu.Lock()
		if p.slots == nil {
			p.slots = m.Slots
		}
		slots = p.slots
		p.mu.Unlock()
	}
	tail := "\n" + sdk.Fill(m.Common.Reason, slots)
	body := sdk.Fill(sdk.PlainText(m.Common.Body), slots)
	if room := office - len([]rune(tail)); len([]rune(body)) > room {
		body = string([]rune(body)[:room])
		if p.flaw == "no reason" {
			tail = ""
		}
	}
	if p.flaw == "writes into the text" {
		m.Common.Body = append(m.Common.Body, sdk.Paragraph(sdk.Text("and more")))
	}
	if p.flaw == "an address in the log" {
		fmt.Fprintln(os.Stderr, "writing to", address)
	}
	ref, err := p.post(ctx, address, body+tail)
	if p.flaw == "twice" && err == nil {
		ref, err = p.post(ctx, address, body+tail)
	}
	if e := sdk.AsError(err); e != nil {
		switch {
		case p.flaw == "again" && e.Code == sdk.CodeUnknownOutcome && ctx.Err() == nil:
			return p.post(ctx, address, body+tail)
		case p.flaw == "unavailable after sending" && e.Code == sdk.CodeUnknownOutcome:
			e.Code = sdk.CodeUnavailable
		case p.flaw == "an address in an error":
			e.Public = "not to " + address
		case p.flaw == "gone altogether" && e.Code == sdk.CodeGone:
			e.Scope = sdk.ScopeAccount
		case p.flaw == "its own pause":
			e.RetryAfter = time.Minute
		}
		return sdk.MessageRef{}, e
	}
	if p.flaw == "no name" {
		ref.ID = ""
	}
	return ref, nil
}

func (p *postman) post(ctx context.Context, to, text string) (sdk.MessageRef, error) {
	body, err := json.Marshal(fakeMessage{To: to, Text: text})
	if err != nil {
		return sdk.MessageRef{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/post", bytes.NewReader(body))
	if err != nil {
		return sdk.MessageRef{}, err
	}
	a, err := p.client.Send(req, "post")
	fail := func(code sdk.Code, scope sdk.Scope) (sdk.MessageRef, error) {
		wait, _ := sdk.RetryAfter(a.Header, a.At)
		return sdk.MessageRef{}, &sdk.Error{Code: code, Scope: scope, Op: "post", Public: fmt.Sprint("the office says ", a.Status), RetryAfter: wait}
	}
	switch {
	case err != nil:
		return sdk.MessageRef{}, err
	case a.Status == http.StatusOK:
		return sdk.MessageRef{ID: "m"}, nil
	case a.Status == http.StatusGone:
		return fail(sdk.CodeGone, sdk.ScopePerson)
	case a.Status == http.StatusUnauthorized:
		return fail(sdk.CodeUnauthenticated, sdk.ScopeAccount)
	case a.Status == http.StatusTooManyRequests:
		return fail(sdk.CodeRateLimited, sdk.ScopeAccount)
	}
	return fail(sdk.CodeUnknownOutcome, sdk.ScopeMessage)
}

// serveOffice runs as the fake that the postman brings messages to.
func serveOffice() {
	var mu sync.Mutex
	list := []fakeMessage{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /post", func(w http.ResponseWriter, r *http.Request) {
		var m fakeMessage
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.To == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if m.To == lostBody {
			w.WriteHeader(http.StatusGone)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, m)
	})
	mux.HandleFunc("GET /.belfry/messages", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(w).Encode(list)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	_ = http.Serve(l, mux)
}

// TestBrokenMessengersAreFound: for each promise of a messenger a program that breaks it. The one without a flaw keeps them all.
func TestBrokenMessengersAreFound(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for flaw, want := range map[string]string{
		"none":                      "",
		"no rules":                  "does not say what its medium allows",
		"too late":                  "a message whose time is over was sent",
		"to anybody":                "a message to nobody was sent",
		"any medium":                "a message for another medium was sent",
		"one for all":               "stands in somebody else's message",
		"twice":                     "a message that is right came 2 times",
		"limits that are a lie":     "and says that it takes 150",
		"no reason":                 "the reason why the person gets it is cut away",
		"writes into the text":      "two messages that say the same came as",
		"an address in the log":     "the address of the person stands in the log",
		"an address in an error":    "the address of the person stands in the answer of Messenger/Message",
		"gone altogether":           `that somebody is gone is about "account" and not about the person`,
		"no name":                   "it accepted the message and gave no id for it",
		"again":                     "one message when the connection is cut after the work was done came 2 times",
		"unavailable after sending": "message when the connection is cut after the work was done: the error has the code unavailable",
		"its own pause":             "the platform asked for 7s, and the error for 1m0s",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			o := options(t, pluginhost.Command{Path: self, Args: []string{"postman", flaw}}, "postman")
			o.Fake = startFake(t, "exec '"+self+"' office")
			o.Scenario = Scenario{Config: map[string]any{"api": o.Fake.URL, "token": "canary-77b1e0", "allow_private": []any{"127.0.0.0/8"}}, Address: somebody, Lost: lostBody}
			o.Only = []string{"messenger", "faults"}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, s := range r.Suites {
				for _, c := range s.Results {
					if c.State == Broken {
						said = append(said, c.Promise+": "+strings.Join(c.Said, "; "))
					}
				}
			}
			all := strings.Join(said, "\n")
			if want == "" && (all != "" || r.Held < 23) || want != "" && !strings.Contains(all, want) {
				t.Errorf("%d promises held; said was:\n%s\nwanted is %q", r.Held, cmp.Or(all, "nothing"), want)
			}
		})
	}
}

// TestPeopleAreWrittenToAtAFakeAlone: without a fake that says what it handed over, and without an address that nobody has, nobody is
// written to by a test.
func TestPeopleAreWrittenToAtAFakeAlone(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, pluginhost.Command{Path: self, Args: []string{"postman", "none"}}, "postman")
	o.Scenario = Scenario{Config: map[string]any{"api": "http://127.0.0.1:1", "token": "canary-77b1e0"}, Address: somebody}
	o.Only = []string{"messenger"}
	r, err := Run(t.Context(), o)
	if err != nil || len(r.Suites) != 1 || len(r.Suites[0].Results) > 0 || !strings.Contains(strings.Join(r.Suites[0].Unchecked, ""), "and a fake (--fake) that says at /.belfry/messages") {
		t.Errorf("%+v, %v", r, err)
	}
	for name, text := range map[string]string{"address": "address: anna@example.org\n", "lost": "lost: \"+33612345678\"\n"} {
		path := t.TempDir() + "/test.yaml"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadScenario(path, "", t.TempDir()); err == nil || !strings.Contains(err.Error(), name+`: "`) || !strings.Contains(err.Error(), "is no address of a test; write somebody@example.invalid") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
