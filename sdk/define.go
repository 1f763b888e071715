package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
)

// Role is the name of an ability, as it crosses to the host and stands in reports.
type Role string

// The roles, each the name of its interface. Append-only.
const (
	RoleSource    Role = "source"
	RoleWebhook   Role = "webhook"
	RoleChecker   Role = "checker"
	RoleResolver  Role = "resolver"
	RolePublisher Role = "publisher"
	RoleEditor    Role = "editor"
	RoleDeleter   Role = "deleter"
	RoleFinder    Role = "finder"
	RoleAssistant Role = "assistant"
	RoleMessenger Role = "messenger"
	RoleStreamer  Role = "streamer"
	RoleReceiver  Role = "receiver"
	RoleListener  Role = "listener"
)

var roleTypes = []struct {
	role Role
	typ  reflect.Type
}{
	{RoleSource, reflect.TypeFor[Source]()},
	{RoleWebhook, reflect.TypeFor[WebhookReceiver]()},
	{RoleChecker, reflect.TypeFor[Checker]()},
	{RoleResolver, reflect.TypeFor[Resolver]()},
	{RolePublisher, reflect.TypeFor[Publisher]()},
	{RoleEditor, reflect.TypeFor[Editor]()},
	{RoleDeleter, reflect.TypeFor[Deleter]()},
	{RoleFinder, reflect.TypeFor[Finder]()},
	{RoleAssistant, reflect.TypeFor[Assistant]()},
	{RoleMessenger, reflect.TypeFor[Messenger]()},
	{RoleStreamer, reflect.TypeFor[Streamer]()},
	{RoleReceiver, reflect.TypeFor[Receiver]()},
	{RoleListener, reflect.TypeFor[Listener]()},
}

// Settings are what the host gives to an instance besides its configuration.
type Settings struct {
	// Instance is the name in the configuration.
	Instance string
	// Log carries the instance's name. Ids belong in it, never addresses, bodies or credentials.
	Log *slog.Logger
	// UserAgent is what the instance calls itself towards servers: product, version and where to complain.
	UserAgent string
	_         struct{}
}

// Spec is the declaration of a connector or source: its type's name, what it can do, what it takes and how it is opened.
// Define makes it.
type Spec struct {
	Type, Summary string
	// Roles a healthy instance has.
	Roles []Role
	// Medium holds the platform's rules of messages to people; nil when it has none to say. See WithMedium.
	Medium   *Medium
	defaults func() any
	open     func(ctx context.Context, s Settings, config any) (Connector, error)
}

// Define declares a connector. The configuration is a struct whose fields carry yaml and doc tags (see Decode); defaults
// is its value before anything is configured, and its optional Validate method is called after decoding. open makes an
// instance; it must not reach the network, so that a whole configuration can be checked offline. The roles are the
// interfaces of this package that T has.
func Define[C any, T Connector](typ, summary string, defaults C, open func(ctx context.Context, s Settings, c C) (T, error)) *Spec {
	spec := &Spec{Type: typ, Summary: summary,
		defaults: func() any { c := defaults; return &c },
		open: func(ctx context.Context, s Settings, config any) (Connector, error) {
			c, ok := config.(*C)
			if !ok {
				return nil, Errorf(CodeInvalid, "open", "the settings of %s are a %T", typ, config)
			}
			return open(ctx, s, *c)
		}}
	for _, r := range roleTypes {
		if reflect.TypeFor[T]().Implements(r.typ) {
			spec.Roles = append(spec.Roles, r.role)
		}
	}
	return spec
}

// Has reports whether instances have the role.
func (s *Spec) Has(role Role) bool {
	return slices.Contains(s.Roles, role)
}

// Check decodes a configuration strictly and throws it away. Its error is Problems.
func (s *Spec) Check(tree map[string]any) error { return Decode(tree, s.defaults()) }

// ChannelChecker is what the settings of a Resolver may be: they tell, without the network, whether the name of a channel
// can be right, so that a misspelt one is found when the configuration is read.
type ChannelChecker interface {
	// CheckChannel gives the error that ResolveChannel would give for the spelling alone.
	CheckChannel(name string) error
}

// CheckChannel checks the spelling of a channel's name for an instance of this configuration.
// Types whose settings are no ChannelChecker accept every name.
func (s *Spec) CheckChannel(tree map[string]any, name string) error {
	c := s.defaults()
	checker, ok := c.(ChannelChecker)
	if !ok {
		return nil
	}
	_ = Decode(tree, c) // what is wrong with the rest is said by Check
	return checker.CheckChannel(name)
}

// Open decodes a configuration strictly and makes an instance of it.
func (s *Spec) Open(ctx context.Context, settings Settings, tree map[string]any) (Connector, error) {
	c := s.defaults()
	if err := Decode(tree, c); err != nil {
		return nil, err
	}
	if settings.Log == nil {
		settings.Log = slog.New(slog.DiscardHandler)
	}
	conn, err := s.open(ctx, settings, c)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Type, err)
	}
	return conn, nil
}

// Schema is the JSON Schema of the configuration.
func (s *Spec) Schema() map[string]any { return SchemaOf(s.defaults()) }

// SchemaJSON is Schema as it is shipped.
func (s *Spec) SchemaJSON() json.RawMessage {
	b, err := json.MarshalIndent(s.Schema(), "", "  ")
	if err != nil {
		panic("sdk: a schema that cannot be written: " + err.Error())
	}
	return b
}

// Fields lists the settings for the reference page.
func (s *Spec) Fields() []Field { return Fields(s.defaults()) }
