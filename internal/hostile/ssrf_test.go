package hostile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// spellings are hosts of addresses that nobody outside may make Belfry connect to.
var spellings = []string{
	"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "１２７.0.0.1", "127。0。0。1",
	"[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]", "0.0.0.0", "0", "[::]",
	"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fd00::1]", "100.64.0.1", "198.18.0.1", "192.0.2.1", "168.63.129.16",
	"[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
	"localhost", "LOCALHOST", "localhost.", "foo.localhost",
	"private.example", "loopback6.example", "mapped.example", "metadata.example", "shared.example", "nat64.example", "sixtofour.example", "teredo.example",
	"unique.example", "unspecified.example", "rebind.example",
}

// leads are what the names of spellings resolve to.
func leads() map[string][]netip.Addr {
	out := map[string][]netip.Addr{"rebind.example": {public[0], netip.MustParseAddr("127.0.0.1")}}
	for name, addr := range map[string]string{"private": "10.0.0.7", "loopback6": "::1", "mapped": "::ffff:127.0.0.1", "metadata": "169.254.169.254", "shared": "100.64.0.1",
		"nat64": "64:ff9b::7f00:1", "sixtofour": "2002:7f00:1::", "teredo": "2001:0:7f00:1::", "unique": "fd00::1", "unspecified": "0.0.0.0"} {
		out[name+".example"] = []netip.Addr{netip.MustParseAddr(addr)}
	}
	return out
}

// refusal words: what an address is, or how it is spelt; and that a name is none.
var refusalWords = regexp.MustCompile(`is an? [a-zA-Z0-9'() -]*address|address of this host|shared address|unusual spelling|no http or https address|no web address|is no address|does not exist|it names a feed at|cannot be resolved|is no name of a host`)

// voyage is a test on the island.
type voyage struct{ *island }

// TestEveryPlaceIsGuarded gives every place that takes an address every spelling of one that must not be dialled, on a
// network where each of them would answer, and holds that each ends with a sentence and none with a connection.
func TestEveryPlaceIsGuarded(t *testing.T) {
	t.Parallel()
	if !onIsland(t) {
		return
	}
	v := &voyage{}
	v.island = newIsland(t, leads(), v.pages(t))
	v.wouldBeSeen(t)
	t.Run("places", func(t *testing.T) {
		t.Run("configured", func(t *testing.T) { t.Parallel(); v.configured(t) })
		t.Run("heartbeat", func(t *testing.T) { t.Parallel(); v.heartbeats(t) })
		t.Run("commands", func(t *testing.T) { t.Parallel(); v.commands(t) })
	})
	if strays := v.strays(); len(strays) > 0 {
		t.Errorf("connections were made: %q", strays)
	}
}

