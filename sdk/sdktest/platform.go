package sdktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Platform is a platform with channels in memory. It takes texts of at most 1,000 code points, recognises idempotency
// keys, and refuses what is no channel. It may be used from several goroutines.
type Platform struct {
	faults

	mu       sync.Mutex
	channels map[string]string // name to id
	people   map[string]bool
	posts    []*posted
}

type posted struct {
	id, channel, key, text string
	files                  []string
	replyTo                string
	edits                  int
	deleted                bool
}

// AddChannel makes a channel; its name begins with "@".
func (p *Platform) AddChannel(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.channels == nil {
		p.channels = map[string]string{}
	}
	p.channels[name] = "c" + strconv.Itoa(len(p.channels)+1)
}

// AddPerson makes somebody who has a name like a channel and is none.
func (p *Platform) AddPerson(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.people == nil {
		p.people = map[string]bool{}
	}
	p.people[name] = true
}

// Shows tells what is shown of a part, and false when it is not there.
func (p *Platform) Shows(ref sdk.PartRef) (text string, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if post := p.find(ref); post != nil && !post.deleted {
		return post.text, true
	}
	return "", false
}

// Posts counts the parts that were accepted, deleted ones included.
func (p *Platform) Posts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.posts)
}

// Texts lists what a channel shows, oldest first.
func (p *Platform) Texts(channel string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, post := range p.posts {
		if post.channel == p.channels[channel] && !post.deleted {
			out = append(out, post.text)
		}
	}
	return out
}

func (p *Platform) find(ref sdk.PartRef) *posted {
	for _, post := range p.posts {
		if len(ref.IDs) > 0 && post.id == ref.IDs[0] {
			return post
		}
	}
	return nil
}

// PlatformConfig is the configuration of a Platform's connector.
type PlatformConfig struct {
	Token sdk.Secret `yaml:"token" required:"true" doc:"The credential; any will do."`
}

// Spec declares the connector: sdk.Resolver, sdk.Publisher, sdk.Editor, sdk.Deleter and sdk.Finder over the platform.
func (p *Platform) Spec() *sdk.Spec {
	return sdk.Define("platform", "a platform in memory, for tests", PlatformConfig{},
		func(_ context.Context, s sdk.Settings, c PlatformConfig) (*platformConn, error) {
			return &platformConn{platform: p, config: c, settings: s}, nil
		})
}

type platformConn struct {
	platform *Platform
	config   PlatformConfig
	settings sdk.Settings
}

// platformText is the longest text, in code points.
const platformText = 1000

// ResolveChannel implements sdk.Resolver.
func (c *platformConn) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if err := c.platform.meet(ctx, "resolve"); err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	c.platform.mu.Lock()
	defer c.platform.mu.Unlock()
	id, ok := c.platform.channels[name]
	switch {
	case c.platform.people[name]:
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeNotAChannel, "resolve", "%q is a person", name)
	case !ok:
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeGone, "resolve", "there is no channel %.100q", name)
	}
	return sdk.ChannelRef{ID: id, Title: name, URL: "https://platform.example/" + strings.TrimPrefix(name, "@")}, sdk.Limits{
		Text: platformText, Unit: sdk.UnitCodePoints, Media: 10, Overflow: sdk.OverflowThread,
		Overflows: []sdk.Overflow{sdk.OverflowThread},
		Rules: sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever, SameKeyFor: 24 * time.Hour, Parallel: 4,
			Rates: []sdk.Rate{{Scope: sdk.RateChannel, Events: 1000, Per: time.Second}}},
	}, nil
}

// Plan implements sdk.Publisher: a long text becomes a thread.
func (c *platformConn) Plan(_ sdk.ChannelRef, post sdk.Post) ([]sdk.Part, error) {
	text := strings.TrimSpace(plain(post.Body))
	if text == "" {
		text = post.Title
	}
	var files []sdk.File
	for _, m := range post.Media {
		if m.File.SHA256 != "" {
			files = append(files, m.File)
		}
	}
	var parts []sdk.Part
	for runes := []rune(text); len(runes) > 0; {
		n := min(len(runes), platformText)
		piece := string(runes[:n])
		runes = runes[n:]
		request, err := json.Marshal(map[string]string{"text": piece})
		if err != nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, "plan", "the text cannot be written")
		}
		parts = append(parts, sdk.Part{Kind: "post", Type: "application/json", Request: request, Text: piece, Files: files,
			Thread: len(parts) > 0})
		files = nil
	}
	return parts, nil
}

