package configs

import (
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Rates says how many calls a destination is sent in which time.
type Rates struct {
	// Off lets calls leave as they come.
	Off bool
	// Given are the admin's, in place of those that the platform is known to allow.
	Given []Rate
}

// Rate is a number of calls in a time.
type Rate struct {
	Events int          `yaml:"events" required:"true" min:"1" example:"10"`
	Per    sdk.Duration `yaml:"per" required:"true" example:"1s"`
	Scope  string       `yaml:"scope" enum:"destination|channel"`
}

// SetDefaults implements sdk.Defaulter.
func (r *Rate) SetDefaults() { r.Scope = string(sdk.RateDestination) }

// Validate checks the time.
func (r *Rate) Validate() error {
	var ps sdk.Problems
	if r.Per <= 0 {
		ps.Add("/per", "a rate needs a time", "write it like per: 1m")
	}
	return ps.Err()
}

const (
	ratesPlatform = "platform"
	ratesOff      = "off"
	ratesFix      = "write platform, off, or calls in a time: [{events: 10, per: 1s}]"
)

// DecodeTree implements sdk.TreeDecoder: a word, or a list of rates.
func (r *Rates) DecodeTree(tree any) error {
	word, isText := scalarText(tree)
	_, isList := tree.([]any)
	switch {
	case word == ratesPlatform:
		*r = Rates{}
		return nil
	case word == ratesOff:
		*r = Rates{Off: true}
		return nil
	case isList || isText && strings.HasPrefix(word, "["): // one from the environment, in JSON
		*r = Rates{}
		if err := sdk.Decode(tree, &r.Given); err != nil {
			return err
		}
		if len(r.Given) == 0 {
			return sdk.Problems{{What: "the list has no rate", Fix: ratesFix}}
		}
		return nil
	case isText:
		return sdk.Problems{{What: fmt.Sprintf("%q is not possible here", word), Fix: ratesFix}}
	}
	return sdk.Problems{{What: "a word or a list of rates expected", Fix: ratesFix}}
}

// Own are the admin's rates for who keeps to them.
func (r Rates) Own() []sdk.Rate {
	var out []sdk.Rate
	for _, x := range r.Given {
		out = append(out, sdk.Rate{Scope: sdk.RateScope(x.Scope), Events: x.Events, Per: x.Per.Std()})
	}
	return out
}

// Tree implements sdk.TreeEncoder.
func (r Rates) Tree() any {
	switch {
	case r.Off:
		return ratesOff
	case len(r.Given) == 0:
		return ratesPlatform
	}
	list := make([]any, len(r.Given))
	for i, x := range r.Given {
		list[i] = sdk.Tree(x)
	}
	return list
}

// JSONSchema describes the rates to editors.
func (Rates) JSONSchema() map[string]any {
	var def Rate
	def.SetDefaults()
	return map[string]any{"default": ratesPlatform, "oneOf": []any{map[string]any{"enum": []any{ratesPlatform, ratesOff}},
		map[string]any{"type": "array", "minItems": 1, "items": sdk.SchemaOf(def)}}}
}

// TypeName names the type in the reference.
func (Rates) TypeName() string { return "platform, off, or a list of {events, per, scope}" }
