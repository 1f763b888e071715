package permit_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/permit"
)

var until = time.Date(2026, 3, 29, 7, 0, 0, 0, time.FixedZone("Paris", 7200))

func TestMint(t *testing.T) {
	t.Parallel()
	p := permit.Mint("d1", "email", "reader@example.invalid", permit.Delivery, until)
	value, ok := p.Address().Reveal()
	if !p.Names() || !ok || value != "reader@example.invalid" || p.Address().Medium() != "email" || p.ID() != "d1" || p.Purpose() != permit.Delivery {
		t.Errorf("%q %t", value, ok)
	}
	if !p.NotAfter().Equal(until) || p.NotAfter().Location() != time.UTC {
		t.Errorf("not after %v", p.NotAfter())
	}
}

func TestAZeroPermitNamesNobody(t *testing.T) {
	t.Parallel()
	var p permit.Permit
	value, ok := p.Address().Reveal()
	if p.Names() || ok || value != "" || p.Address().Medium() != "" || p.ID() != "" || p.Purpose() != "" || !p.NotAfter().IsZero() || p.Purpose().Valid() {
		t.Errorf("it names %q", value)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	for name, mint := range map[string]func(){
		"no delivery":        func() { permit.Mint("", "email", "a", permit.Delivery, until) },
		"no medium":          func() { permit.Mint("d", "", "a", permit.Delivery, until) },
		"nobody":             func() { permit.Mint("d", "email", "", permit.Delivery, until) },
		"no purpose":         func() { permit.Mint("d", "email", "a", "", until) },
		"another purpose":    func() { permit.Mint("d", "email", "a", "promotion", until) },
		"without an end":     func() { permit.Mint("d", "email", "a", permit.Answer, time.Time{}) },
		"an unknown purpose": func() { permit.Mint("d", "email", "a", permit.Purpose("DELIVERY"), until) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("a permit was minted")
				}
			}()
			mint()
		})
	}
}

// TestNothingPrintsAnAddress: whatever is done with a permit besides Reveal, the address does not show.
func TestNothingPrintsAnAddress(t *testing.T) {
	t.Parallel()
	p := permit.Mint("d1", "email", "reader@example.invalid", permit.Delivery, until)
	var out strings.Builder
	for _, v := range []any{p.Address(), &struct{ A permit.Address }{p.Address()}, []permit.Address{p.Address()}, p, &p} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		out.Write(b)
		if err != nil {
			t.Error(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
	}
	if strings.Contains(out.String(), "reader") {
		t.Errorf("the address shows:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "[address]") {
		t.Errorf("the mask does not show:\n%s", out.String())
	}
}

// TestNothingElseFillsAPermit: the ways of safe Go to write into a value of an unknown type end with nobody.
func TestNothingElseFillsAPermit(t *testing.T) {
	t.Parallel()
	var p permit.Permit
	var a permit.Address
	for _, in := range []string{`{"p":{"id":"d","address":"x"},"ID":"d"}`, `{"at":{"medium":"email","value":"x"}}`, `"reader@example.invalid"`, `null`} {
		for _, v := range []any{&p, &a} {
			_ = json.Unmarshal([]byte(in), v) // whether it complains is its own affair
		}
		if p.Names() || a.Medium() != "" {
			t.Errorf("JSON filled a permit or an address: %s", in)
		}
	}
	for _, v := range []any{&p, &a} {
		s := reflect.ValueOf(v).Elem()
		for i := range s.NumField() {
			if s.Field(i).CanSet() {
				t.Errorf("reflection can set %s of %s", s.Type().Field(i).Name, s.Type())
			}
		}
	}
}

func TestPurposes(t *testing.T) {
	t.Parallel()
	for p, want := range map[permit.Purpose]bool{permit.Delivery: true, permit.Confirm: true, permit.Answer: true, "": false, "promotion": false} {
		if p.Valid() != want {
			t.Errorf("%q: %t", p, p.Valid())
		}
	}
}
