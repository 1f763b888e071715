package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/plugin"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

var update = flag.Bool("update", false, "rewrite golden files")

// noExitSleep keeps the race detector from sleeping a second at the end of each process.
const noExitSleep = "GORACE=atexit_sleep_ms=0"

// TestMain lets the test binary be belfry: for scripts by its name, and for the plugins that a belfry starts by its own
// arguments, since a plugin is the same file again.
func TestMain(m *testing.M) {
	sandbox.Main()         // a belfry that starts a third party's plugin is this file again
	os.Unsetenv("COLUMNS") // help is as wide as a terminal says
	if len(os.Args) > 3 && os.Args[1] == "plugin" && os.Args[2] == "serve" {
		if os.Getenv("GORACE") == "" {
			// A plugin's environment is not ours to set; where this cannot be done the tests are slower.
			_ = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), noExitSleep))
		}
		os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
	}
	if len(os.Args) == 2 && os.Args[1] == "serve-notes" || strings.HasPrefix(filepath.Base(os.Args[0]), "notes-") {
		plugin.Serve(notesSpec()) // a plugin of a third party
		return
	}
	testscript.Main(m, map[string]func(){"belfry": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Files:               scripts(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			w := &world{}
			env.Values["world"] = w
			env.Defer(w.close)
			// The race detector's own memory counts as a plugin's data.
			env.Setenv("BELFRY__PLUGINS__MEMORY", "1000000")
			env.Vars = append(env.Vars, noExitSleep)
			env.Setenv("BELFRY__LISTEN", "127.0.0.1:0")
			env.Setenv("HOME", env.WorkDir)
			self, err := exec.LookPath("belfry")
			if err != nil {
				return err
			}
			env.Setenv("BELFRY", self)
			examples, err := filepath.Abs(filepath.Join("..", "..", "plugins"))
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", examples)
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"feed":      scriptFeed,
			"article":   scriptArticle,
			"withdraw":  scriptWithdraw,
			"serve":     scriptServe,
			"telegram":  scriptTelegram,
			"bot":       scriptBot,
			"fault":     scriptFault,
			"messages":  scriptMessages,
			"receiver":  scriptReceiver,
			"posts":     scriptPosts,
			"refuse":    scriptRefuse,
			"until":     scriptUntil,
			"field":     scriptField,
			"get":       scriptGet,
			"picture":   scriptPicture,
			"database":  scriptDatabase,
			"exits":     scriptExits,
			"oneline":   scriptOneLine,
			"freefrom":  scriptFreeFrom,
			"jsonlines": scriptJSONLines,
			"port":      scriptPort,
		},
	})
}

// world are the fakes of one script.
type world struct {
	servers  []*httptest.Server
	site     *feedtest.Site
	newsroom *feedtest.Newsroom
	base     string
	telegram *telegramtest.Server
	receiver *receivertest.Standard
}