// wouldBeSeen holds that a connection to any of the addresses is counted here.
func (v *voyage) wouldBeSeen(t *testing.T) {
	t.Helper()
	want := 0
	for _, host := range append(spellings, "1.2.3.4", "[2a00::1]") {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil {
			continue
		}
		want++
		c, err := net.DialTimeout("tcp", net.JoinHostPort(addr.String(), "80"), 5*time.Second)
		if err != nil {
			t.Fatalf("%s does not lead here: %v", host, err)
		}
		_ = c.Close()
	}
	until(t, "the connections are seen", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		n := 0
		for _, m := range v.met {
			n += m
		}
		return n == want
	})
	if len(v.strays()) < want/2 {
		t.Fatalf("only %q were seen", v.strays())
	}
	v.forget()
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// pages are what the public addresses serve.
func (v *voyage) pages(t *testing.T) http.Handler {
	t.Helper()
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	feed := func(title string, images ...string) []byte {
		room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: title, Lang: "en"}}
		for i, img := range append(images, "") {
			link := fmt.Sprintf("https://articles.pub.example/%s/%d", title, i)
			room.Publish(feedtest.Article{ID: link, Link: link, Title: fmt.Sprintf("%s %d", title, i), Summary: "s", Image: img, Published: time.Now().Add(-time.Duration(i) * time.Second)})
		}
		return room.RSS()
	}
	var images []string
	for _, host := range append([]string{"picture.pub.example"}, spellings...) {
		images = append(images, "http://"+host+"/photo.png", "http://images.pub.example/to?"+url.QueryEscape("http://"+host+"/photo.png"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/feed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = w.Write(feed("News"))
	})
	var revised sync.Once
	news := feed("Posted")
	mux.HandleFunc("/posted", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = w.Write(news)
		// Once the posts are out their article is corrected.
		if v.requests()["POST hook.pub.example/hook"] > 0 {
			revised.Do(func() { news = bytes.ReplaceAll(news, []byte("Posted 0"), []byte("Posted 0, corrected")) })
		}
	})
	mux.HandleFunc("/images", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = w.Write(feed("Images", images...))
	})
	mux.HandleFunc("/agenda.ics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/calendar")
		_, _ = fmt.Fprintf(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:%s\r\nSUMMARY:Council\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
			time.Now().Add(48*time.Hour).UTC().Format("20060102T150405Z"))
	})
	mux.HandleFunc("/principals", func(w http.ResponseWriter, r *http.Request) {
		to, _ := url.QueryUnescape(r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusMultiStatus)
		_, _ = fmt.Fprintf(w, `<multistatus xmlns="DAV:"><response><href>/principals</href><propstat><prop><current-user-principal><href>%s</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`,
			html.EscapeString(to))
	})
	mux.HandleFunc("/hubs", func(w http.ResponseWriter, r *http.Request) {
		to, _ := url.QueryUnescape(r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/rss+xml")
		w.Header().Set("Link", "<"+to+`>; rel="hub", <http://`+r.Host+`/hubs>; rel="self"`)
		_, _ = w.Write(feed("Hubs"))
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		to, _ := url.QueryUnescape(r.URL.RawQuery)
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		to, _ := url.QueryUnescape(r.URL.RawQuery)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><html><head><title>x</title><link rel="alternate" type="application/rss+xml" href="%s"></head><body>x</body></html>`, html.EscapeString(to))
	})
	mux.HandleFunc("/photo.png", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(photo.Bytes()) })
	mux.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":"7"}`)) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":false}`)) })
	return mux
}

