package configs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Retention says how long the store keeps what nothing needs any more. 0s keeps it for ever.
type Retention struct {
	Items      sdk.Duration `yaml:"items" doc:"How long the content of an item is kept that its source does not list any more and that waits nowhere. Its key stays for ever, so that it is not posted again when it comes back; 0s keeps all of it."`
	Posts      sdk.Duration `yaml:"posts" doc:"How long posts are kept after their last change, with their pages and what is known of their copies; afterwards corrections do not reach the copies. 0s for ever."`
	Deliveries sdk.Duration `yaml:"deliveries" doc:"How long the record of a call to a platform is kept after its outcome; 0s for ever."`
	Messages   sdk.Duration `yaml:"messages" doc:"How long the record of a message to a person is kept after it could no longer be sent; what they agreed to stays in the ledger. 0s for ever."`
	Webhooks   sdk.Duration `yaml:"webhooks" doc:"How long a webhook is kept after it was mapped, for belfry source replay; one that could not be mapped is kept twelve times as long. 0s for ever."`
	Media      sdk.Duration `yaml:"media" doc:"How long an image is kept that no post shows any more; 0s for ever."`
	Alerts     sdk.Duration `yaml:"alerts" doc:"How long an alert is kept after its end; 0s for ever."`
	Acts       sdk.Duration `yaml:"acts" doc:"How long the record of what people did by command is kept; 0s for ever."`
}

// SetDefaults implements sdk.Defaulter.
func (r *Retention) SetDefaults() {
	const days = 24 * time.Hour
	*r = Retention{Items: sdk.D(90 * days), Deliveries: sdk.D(30 * days), Messages: sdk.D(90 * days), Webhooks: sdk.D(7 * days), Media: sdk.D(30 * days), Alerts: sdk.D(90 * days)}
}

// Validate refuses times in which something that is still looked at would go.
func (r *Retention) Validate() error {
	var ps sdk.Problems
	for _, x := range []struct {
		name string
		kept sdk.Duration
	}{{"items", r.Items}, {"posts", r.Posts}, {"deliveries", r.Deliveries}, {"messages", r.Messages}, {"webhooks", r.Webhooks}, {"media", r.Media}, {"alerts", r.Alerts}, {"acts", r.Acts}} {
		if x.kept > 0 && x.kept.Std() < 24*time.Hour {
			ps.Add("/"+x.name, fmt.Sprintf("%s is too short to look anything up", x.kept), "at least 1d, or 0s to keep it for ever")
		}
	}
	return ps.Err()
}

// Bytes is a size in a configuration: "500MB", "2GiB", or a number of bytes.
type Bytes int64

// sizes are the units, the larger ones first.
var sizes = []struct {
	name string
	size Bytes
}{{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1}}

var bytesText = regexp.MustCompile(`^([0-9]{1,12})(\.[0-9]{1,3})? ?([kKMGT]?B|[KMGT]iB)?$`)

// UnmarshalText reads a size that is not negative. A unit may be left out only of a whole number: of bytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	parts := bytesText.FindStringSubmatch(string(text))
	if parts == nil || parts[3] == "" && parts[2] != "" {
		return fmt.Errorf("%q is no size; write it like 500MB, 2GiB or 0", text)
	}
	n, err := strconv.ParseFloat(parts[1]+parts[2], 64)
	if err != nil {
		return fmt.Errorf("%q is no size; write it like 500MB, 2GiB or 0", text)
	}
	for _, u := range sizes {
		if strings.EqualFold(u.name, parts[3]) {
			n *= float64(u.size)
		}
	}
	if n > 1<<60 {
		return fmt.Errorf("%q is larger than any disk; write it like 500MB, 2GiB or 0", text)
	}
	*b = Bytes(n)
	return nil
}

// MarshalText writes the size in the largest unit in which it is whole.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String writes the size in the largest unit in which it is whole.
func (b Bytes) String() string {
	for _, u := range sizes {
		if b >= u.size && b%u.size == 0 && u.size > 1 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// JSONSchema describes the size to editors.
func (Bytes) JSONSchema() map[string]any {
	return map[string]any{"oneOf": []any{map[string]any{"type": "string", "pattern": bytesText.String()}, map[string]any{"type": "integer", "minimum": 0}}}
}

// TypeName names the type in the reference.
func (Bytes) TypeName() string { return "size" }
