package wire

import "github.com/belfry-news/belfry/sdk"

// Bounds of version 1.
const (
	// MaxMessage is the largest message either side sends or takes, in bytes.
	MaxMessage = 16 << 20
	// MaxAnswer bounds what one call may answer, in bytes on the wire and in estimated bytes of memory.
	MaxAnswer = 128 << 20
	// MaxItems is the most items, removals and groups of one batch, each.
	MaxItems = 20_000
	// MaxParts is the most parts of one plan.
	MaxParts = 1000
	// MaxRefState is the largest ChannelRef.State, in bytes.
	MaxRefState = 4 << 10
	// MaxHeard is the most events of one answer of Listen, and MaxReceived those of one call of a platform.
	MaxHeard    = 100
	MaxReceived = 1000
	// MaxReply is the largest body of an answer to a platform, in bytes.
	MaxReply = 64 << 10
	// MaxEventText is where the text of an event is cut, MaxEventID how long its names may be, and MaxEventData what a button of it
	// carries, in bytes.
	MaxEventText = 16 << 10
	MaxEventID   = 256
	MaxEventData = 64

	// chunk is the size that the chunks of a batch, the pieces of a file and the messages of a FetchStream aim at, in bytes.
	chunk = 256 << 10
	// StreamWindow is how far ahead of its reader one call may send, in bytes. Fixed ones keep gRPC from measuring the delay of a
	// local socket with pings beside every small call.
	StreamWindow = 2 * chunk
	// ConnWindow is the same of all calls of a process together.
	ConnWindow = 16 * chunk

	// maxStray is how many results of fetches that nobody asked for a stream survives, and how many messages that hold nothing
	// it or a batch does. A plugin that keeps to the protocol sends none.
	maxStray = 1000

	// maxPublic is where the sentence of an error is cut, in bytes: it travels in a header.
	maxPublic = 4 << 10
	// maxDepth is the deepest nesting of messages; an item's text takes sdk.MaxBodyDepth levels of it.
	maxDepth = 64
)

// Crosses reports whether a role exists in version 1.
func Crosses(r sdk.Role) bool {
	switch r {
	case sdk.RoleSource, sdk.RoleWebhook, sdk.RoleChecker, sdk.RoleResolver, sdk.RolePublisher, sdk.RoleEditor,
		sdk.RoleDeleter, sdk.RoleFinder, sdk.RoleMessenger, sdk.RoleListener, sdk.RoleReceiver:
		return true
	}
	return false
}

// Version is the newest major version of the protocol. Which one is spoken is negotiated when a process starts.
const Version = 1

// Versions are the major versions that the host speaks, the oldest first. A second one is a package beside this one, and
// stands here for as long as its plugins are served (docs/plugin-protocol.md).
func Versions() []int { return []int{Version} }

// The cookie tells a plugin that Belfry started it, and not a person. It protects nothing.
const (
	CookieKey   = "BELFRY_PLUGIN"
	CookieValue = "started-by-belfry"
)

// What the host tells a plugin's process by its environment. Nothing else does, and no credential is among it.
const (
	// EnvMemory is the limit of the process's data segment, in bytes.
	EnvMemory = "BELFRY_PLUGIN_MEMORY"
	// EnvLogLevel is the lowest level of log lines that the host wants, as slog spells it.
	EnvLogLevel = "BELFRY_PLUGIN_LOG"
	// EnvToken is what the host says with every call, as TokenHeader, to a process without a certificate, so that the process
	// knows the host from other programs of the same user. It is made for one process.
	EnvToken = "BELFRY_PLUGIN_TOKEN"
)

// TokenHeader is the metadata that carries the token.
const TokenHeader = "belfry-token"
