package plugintest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/goccy/go-yaml"
)

// Scenario says what a plugin is tested with. What is missing leaves out the checks that need it.
type Scenario struct {
	// Config is the configuration of the instances, as it stands under a source or a destination.
	Config map[string]any `yaml:"-"`

	Secrets []string `yaml:"secrets" doc:"Settings that hold credentials, besides those that the plugin itself declares as secret."`

	Channel     string   `yaml:"channel" doc:"A channel that the credential may post to."`
	To          string   `yaml:"to" doc:"The id of a channel, for a plugin that resolves no names."`
	NotChannels []string `yaml:"not_channels" doc:"Names of people and private chats."`
	Missing     []string `yaml:"missing" doc:"Names of nothing."`
	Forged      []string `yaml:"forged" doc:"Ids of people and private chats, as a faulty host might make them."`

	Address string `yaml:"address" doc:"Somebody who takes messages, at the fake: an address that nobody has."`
	Lost    string `yaml:"lost" doc:"Somebody whom the fake does not know any more."`

	There []Ref `yaml:"there" doc:"Items that are still published."`
	Gone  []Ref `yaml:"gone" doc:"Items that are withdrawn."`

	Webhooks      []Webhook `yaml:"webhooks" doc:"Requests of the sender."`
	ForgedWebhook []Webhook `yaml:"forged_webhooks" doc:"Requests of somebody else."`

	Prepare  string `yaml:"prepare" doc:"A command that is run once, before the plugin starts. Commands run in $TMP, a folder of this test alone."`
	Change   string `yaml:"change" doc:"A command after which the source has something new. $N counts its runs."`
	Withdraw string `yaml:"withdraw" doc:"A command that takes away an item which the source has."`
	Break    string `yaml:"break" doc:"A command after which what the plugin talks to fails; with a fake it is not needed."`
	Mend     string `yaml:"mend" doc:"The command that undoes break."`

	// dir is the folder of the file, tmp where commands run.
	dir, tmp string
}

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
// address of the fake. An error says what is wrong with the file.
func ReadScenario(path, fake, tmp string) (Scenario, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Scenario{}, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Scenario{}, err
	}
	if fake == "" && strings.Contains(string(b), "$FAKE") {
		return Scenario{}, fmt.Errorf("%s names $FAKE, and there is no fake; give its command with --fake", path)
	}
	text := strings.NewReplacer("$DIR", dir, "$FAKE", fake, "$TMP", tmp).Replace(string(b))
	tree := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return Scenario{}, fmt.Errorf("%s is no YAML: %s", path, firstLine(err))
	}
	s := Scenario{dir: dir, tmp: tmp}
	if config, there := tree["config"]; there {
		m, ok := config.(map[string]any)
		if !ok && config != nil {
			return Scenario{}, fmt.Errorf("%s: config is no map; write the settings of an instance below it", path)
		}
		s.Config = m
		delete(tree, "config")
	}
	if err := sdk.Decode(tree, &s); err != nil {
		if ps, ok := errors.AsType[sdk.Problems](err); ok {
			return Scenario{}, fmt.Errorf("%s: %w", path, ps)
		}
		return Scenario{}, err
	}
	if err := s.checkAddresses(); err != nil {
		return Scenario{}, fmt.Errorf("%s: %w", path, err)
	}
	if (s.Break == "") != (s.Mend == "") {
		return Scenario{}, fmt.Errorf("%s: break and mend go together; write both commands", path)
	}
	return s, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
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

// shell runs a command of the scenario.
func (s *Scenario) shell(ctx context.Context, command string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir = s.tmp
	cmd.Env = append(os.Environ(), fmt.Sprintf("N=%d", n), "DIR="+s.dir, "TMP="+s.tmp)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the command %q failed: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
	return nil
}
