package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/belfry-news/belfry/internal/daemontest"
)

// heartbeats gives the addresses to the dead man's switch, one after the other by reloads, in several daemons.
func (v *voyage) heartbeats(t *testing.T) {
	const daemons = 6
	hosts := append([]string{"beat.pub.example"}, spellings...)
	v.each(daemons, func(lane int) {
		dir := t.TempDir()
		file := filepath.Join(dir, "belfry.yaml")
		write := func(host string) {
			text := fmt.Sprintf("listen: 127.0.0.1:0\nadmin_listen: none\ndata_dir: data\ndestinations: {ops: {type: http, url: \"https://ops.pub.example/hook\", secret: %q}}\nalerts: {to: [ops], heartbeat: {url: %q, every: 10s}}\n",
				pressSecret, "https://"+host+"/beat")
			// At once: the daemon watches the file.
			if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
				t.Error(err)
			}
		}
		write("beat.pub.example")
		d := daemontest.StartBy(t, dir, v.env(), program(), "run", "--config", file)
		d.Ready()
		for i, host := range hosts {
			if i%daemons != lane {
				continue
			}
			from := len(d.Log())
			write(host)
			if err := syscall.Kill(d.Pid(), syscall.SIGHUP); err != nil {
				t.Error(err)
			}
			var said string
			until(t, "the heartbeat of "+host+" has ended", func() bool {
				log := d.Log()[from:]
				if said = lineWith(log, "the heartbeat was missed"); said == "" {
					said = lineWith(log, "problem")
				}
				return said != "" || strings.HasSuffix(host, "pub.example") && v.requests()["GET beat.pub.example/beat"] > 0 || host == "rebind.example" && v.requests()["GET rebind.example/beat"] > 0
			})
			if !strings.HasSuffix(host, "pub.example") && host != "rebind.example" && !refusalWords.MatchString(said) {
				t.Errorf("the heartbeat of %s: %s", host, said)
			}
		}
		d.Stop()
	})
	if v.requests()["GET beat.pub.example/beat"] == 0 {
		t.Error("no heartbeat ever came, so that this proves nothing")
	}
}

// commands gives the addresses to every command that takes one.
func (v *voyage) commands(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	if err := os.WriteFile(file, []byte("data_dir: data\nalerts: none\nchannels: {all: {title: All}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	item := filepath.Join(dir, "item.json")
	forms := map[string]func(host string) []string{
		"try": func(h string) []string { return []string{"try", "rss", "http://" + h + "/feed"} },
		"try, moved": func(h string) []string {
			return []string{"try", "rss", "http://try.pub.example/to?" + url.QueryEscape("http://"+h+"/feed")}
		},
		"url check": func(h string) []string { return []string{"url", "check", "http://" + h + "/feed"} },
		"render": func(h string) []string {
			return []string{"render", "http", "--item", item + "-" + url.PathEscape(h), "--options", "url=https://hook.pub.example/hook", "--options", "secret=" + pressSecret, "--fetch"}
		},
	}
	type try struct{ name, host string }
	var all []try
	for name := range forms {
		for _, host := range append([]string{"picture.pub.example"}, spellings...) {
			all = append(all, try{name, host})
		}
	}
	v.each(len(all), func(i int) {
		x := all[i]
		args := forms[x.name](x.host)
		if x.name == "render" {
			text, _ := json.Marshal(map[string]any{"key": "k", "title": "T", "url": "https://a.example/", "media": []any{map[string]any{"url": "http://" + x.host + "/photo.png", "type": "image/png"}}})
			if err := os.WriteFile(item+"-"+url.PathEscape(x.host), text, 0o600); err != nil {
				t.Error(err)
			}
		}
		out, err := v.run(file, args...)
		switch {
		case x.host == "rebind.example":
		case x.host == "picture.pub.example":
			if err != nil && x.name != "try" && x.name != "try, moved" {
				t.Errorf("%s of a public address: %v %s", x.name, err, out)
			}
		case x.name == "render":
			if strings.Contains(out, "panic") {
				t.Errorf("%s %s: %s", x.name, x.host, out)
			}
		case err == nil || !refusalWords.MatchString(out):
			t.Errorf("%s %s: %v %s", x.name, x.host, err, out)
		}
	})
}