func (w *world) close() {
	for _, s := range w.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

func (w *world) start(h http.Handler) string {
	s := httptest.NewServer(h)
	w.servers = append(w.servers, s)
	return s.URL
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func arg(ts *testscript.TestScript, args []string, i int, otherwise string) string {
	if i < len(args) {
		return args[i]
	}
	if otherwise == "!" {
		ts.Fatalf("an argument is missing")
	}
	return otherwise
}

// scriptFeed starts a newsroom's site at $SITE, which is $SITE_ADDRESS, with a feed at $FEED.
func scriptFeed(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	w.site = feedtest.New()
	w.base = w.start(w.site)
	w.newsroom = &feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette", Link: w.base + "/", Description: "Les nouvelles", Lang: "fr"}}
	w.site.Feed("/feed.xml", w.newsroom.RSS())
	ts.Setenv("SITE", w.base)
	ts.Setenv("SITE_ADDRESS", strings.TrimPrefix(w.base, "http://"))
	ts.Setenv("FEED", w.base+"/feed.xml")
}

// scriptArticle publishes an article, or another version of it: article ID TITLE [tag=T] [text=T] [note=N] [image].
func scriptArticle(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	id := arg(ts, args, 0, "!")
	at := time.Date(2024, 11, 20, 6, 0, 0, 0, time.UTC).Add(time.Duration(len(w.newsroom.Articles())) * time.Minute)
	a := feedtest.Article{ID: id, Title: arg(ts, args, 1, "!"), Link: w.base + "/" + id, Summary: "Texte de " + id + ".", Published: at}
	for _, old := range w.newsroom.Articles() {
		if old.ID == id {
			a.Published, a.Updated = old.Published, at
		}
	}
	for _, option := range args[min(2, len(args)):] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "tag":
			a.Tags = append(a.Tags, value)
		case "text":
			a.Summary = value
		case "note":
			a.Correction = value
		case "image":
			w.site.Set("/"+id+".png", feedtest.Page{Type: "image/png", Body: pictureBytes(640, 360)})
			a.Image, a.ImageAlt = w.base+"/"+id+".png", "Une image"
		default:
			ts.Fatalf("article: unknown option %q", option)
		}
	}
	w.site.Set("/"+id, feedtest.Page{Type: "text/html", Body: []byte("<title>" + a.Title + "</title>")})
	w.newsroom.Publish(a)
	w.site.Feed("/feed.xml", w.newsroom.RSS())
}

// scriptWithdraw withdraws an article with a tombstone.
func scriptWithdraw(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.newsroom.Withdraw(arg(ts, args, 0, "!"), "retiré par la rédaction", time.Date(2024, 11, 20, 9, 0, 0, 0, time.UTC))
	w.site.Feed("/feed.xml", w.newsroom.RSS())
}

// scriptServe puts a page on the site: serve PATH STATUS TYPE [FILE].
func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	p := feedtest.Page{Type: arg(ts, args, 2, "text/html")}
	if _, err := fmt.Sscan(arg(ts, args, 1, "200"), &p.Status); err != nil {
		ts.Fatalf("serve: %v", err)
	}
	if len(args) > 3 {
		p.Body = []byte(ts.ReadFile(args[3]))
	}
	w.site.Set(arg(ts, args, 0, "!"), p)
}

const (
	botToken = "123456:AbCdEfGhIjKlMnOp"
	gazette  = -1001234567890
)

