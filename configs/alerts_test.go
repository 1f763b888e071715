package configs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

const operators = `
destinations:
  ops: {type: http, url: "https://ops.example/hook", secret: "${env:OPS_SECRET}"}
  telegram: {type: telegram, token: "${env:TELEGRAM_TOKEN}"}
`

func TestAlerts(t *testing.T) {
	t.Parallel()
	l := load(t, operators+`
alerts:
  to: [ops, {destination: telegram, chat: "@desk"}]
  repeat: 2h
  heartbeat: {url: "https://hc.example/ping/hunter2?key=hunter2", every: 5m}
`)
	if diff := cmp.Diff([]configs.AlertTarget{{Destination: "ops"}, {Destination: "telegram", Chat: "@desk"}}, l.Alerts.To); diff != "" {
		t.Error(diff)
	}
	if l.Alerts.Repeat.Std() != 2*time.Hour || l.Alerts.Heartbeat.Every.Std() != 5*time.Minute || !strings.HasSuffix(l.Alerts.Heartbeat.URL.Reveal(), "key=hunter2") {
		t.Errorf("%+v", l.Alerts)
	}
	// What is shown says what was written, and keeps the key.
	shown, err := json.Marshal(l.Tree()["alerts"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"heartbeat":{"allow_private":[],"every":"5m","url":"https://hc.example/[…]"},"repeat":"2h","settle":"5m","to":["ops",{"chat":"@desk","destination":"telegram"}]}`
	if diff := cmp.Diff(want, string(shown)); diff != "" {
		t.Error(diff)
	}
	if text := fmt.Sprintf("%v %+v %#v", l.Alerts, l.Alerts, l.Alerts); strings.Contains(text, "hunter2") {
		t.Errorf("the key is told: %s", text)
	}
}

// A daemon says who hears of trouble. What only reads a configuration does not ask.
func TestRequireAlerts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"none":             {"alerts: none\n", ""},
		"a place":          {operators + "alerts: {to: [ops]}\n", ""},
		"nothing":          {"site: {title: x}\n", "FILE: nothing says who is told of trouble; write alerts: {to: [a destination of yours]}, or alerts: none when you look at belfry status yourself\n1 problem"},
		"a place is there": {operators, "FILE: nothing says who is told of trouble; write alerts: {to: [ops]}, or alerts: none when you look at belfry status yourself\n1 problem"},
		"a place of readers": {operators + "channels: {a: {title: A, publish_to: [{destination: ops}]}}\n",
			"FILE: nothing says who is told of trouble; write alerts: {to: [a destination of yours]}, or alerts: none when you look at belfry status yourself\n1 problem"},
		"nobody": {"alerts: {repeat: 1h}\n", "FILE:1:1: alerts: names nobody who is told of trouble; write alerts: {to: [a destination of yours]}, or alerts: none when you look at belfry status yourself\n1 problem"},
		"a heartbeat alone": {"alerts: {heartbeat: {url: \"https://hc.example/x\"}}\n",
			"FILE:1:1: alerts: names nobody who is told of trouble; write alerts: {to: [a destination of yours]}, or alerts: none when you look at belfry status yourself\n1 problem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "belfry.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			o := configs.Options{Path: path, Environ: environ, Specs: specs()}
			if _, err := configs.Load(o); err != nil {
				t.Errorf("it cannot even be read: %v", err)
			}
			o.Checks = []func(*configs.Loaded) sdk.Problems{configs.RequireAlerts}
			_, err := configs.Load(o)
			got := ""
			if invalid, ok := errors.AsType[*configs.Invalid](err); ok {
				got = strings.ReplaceAll(invalid.Error(), path, "FILE")
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Every configuration that is shipped says who hears of trouble.
func TestShippedConfigurationsHaveAlerts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"minimal": configs.Minimal, "example": configs.Example, "demo": configs.Demo, "demo with a feed": configs.DemoFeed} {
		if !strings.Contains(text, "\nalerts:") {
			t.Errorf("%s does not", name)
		}
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"0s": "", "1h": "", "61m": "FILE:2:18: 1h1m is not possible; write a time up to 1h, such as 5m, or 0s\n1 problem"} {
		path := filepath.Join(t.TempDir(), "belfry.yaml")
		if err := os.WriteFile(path, []byte("\nalerts: {settle: "+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := configs.Load(configs.Options{Path: path, Environ: environ, Specs: specs()})
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), path, "FILE")
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
