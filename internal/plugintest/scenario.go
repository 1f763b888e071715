package plugintest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/fake"
	"github.com/belfry-news/belfry/sdk"
)

// Scenario says what a plugin is tested with. What is missing leaves out the checks that need it.
type Scenario struct {
	// Config is the configuration of the instances, as it stands under a source or a destination.
	Config map[string]any `yaml:"config" doc:"The settings of an instance, as they stand below a source or a destination."`

	Secrets []string `yaml:"secrets" doc:"Settings that hold credentials, besides those that the plugin itself declares as secret."`

	Channel     string   `yaml:"channel" doc:"A channel that the credential may post to."`
	To          string   `yaml:"to" doc:"The id of a channel, for a plugin that resolves no names."`
	NotChannels []string `yaml:"not_channels" doc:"Names of people and private chats."`
	Missing     []string `yaml:"missing" doc:"Names of nothing."`
	Forged      []string `yaml:"forged" doc:"Ids of people and private chats, as a faulty host might make them."`

	Address string `yaml:"address" doc:"Somebody who takes messages, at the fake: an address that nobody has."`
	Lost    string `yaml:"lost" doc:"Somebody whom the fake does not know any more."`

	Calls       []Webhook `yaml:"calls" doc:"Calls of the platform that tell what somebody did."`
	ForgedCalls []Webhook `yaml:"forged_calls" doc:"Such calls of somebody else."`

	There []Ref `yaml:"there" doc:"Items that are still published."`
	Gone  []Ref `yaml:"gone" doc:"Items that are withdrawn."`

	Webhooks      []Webhook `yaml:"webhooks" doc:"Requests of the sender."`
	ForgedWebhook []Webhook `yaml:"forged_webhooks" doc:"Requests of somebody else."`

	Prepare  string `yaml:"prepare" doc:"A command that is run once, before the plugin starts. Commands run in $TMP, a folder of this test alone."`
	Change   string `yaml:"change" doc:"A command after which the source has something new. $N counts its runs."`
	Withdraw string `yaml:"withdraw" doc:"A command that takes away an item which the source has."`
	Break    string `yaml:"break" doc:"A command after which what the plugin talks to fails; with a fake it is not needed."`
	Mend     string `yaml:"mend" doc:"The command that undoes break."`

	// dir is the folder of the file, tmp where commands run, and file knows where something stands.
	dir, tmp string
	file     configs.File
}

// ScenarioError says that a file cannot be used: what is wrong with it and where, one problem a line.
type ScenarioError struct{ Err error }

// Error says it.
func (e *ScenarioError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ScenarioError) Unwrap() error { return e.Err }

// Ref names an item.
type Ref struct {
	Key string `yaml:"key" required:"true"`
	URL string `yaml:"url"`
}

// Webhook is a request.
type Webhook struct {
	Method string            `yaml:"method"`
	Path   string            `yaml:"path"`
	Query  string            `yaml:"query"`
	Header map[string]string `yaml:"header"`
	Body   string            `yaml:"body"`
}

// ReadScenario reads a scenario from a file. In its text $DIR is the folder of the file, $TMP the folder tmp, and $FAKE the
// address of the fake. Its error is a *ScenarioError.
func ReadScenario(path, address, tmp string) (Scenario, error) {
	unusable := func(err error) (Scenario, error) { return Scenario{}, &ScenarioError{err} }
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return unusable(err)
	}
	named := false
	places := strings.NewReplacer(fake.Folder, dir, fake.Address, address, "$TMP", tmp)
	s := Scenario{dir: dir, tmp: tmp}
	s.file, err = configs.ReadFile(path, &s, func(text string) string {
		named = named || strings.Contains(text, fake.Address)
		return places.Replace(text)
	})
	switch {
	case err != nil:
		return unusable(err)
	case named && address == "":
		return unusable(fmt.Errorf("%s names %s, and there is no fake; give its command with --fake", path, fake.Address))
	}
	return s, nil
}

// Validate says what does not go together.
func (s *Scenario) Validate() error {
	ps := s.checkAddresses()
	if s.Break != "" && s.Mend == "" {
		ps.Add("/break", "it is not said how what breaks is mended", "write the command under mend", "/mend")
	}
	if s.Mend != "" && s.Break == "" {
		ps.Add("/mend", "it is not said what is mended", "write the command that breaks it under break", "/break")
	}
	return ps.Err()
}

// refused are problems that the plugin has with the settings, where they stand.
func (s *Scenario) refused(ps sdk.Problems) error {
	places := s.file.Places("/config", ps)
	if s.dir == "" {
		return &ScenarioError{fmt.Errorf("the plugin refuses to be tested without settings:\n%w\nwrite them below config: in a file, and name it with --config", places)}
	}
	return &ScenarioError{fmt.Errorf("the plugin refuses the settings that it is to be tested with:\n%w", places)}
}

func refs(list []Ref) []sdk.ItemRef {
	out := make([]sdk.ItemRef, len(list))
	for i, r := range list {
		out[i] = sdk.ItemRef{Key: r.Key, URL: r.URL}
	}
	return out
}

func requests(list []Webhook) []sdk.WebhookRequest {
	out := make([]sdk.WebhookRequest, len(list))
	for i, w := range list {
		r := sdk.WebhookRequest{Method: w.Method, Path: w.Path, Query: w.Query, Header: map[string][]string{}, Body: []byte(w.Body),
			ReceivedAt: time.Date(2026, 3, 29, 5, 0, 0, 0, time.UTC)}
		if r.Method == "" {
			r.Method = http.MethodPost
		}
		for name, value := range w.Header {
			r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		}
		out[i] = r
	}
	return out
}

// shell runs a command of the scenario. Its error is a *ScenarioError, or the context's.
func (s *Scenario) shell(ctx context.Context, command string, n int) error {
	bounded, cancel := context.WithTimeout(ctx, shellTime)
	defer cancel()
	cmd := exec.CommandContext(bounded, "/bin/sh", "-c", command)
	fake.OwnGroup(cmd)
	cmd.Dir = s.tmp
	cmd.Env = append(os.Environ(), fmt.Sprintf("N=%d", n), "DIR="+s.dir, "TMP="+s.tmp)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case bounded.Err() != nil:
		err = fmt.Errorf("it did not end within %s", shellTime)
	}
	said := strings.TrimSpace(string(out))
	if said != "" {
		said = ": " + said
	}
	return &ScenarioError{fmt.Errorf("the command %q failed: %w%s", command, err, said)}
}

// shellTime is how long a command of a scenario may take.
const shellTime = time.Minute