// scriptTelegram starts a Bot API server whose bot may post in @gazette: its address in $TELEGRAM, its token in
// $TELEGRAM_TOKEN.
func scriptTelegram(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	w.telegram = telegramtest.New(telegramtest.Options{Token: botToken, BotID: 123456, Bot: "gazette_bot", Chats: []telegramtest.Chat{{
		ID: gazette, Type: "channel", Title: "La Gazette", Username: "gazette",
		Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	ts.Setenv("TELEGRAM", w.start(w.telegram))
	ts.Setenv("TELEGRAM_TOKEN", botToken)
}

// scriptBot changes what the bot is in @gazette: bot administrator, or bot left.
func scriptBot(ts *testscript.TestScript, _ bool, args []string) {
	may := arg(ts, args, 0, "!") == "administrator"
	worldOf(ts).telegram.SetChat(telegramtest.Chat{ID: gazette, Type: "channel", Title: "La Gazette", Username: "gazette",
		Bot: telegramtest.Member{Status: args[0], PostMessages: may, EditMessages: may, DeleteAny: may}})
}

// scriptFault breaks the Bot API server's next answer to a post: lost, after it was accepted; nothing, before; or refused.
// fault clear mends it.
func scriptFault(ts *testscript.TestScript, _ bool, args []string) {
	faults := &worldOf(ts).telegram.Faults
	f, sends := fault.Fault{Drop: true}, telegramtest.On("sendMessage", "sendPhoto")
	switch kind := arg(ts, args, 0, "!"); kind {
	case "lost":
		f.Accepted = true
	case "nothing":
	case "refused":
		f = telegramtest.Refusal(400, "Bad Request: can't parse entities", 0, 0)
	case "cannot-delete":
		f, sends = telegramtest.Refusal(400, "Bad Request: message can't be deleted", 0, 0), telegramtest.On("deleteMessage")
		f.Every = 1
	case "cannot-edit":
		f, sends = telegramtest.Refusal(400, "Bad Request: message can't be edited", 0, 0), telegramtest.On("editMessageText")
		f.Every = 1
	case "clear":
		faults.Clear()
		return
	default:
		ts.Fatalf("fault: unknown kind %q", kind)
	}
	f.On = sends
	faults.Add(f)
}

// scriptMessages waits until what @gazette shows, a line for each message, matches.
func scriptMessages(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	eventually(ts, neg, arg(ts, args, 0, "!"), func() string {
		var b strings.Builder
		for _, m := range w.telegram.Messages(gazette) {
			fmt.Fprintf(&b, "%q\n", m.Text)
		}
		return b.String()
	})
}

// scriptReceiver starts a receiver of Standard Webhooks: its address in $RECEIVER, its secret in $RECEIVER_SECRET.
func scriptReceiver(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	r, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{secret}})
	if err != nil {
		ts.Fatalf("receiver: %v", err)
	}
	w.receiver = r
	ts.Setenv("RECEIVER", w.start(r)+"/hook/secret-path")
	ts.Setenv("RECEIVER_SECRET", secret)
}

// scriptRefuse lets the receiver answer every call with a status, and a Retry-After when that is given; without arguments it
// is well again.
func scriptRefuse(ts *testscript.TestScript, _ bool, args []string) {
	r := worldOf(ts).receiver
	r.Faults.Clear()
	if len(args) == 0 {
		return
	}
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	f := fault.Fault{Status: status, Header: http.Header{}, Every: 1}
	if len(args) > 1 {
		f.Header.Set("Retry-After", args[1])
	}
	r.Faults.Add(f)
}

// scriptPosts waits until what the receiver holds, a line for each post, matches.
func scriptPosts(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	eventually(ts, neg, arg(ts, args, 0, "!"), func() string {
		var b strings.Builder
		for _, p := range w.receiver.State().Posts {
			fmt.Fprintf(&b, "%s %d %q\n", p.State, p.Revision, p.Title)
		}
		return b.String()
	})
}

// patience is how long something may take until it is so.
const patience = 2 * time.Minute

// eventually waits until a text matches; with neg it must not match now.
func eventually(ts *testscript.TestScript, neg bool, pattern string, text func() string) {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	deadline := time.Now().Add(patience)
	for {
		s := text()
		if neg {
			if re.MatchString(s) {
				ts.Fatalf("unexpected match of %q in:\n%s", pattern, s)
			}
			return
		}
		if re.MatchString(s) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match of %q in:\n%s", pattern, s)
		}
		time.Sleep(50 * time.Millisecond) // the other side is another process: there is nothing to wait on
	}
}

// scriptUntil runs a command again and again until its output matches: until REGEX COMMAND….
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("until REGEX COMMAND…")
	}
	eventually(ts, neg, args[0], func() string {
		_ = ts.Exec(args[1], args[2:]...) // its output says more than its exit code
		return ts.ReadFile("stdout") + ts.ReadFile("stderr")
	})
}

// scriptField sets a variable to a value in the JSON that a command printed last: field NAME PATH, where a path is like
// 0.id.
func scriptField(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for token := range strings.SplitSeq(arg(ts, args, 1, "!"), ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[token]
		case []any:
			var i int
			if _, err := fmt.Sscan(token, &i); err != nil || i >= len(t) {
				ts.Fatalf("field: there is no %s in %v", args[1], t)
			}
			v = t[i]
		default:
			ts.Fatalf("field: there is no %s", args[1])
		}
	}
	if n, ok := v.(float64); ok {
		v = int64(n)
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// scriptGet fetches an address and waits until its status and body match: get URL REGEX.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, neg, arg(ts, args, 1, "!"), func() string {
		resp, err := http.Get(args[0])
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return fmt.Sprintf("%d\n%s", resp.StatusCode, b.String())
	})
}