// run runs a command, and gives what it says.
func (v *voyage) run(config string, args ...string) (string, error) {
	cmd := exec.Command(program(), append(args, "--config", config)...)
	cmd.Env = v.env()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// env trusts the island's authority, and names a proxy that nobody may use.
func (v *voyage) env() []string {
	return append(os.Environ(), "SSL_CERT_FILE="+v.ca, "SSL_CERT_DIR=/nowhere", "HTTP_PROXY=http://127.0.0.1:80", "HTTPS_PROXY=http://127.0.0.1:80", "ALL_PROXY=socks5://127.0.0.1:80")
}

// entry is one address in one place of a configuration.
type entry struct{ place, name, host, line string }

func (e entry) source() bool {
	return !slices.Contains([]string{"telegram", "hook", "update", "relay", "mailbox"}, e.place)
}

// control says that the entry leads to a public address, so that it has to come through.
func (e entry) control() bool { return strings.HasSuffix(e.host, ".pub.example") }

// may says that nobody knows whether the entry comes through: its name leads to a public address now and then.
func (e entry) may() bool { return e.host == "rebind.example" }

const (
	islandToken = "belfry_island-token"
	islandAdmin = "127.0.0.1:9980" // an island has all its ports
)

// feeds, redirects, discoveries and destinations are the entries of configurations; a daemon takes up to 50 new sources at
// once, so each kind has one of its own.
func (v *voyage) configured(t *testing.T) {
	hosts := append([]string{"control.pub.example"}, spellings...)
	at := func(host, path string) string { return fmt.Sprintf("%q", "https://"+host+path) }
	var groups [7][]entry
	add := func(group int, place, host, settings string) {
		name := fmt.Sprintf("%s-%d", strings.ReplaceAll(place, " ", "-"), len(groups[group]))
		groups[group] = append(groups[group], entry{place: place, host: host, name: name, line: "  " + name + ": " + settings})
	}
	for i, host := range hosts {
		add(0, "feed", host, fmt.Sprintf("{type: rss, url: %q}", "http://"+host+"/feed"))
		add(1, "redirect", host, fmt.Sprintf("{type: rss, url: %q}", fmt.Sprintf("http://r%d.pub.example/to?%s", i, url.QueryEscape("http://"+host+"/feed"))))
		add(2, "discovery", host, fmt.Sprintf("{type: rss, url: %q}", fmt.Sprintf("http://d%d.pub.example/page?%s", i, url.QueryEscape("http://"+host+"/feed"))))
		add(0, "telegram", host, fmt.Sprintf("{type: telegram, token: %q, api: %s}", "123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI", at(host, "")))
		add(0, "hook", host, fmt.Sprintf("{type: http, url: %s, secret: %q}", at(host, "/hook"), pressSecret))
		add(3, "calendar", host, fmt.Sprintf("{type: calendar, url: %q}", "http://"+host+"/agenda.ics"))
		add(3, "account", host, fmt.Sprintf("{type: calendar, protocol: caldav, url: %q}", "http://"+host+"/dav"))
		// Of what speaks no HTTP the name that it asks for shows that it came; the controls have one each.
		smtp, imap := strings.Replace(host, "control.", "smtp.", 1), strings.Replace(host, "control.", "imap.", 1)
		add(3, "relay", host, fmt.Sprintf("{type: email, sender: press@pub.example, relay: %q}", "smtps://"+smtp+":443"))
		add(3, "mailbox", host, fmt.Sprintf(`{type: email, sender: press@pub.example, relay: "smtps://relay.pub.example:443", bounce: bounce@pub.example, bounce_secrets: [0123456789abcdef], bounces: {imap: %q, user: u, password: p}}`, "imaps://"+imap+":443"))
		add(4, "moved calendar", host, fmt.Sprintf("{type: calendar, url: %q}", fmt.Sprintf("http://m%d.pub.example/to?%s", i, url.QueryEscape("http://"+host+"/agenda.ics"))))
		add(6, "principal", host, fmt.Sprintf("{type: calendar, protocol: caldav, url: %q}", fmt.Sprintf("http://p%d.pub.example/principals?%s", i, url.QueryEscape("http://"+host+"/principal"))))
		add(5, "hub", host, fmt.Sprintf("{type: rss, url: %q}", fmt.Sprintf("http://h%d.pub.example/hubs?%s", i, url.QueryEscape("https://"+host+"/hub"))))
		add(0, "update", host, fmt.Sprintf(`{type: http, url: "https://hook.pub.example/hook", body: '{"t": {{json .Title}}}', ref: /id, update: {url: %s}}`, at(host, "/update")))
	}
	for i, g := range groups {
		t.Run(g[1].place, func(t *testing.T) {
			t.Parallel()
			v.serve(t, g, i == 0)
		})
	}
}

// configuration writes entries, and gives the line of each.
func configuration(entries []entry, more bool) (text string, lines map[int]entry) {
	var b strings.Builder
	lines = map[int]entry{}
	put := func(text string) { b.WriteString(text + "\n") }
	put("listen: 127.0.0.1:0\ndata_dir: data\nalerts: none")
	put("admin_listen: " + map[bool]string{true: islandAdmin, false: "none"}[more])
	put(fmt.Sprintf("admin: {tokens: {island: {hash: %q, scopes: [post]}}}", api.Hash(islandToken)))
	put("site: {url: \"https://site.pub.example\"}") // hubs call there
	put("sources:")
	if more {
		put("  posted: {type: rss, url: \"http://posted.pub.example/posted\", poll: 1s, baseline: all}\n  images: {type: rss, url: \"http://feed.pub.example/images\", baseline: all, max_new: 1000}")
	}
	var to []string
	for _, sources := range []bool{true, false} {
		if !sources && slices.ContainsFunc(entries, func(e entry) bool { return !e.source() }) {
			put("destinations:")
		}
		for _, e := range entries {
			if e.source() != sources {
				continue
			}
			lines[strings.Count(b.String(), "\n")+1] = e
			put(e.line)
			switch e.place {
			case "telegram":
				to = append(to, fmt.Sprintf("{destination: %s, chat: \"@island\"}", e.name))
			case "hook", "update":
				to = append(to, fmt.Sprintf("{destination: %s}", e.name))
			}
		}
	}
	if more {
		put("channels:\n  all: {title: All, sources: [posted], each: {}, corrections: {min_gap: 0s}, publish_to: [" + strings.Join(to, ", ") + "]}")
		put("  images: {title: Images, sources: [images], each: {}}")
	}
	if boxes := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.place != "mailbox" }); len(boxes) > 0 {
		// A mailbox is looked at once somebody may answer.
		put("privacy: {key: belfry-key-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, controller: Press}\nchannels:")
		for _, e := range boxes {
			put(fmt.Sprintf("  %s: {title: Box, sources: [%s], each: {}, messages: [{destination: %[1]s}]}", e.name, entries[0].name))
		}
	}
	return b.String(), lines
}