// plain writes a text as the platform shows it.
func plain(nodes []sdk.Node) string {
	var b strings.Builder
	for i := range nodes {
		n := &nodes[i]
		switch n.Kind {
		case sdk.NodeBreak:
			b.WriteByte('\n')
		case sdk.NodeRule:
			b.WriteString("—")
		}
		b.WriteString(n.Text)
		b.WriteString(plain(n.Children))
		if n.Kind.Block() || n.Kind == sdk.NodeItem {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Publish implements sdk.Publisher.
func (c *platformConn) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if err := c.platform.meet(ctx, "publish"); err != nil {
		return sdk.PartRef{}, err
	}
	text, files, err := accept(part)
	if err != nil {
		return sdk.PartRef{}, err
	}
	c.platform.mu.Lock()
	defer c.platform.mu.Unlock()
	known := false
	for _, id := range c.platform.channels {
		known = known || id == to.ID
	}
	if !known {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeNotAChannel, "publish", "%q is no channel", to.ID)
	}
	for _, post := range c.platform.posts {
		if part.Key != "" && post.key == part.Key && post.channel == to.ID {
			return post.ref(), nil
		}
	}
	post := &posted{id: strconv.Itoa(len(c.platform.posts) + 1), channel: to.ID, key: part.Key, text: text, files: files}
	if part.ReplyTo != nil && len(part.ReplyTo.IDs) > 0 {
		post.replyTo = part.ReplyTo.IDs[0]
	}
	c.platform.posts = append(c.platform.posts, post)
	return post.ref(), nil
}

// accept reads a part as strictly as a platform would.
func accept(part sdk.Part) (string, []string, error) {
	var request struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(part.Request, &request); err != nil || request.Text == nil || part.Kind != "post" {
		return "", nil, sdk.Errorf(sdk.CodeInvalid, "publish", "the request cannot be read")
	}
	if len([]rune(*request.Text)) > platformText {
		return "", nil, sdk.Errorf(sdk.CodeTooLarge, "publish", "the text is longer than %d characters", platformText)
	}
	var files []string
	for _, f := range part.Files {
		sum := sha256.Sum256(f.Data)
		if f.SHA256 != hex.EncodeToString(sum[:]) {
			return "", nil, sdk.Errorf(sdk.CodeInvalid, "publish", "the content of %q is not what its digest says", f.Name)
		}
		files = append(files, f.SHA256)
	}
	return *request.Text, files, nil
}

func (p *posted) ref() sdk.PartRef {
	return sdk.PartRef{IDs: []string{p.id}, URL: fmt.Sprintf("https://platform.example/p/%s", p.id), State: []byte{byte(p.edits)}}
}

// Edit implements sdk.Editor.
func (c *platformConn) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	if err := c.platform.meet(ctx, "edit"); err != nil {
		return sdk.PartRef{}, err
	}
	text, files, err := accept(part)
	if err != nil {
		return sdk.PartRef{}, err
	}
	c.platform.mu.Lock()
	defer c.platform.mu.Unlock()
	post := c.platform.find(ref)
	if post == nil || post.deleted {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeGone, "edit", "the post is gone")
	}
	if post.text != text || len(files) != len(post.files) {
		post.text, post.files = text, files
		post.edits++
	}
	return post.ref(), nil
}

// Delete implements sdk.Deleter.
func (c *platformConn) Delete(ctx context.Context, ref sdk.PartRef) error {
	if err := c.platform.meet(ctx, "delete"); err != nil {
		return err
	}
	c.platform.mu.Lock()
	defer c.platform.mu.Unlock()
	if post := c.platform.find(ref); post != nil {
		post.deleted = true
	}
	return nil
}

// Find implements sdk.Finder.
func (c *platformConn) Find(ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	if err := c.platform.meet(ctx, "find"); err != nil {
		return sdk.PartRef{}, false, err
	}
	c.platform.mu.Lock()
	defer c.platform.mu.Unlock()
	for _, post := range c.platform.posts {
		if key != "" && post.key == key && post.channel == to.ID {
			return post.ref(), true, nil
		}
	}
	return sdk.PartRef{}, false, nil
}

// Close implements sdk.Connector.
func (c *platformConn) Close(context.Context) error { return nil }
