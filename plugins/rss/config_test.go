package rss

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tree map[string]any
		says string // empty when it is right
	}{
		{"the least", map[string]any{"url": "https://news.example/feed.xml"}, ""},
		{"everything", map[string]any{"url": "http://10.0.3.7/feed.xml", "allow_private": []any{"10.0.3.7", "fd00::/8"}, "username": "u", "password": "p",
			"headers": map[string]any{"X-Key": "k"}, "zone": "Europe/Paris", "body": "description", "discover": false, "max_size": "512KiB", "timeout": "30s", "contact": "mailto:a@b.example"}, ""},
		{"feed scheme", map[string]any{"url": "feed://news.example/feed.xml"}, ""},
		{"feed scheme in front", map[string]any{"url": "feed:https://news.example/feed.xml"}, ""},
		{"nothing", map[string]any{}, `"url" is missing`},
		{"a setting of the host", map[string]any{"url": "https://news.example/", "poll": "5m"}, `unknown key "poll"`},
		{"no address", map[string]any{"url": "news.example"}, `/url: "news.example" is no http or https address`},
		{"another scheme", map[string]any{"url": "ftp://news.example/"}, "/url: "},
		{"a mail address", map[string]any{"url": "mailto:a@b.example"}, "no http or https address"},
		{"a password in the address", map[string]any{"url": "https://u:canary@news.example/"}, "write them as username and password"},
		{"a private address", map[string]any{"url": "http://10.0.3.7/feed.xml"}, "10.0.3.7 is a private address; if it is your own server, add its address to allow_private"},
		{"an unusual spelling", map[string]any{"url": "http://0x7f000001/"}, "unusual spelling"},
		{"a network with too many bits", map[string]any{"url": "https://news.example/", "allow_private": []any{"10.0.3.7/8"}}, "/allow_private/0: \"10.0.3.7/8\" has bits behind its length; write 10.0.0.0/8"},
		{"no network", map[string]any{"url": "https://news.example/", "allow_private": []any{"cms"}}, "no address and no network"},
		{"an unknown zone", map[string]any{"url": "https://news.example/", "zone": "Europe/Pariss"}, `/zone: the time zone "Europe/Pariss" is unknown`},
		{"the machine's zone", map[string]any{"url": "https://news.example/", "zone": "Local"}, "/zone: a zone must be named"},
		{"too large", map[string]any{"url": "https://news.example/", "max_size": "16MiB"}, "/max_size: 16MiB is not possible; between 1KiB and 15MiB"},
		{"no size", map[string]any{"url": "https://news.example/", "max_size": "big"}, `"big" is no size`},
		{"too long", map[string]any{"url": "https://news.example/", "timeout": "1h"}, "/timeout: "},
		{"a password without a name", map[string]any{"url": "https://news.example/", "password": "canary"}, "/password: a password needs a username"},
		{"a header of the exchange", map[string]any{"url": "https://news.example/", "headers": map[string]any{"if-none-match": "x"}}, "/headers/if-none-match: the header if-none-match is set by the fetch itself"},
		{"a header that is none", map[string]any{"url": "https://news.example/", "headers": map[string]any{"a b": "x"}}, "no name of a header"},
		{"a header with a line feed", map[string]any{"url": "https://news.example/", "headers": map[string]any{"X-A": "canary\r\nX-B: y"}}, "control character"},
		{"a contact with a line feed", map[string]any{"url": "https://news.example/", "contact": "a\r\nb"}, "/contact: "},
		{"another body", map[string]any{"url": "https://news.example/", "body": "ful"}, "/body: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Spec().Check(c.tree)
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	s := Spec()
	if s.Type != "rss" || !s.Has(sdk.RoleSource) || !s.Has(sdk.RoleChecker) || len(s.Roles) != 2 {
		t.Errorf("the spec is %+v", s)
	}
	if !json.Valid(s.SchemaJSON()) {
		t.Error("the schema is no JSON")
	}
	for _, f := range s.Fields() {
		if f.Doc == "" {
			t.Errorf("%s has no documentation", f.Path)
		}
	}
	d := defaults()
	if d.MaxSize.String() != "10MiB" || d.Timeout.Std() != time.Minute || !d.Discover {
		t.Errorf("the defaults are %+v", d)
	}
}

func TestSizesAndPrefixesAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"512KiB": "512KiB", "10 MiB": "10MiB", "1048576": "1MiB", "1000": "1000"} {
		var z fetch.Size
		if err := z.UnmarshalText([]byte(in)); err != nil || z.String() != want {
			t.Errorf("%q became %s: %v", in, z, err)
		}
	}
	for in, want := range map[string]string{"10.0.3.7": "10.0.3.7/32", "::1": "::1/128", "10.0.0.0/8": "10.0.0.0/8"} {
		var p fetch.Prefix
		if err := p.UnmarshalText([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if got, err := p.MarshalText(); err != nil || string(got) != want {
			t.Errorf("%q became %s: %v", in, got, err)
		}
	}
}

// Permitting the address where clouds keep their metadata is never advised.
func TestNoHintForMetadata(t *testing.T) {
	t.Parallel()
	err := Spec().Check(map[string]any{"url": "http://169.254.169.254/latest"})
	if err == nil || !strings.Contains(err.Error(), "169.254.169.254 is a link-local address") || strings.Contains(err.Error(), "allow_private") {
		t.Errorf("got %v", err)
	}
}