// serve lets a daemon meet the entries that its configuration does not refuse.
func (v *voyage) serve(t *testing.T, all []entry, more bool) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	ended := map[entry]string{}
	for range 3 { // one problem may hide another
		text, lines := configuration(all, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := v.run(file, "check", "--json")
		if err == nil {
			break
		}
		var problems []struct {
			Line int
			What string
		}
		if at := strings.Index(out, "["); at < 0 || json.NewDecoder(strings.NewReader(out[at:])).Decode(&problems) != nil {
			t.Fatalf("belfry check: %v %s", err, out)
		}
		for _, p := range problems {
			e, known := lines[p.Line]
			if !known || e.control() {
				t.Fatalf("line %d: %s\n%s", p.Line, p.What, text)
			}
			ended[e] = p.What
		}
		all = slices.DeleteFunc(all, func(e entry) bool { return ended[e] != "" })
	}
	t.Logf("%d addresses are refused by the configuration, %d are left to the daemon", len(ended), len(all))
	d := daemontest.StartBy(t, dir, v.env(), program(), "run", "--config", file)
	d.Ready()
	v.relays(file, all, ended)
	var open []entry
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		log, listed := d.Log(), map[string]string{}
		if more {
			listed = v.troubles(t, file)
		}
		open = slices.DeleteFunc(slices.Clone(all), func(e entry) bool {
			if ended[e] == "" {
				ended[e] = cmp.Or(ending(log, e), listed[e.name])
			}
			return ended[e] != ""
		})
		if len(open) == 0 || !d.Running() || time.Now().After(deadline) {
			break
		}
	}
	if len(open) > 0 {
		t.Fatalf("these have not ended: %v\n%s", open, d.Tail())
	}
	for e, said := range ended {
		if !e.may() && e.control() == refusalWords.MatchString(said) {
			t.Errorf("%s %s: it ends with %q", e.place, e.host, said)
		}
	}
	for _, e := range all {
		if want := arrives[e.place]; e.control() && want != "" {
			until(t, want+" has come, without which the place proves nothing", func() bool { return v.requests()[want] > 0 })
		}
	}
	if !more {
		return
	}
	until(t, "every image has ended", func() bool {
		n := strings.Count(d.Log(), `msg="an image cannot be fetched`)
		return n >= 2*len(spellings)-4 // some are the same address in the end, and that of rebind.example may have come through
	})
	for line := range strings.Lines(d.Log()) {
		if strings.Contains(line, `msg="an image cannot be fetched`) && !refusalWords.MatchString(line) {
			t.Errorf("an image: %s", line)
		}
	}
	v.editors(t, file)
	v.checked(t, file, all)
	until(t, "a picture has come, without which the images prove nothing", func() bool { return v.requests()["GET picture.pub.example/photo.png"] > 0 })
}