// scriptPicture writes a PNG.
func scriptPicture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(arg(ts, args, 0, "!")), pictureBytes(320, 200), 0o600))
}

func pictureBytes(width, height int) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			img.Set(x, y, color.NRGBA{uint8(x), uint8(y), 90, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // into memory
	}
	return b.Bytes()
}

// scriptDatabase makes a database: database new DIR, or database newer DIR for one of a later Belfry. database alter DIR SQL
// changes one behind Belfry's back.
func scriptDatabase(ts *testscript.TestScript, _ bool, args []string) {
	file := filepath.Join(ts.MkAbs(arg(ts, args, 1, "!")), "belfry.db")
	if args[0] == "alter" {
		raw, err := sql.Open("sqlite", file)
		ts.Check(err)
		defer raw.Close()
		_, err = raw.Exec(arg(ts, args, 2, "!"))
		ts.Check(err)
		return
	}
	db, err := sqlite.Open(context.Background(), file)
	ts.Check(err)
	ts.Check(db.Close())
	if args[0] == "newer" {
		raw, err := sql.Open("sqlite", file)
		ts.Check(err)
		defer raw.Close()
		_, err = raw.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
		ts.Check(err)
	}
}

// scriptExits runs a command that must end with one exit code: exits CODE COMMAND….
func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("exits CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit %s, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// scriptOneLine says that a stream holds one sentence: oneline stderr.
func scriptOneLine(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(arg(ts, args, 0, "!"))
	if strings.Count(text, "\n") != 1 || strings.TrimSpace(text) == "" {
		ts.Fatalf("want one line, got:\n%s", text)
	}
	if strings.Contains(text, "goroutine") || strings.Contains(text, ".go:") {
		ts.Fatalf("a stack trace:\n%s", text)
	}
}

// scriptFreeFrom says that neither stream holds a text: freefrom TEXT.
func scriptFreeFrom(ts *testscript.TestScript, _ bool, args []string) {
	for _, stream := range []string{"stdout", "stderr"} {
		if text := ts.ReadFile(stream); strings.Contains(text, arg(ts, args, 0, "!")) {
			ts.Fatalf("%s holds it:\n%s", stream, text)
		}
	}
}

// scriptJSONLines says that every line of the output is a JSON object with these names and no others, in this order:
// jsonlines N NAME… from the Nth line on.
func scriptJSONLines(ts *testscript.TestScript, _ bool, args []string) {
	var from int
	_, err := fmt.Sscan(arg(ts, args, 0, "!"), &from)
	ts.Check(err)
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	if len(lines) < from {
		ts.Fatalf("only %d lines", len(lines))
	}
	for _, line := range lines[from-1:] {
		d := json.NewDecoder(strings.NewReader(line))
		_, err := d.Token()
		ts.Check(err)
		var names []string
		for d.More() {
			name, err := d.Token()
			ts.Check(err)
			names = append(names, fmt.Sprint(name))
			var skip json.RawMessage
			ts.Check(d.Decode(&skip))
		}
		if got, want := strings.Join(names, " "), strings.Join(args[1:], " "); got != want {
			ts.Fatalf("got  %s\nwant %s\nin %s", got, want, line)
		}
	}
}

// scriptPort finds a free port of this machine: port NAME.
func scriptPort(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Check(ln.Close())
	ts.Setenv(arg(ts, args, 0, "!"), port)
}

// TestNobodyListens keeps the address that scripts use for a server that is down.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	if c, err := net.DialTimeout("tcp", "127.0.0.1:1", time.Second); err == nil {
		_ = c.Close()
		t.Fatal("something listens at 127.0.0.1:1; scripts rely on nothing being there")
	}
}