// arrives are the requests that come of a public address in each place.
var arrives = map[string]string{
	"feed": "GET control.pub.example/feed", "redirect": "GET control.pub.example/feed", "discovery": "GET control.pub.example/feed",
	"hook": "POST control.pub.example/hook", "update": "POST control.pub.example/update",
	"telegram": "POST control.pub.example/bot123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI/getMe",
	"calendar": "GET control.pub.example/agenda.ics", "moved calendar": "GET control.pub.example/agenda.ics", "account": "PROPFIND control.pub.example/dav",
	"principal": "PROPFIND control.pub.example/principal",
	"hub":       "POST control.pub.example/hub",
	"relay":     "TLS smtp.pub.example",
	"mailbox":   "TLS imap.pub.example",
}

// relays asks destination check about every relay, to which nothing is sent otherwise as long as nobody follows.
func (v *voyage) relays(file string, all []entry, ended map[entry]string) {
	var mu sync.Mutex
	v.each(len(all), func(i int) {
		if all[i].place != "relay" {
			return
		}
		out, err := v.run(file, "destination", "check", all[i].name)
		mu.Lock()
		defer mu.Unlock()
		ended[all[i]] = fmt.Sprint(out, err)
	})
}

// ending is what the log says of an entry that has ended.
func ending(log string, e entry) string {
	if e.control() && !e.source() {
		return "its requests are looked for"
	}
	label := "destination=" + e.name + " "
	if e.source() {
		label = "source=" + e.name + " "
	}
	for line := range strings.Lines(log) {
		if !strings.Contains(line, label) {
			continue
		}
		if strings.Contains(line, " err=") || strings.Contains(line, `msg="items taken"`) && (e.control() || e.may()) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// troubles are what belfry destination list says of each destination.
func (v *voyage) troubles(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := v.run(file, "destination", "list", "--json")
	var list []struct {
		Name, Error string
		Chats       []struct{ Error string }
	}
	if at := strings.Index(out, "[\n"); err != nil || at < 0 || json.Unmarshal([]byte(out[at:]), &list) != nil {
		t.Fatalf("belfry destination list: %v %s", err, out)
	}
	said := map[string]string{}
	for _, d := range list {
		said[d.Name] = d.Error
		for _, c := range d.Chats {
			said[d.Name] = cmp.Or(said[d.Name], c.Error)
		}
	}
	return said
}

// editors writes posts whose pictures have the addresses, by command and over the API.
func (v *voyage) editors(t *testing.T, file string) {
	t.Helper()
	hosts := append([]string{"picture.pub.example"}, spellings...)
	v.each(len(hosts), func(i int) {
		e := entry{host: hosts[i]}
		out, err := v.run(file, "post", "create", "--channel", "images", "--text", "t", "--image", "http://"+e.host+"/photo.png")
		if e.control() && err != nil || !e.control() && !e.may() && (err == nil || !refusalWords.MatchString(out)) {
			t.Errorf("post create with a picture at %s: %v %s", e.host, err, out)
		}
		body, err := json.Marshal(map[string]string{"channel": "images", "text": "t", "image": "http://" + e.host + "/photo.png"})
		if err != nil {
			t.Error(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+islandAdmin+api.Base+"/posts", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+islandToken)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		if good := resp.StatusCode < 300; e.control() && !good || !e.control() && !e.may() && (good || !refusalWords.Match(said)) {
			t.Errorf("a post over the API with a picture at %s: %s %s", e.host, resp.Status, said)
		}
	})
}

// checked asks destination check about every destination that is left.
func (v *voyage) checked(t *testing.T, file string, all []entry) {
	t.Helper()
	v.each(len(all), func(i int) {
		e := all[i]
		if e.source() || e.control() || e.may() {
			return
		}
		if out, err := v.run(file, "destination", "check", e.name); err == nil || !refusalWords.MatchString(out) {
			t.Errorf("destination check of %s %s: %v %s", e.place, e.host, err, out)
		}
	})
}

// each runs a function for every number, a few at once.
func (v *voyage) each(n int, do func(i int)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, 6)
	for i := range n {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			do(i)
		})
	}
	wg.Wait()
}
