package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// bomb is an answer that should never be read to its end.
type bomb struct {
	name string
	// says is part of the sentence that the admin gets.
	says string
	// serve writes the answer.
	serve http.HandlerFunc
}

const feedHead = `<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>`

// feedBombs are feeds; each must be refused within ten seconds.
func feedBombs() []bomb {
	text := func(doc func() string) http.HandlerFunc {
		packed := sync.OnceValue(func() []byte { return compressed(doc()) })
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/rss+xml")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed())
		}
	}
	return []bomb{
		{"nested", "levels deep", text(func() string { return feedHead + "<item>" + strings.Repeat("<a>", 2_000_000) })},
		{"attributes", "attributes", text(func() string { return feedHead + "<item " + strings.Repeat(`a="b" `, 1_000_000) + "/>" })},
		{"items", "items", text(func() string { return feedHead + strings.Repeat("<item/>", 1_000_000) })},
		{"laughs", "entities", text(func() string {
			doc := `<!DOCTYPE r [<!ENTITY a0 "ha">`
			for i := 1; i < 10; i++ {
				doc += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
			}
			return doc + "]>" + feedHead + "<item><title>&a9;</title></item></channel></rss>"
		})},
		{"quadratic", "entit", text(func() string {
			return `<!DOCTYPE r [<!ENTITY a "` + strings.Repeat("a", 60_000) + `">]>` + feedHead + "<item><title>" + strings.Repeat("&a;", 1_000_000)
		})},
		{"deepjson", "levels deep", text(func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":[{"a":` + strings.Repeat("[", 1_000_000)
		})},
		{"gigabyte", "larger than", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/rss+xml")
			_, _ = io.WriteString(w, feedHead)
			block := bytes.Repeat([]byte("<!-- nothing to see here -->"), 1<<15)
			for sent := 0; sent < 1<<30; sent += len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		{"drip", "slowly", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/rss+xml")
			flush := http.NewResponseController(w)
			for _, c := range []byte(feedHead + strings.Repeat("<item><title>x</title></item>", 100)) {
				if _, err := w.Write([]byte{c}); err != nil || flush.Flush() != nil {
					return
				}
				select {
				case <-r.Context().Done():
					return
				case <-time.After(time.Second):
				}
			}
		}},
	}
}

func compressed(doc string) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = io.WriteString(w, doc)
	_ = w.Close()
	return out.Bytes()
}

// hugeImage is the beginning of a PNG of 50,000 by 50,000 pixels.
func hugeImage() []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body := append([]byte(kind), data...)
		out = append(out, body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 50_000), 50_000)
	chunk("IHDR", append(head, 8, 6, 0, 0, 0))
	var data bytes.Buffer
	z := gzip.NewWriter(&data)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	chunk("IDAT", data.Bytes())
	chunk("IEND", nil)
	return out
}

// arrivals notes when the receiver first got each article.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title string `json:"title"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.at[body.Title]; !again {
		a.at[body.Title] = time.Now()
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *arrivals) when(title string) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.at[title]
	return at, ok
}

// TestBombs holds that every bomb is refused within ten seconds with a sentence, that the process that reads it stays
// under 256 MB, that the daemon never ends, and that an honest source beside them is on time.
func TestBombs(t *testing.T) {
	t.Parallel()
	bombs := feedBombs()
	var asked [16]atomic.Int64 // when each bomb was first asked for, in Unix nanoseconds
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Honest", Lang: "en"}}
	site, got := feedtest.New(), &arrivals{at: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/hook", got)
	mux.HandleFunc("/huge.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(hugeImage())
	})
	for i, b := range bombs {
		mux.HandleFunc("/bomb/"+b.name, func(w http.ResponseWriter, r *http.Request) {
			asked[i].CompareAndSwap(0, time.Now().UnixNano())
			b.serve(w, r)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	site.Feed("/feed", room.RSS())

	dir := t.TempDir()
	var sources strings.Builder
	for _, b := range bombs {
		fmt.Fprintf(&sources, "  %s: {type: rss, url: %q, allow_private: [127.0.0.0/8]}\n", b.name, server.URL+"/bomb/"+b.name)
	}
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: data
alerts: none
media: {allow_private: [127.0.0.0/8]}
sources:
  honest: {type: rss, url: %q, poll: 1s, baseline: all, allow_private: [127.0.0.0/8]}
%sdestinations:
  hook: {type: http, url: %q, body: '{"title": {{json .Title}}}', allow_private: [127.0.0.0/8]}
channels:
  all: {title: All, sources: [honest], each: {settle: 0s}, publish_to: [{destination: hook}]}
`, server.URL+"/feed", sources.String(), server.URL+"/hook")
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	program := daemontest.Build(t)
	d := daemontest.Start(t, program, dir)
	base := d.Ready()

	peak := map[int]int64{}
	written := map[string]time.Time{}
	fell := map[string]time.Duration{}
	sentence := map[string]string{}
	next := time.Now()
	for deadline := time.Now().Add(60 * time.Second); len(fell) < len(bombs) && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if !d.Running() {
			t.Fatalf("the daemon ended:\n%s", d.Tail())
		}
		for _, pid := range d.Children() {
			peak[pid] = max(peak[pid], daemontest.PeakMemory(pid))
		}
		if time.Now().After(next) {
			next = next.Add(time.Second)
			title := fmt.Sprintf("Honest news %d", len(written))
			room.Publish(feedtest.Article{ID: title, Link: server.URL + "/" + fmt.Sprint(len(written)), Title: title, Summary: "s", Published: time.Now(), Image: server.URL + "/huge.png"})
			written[title] = time.Now()
			site.Feed("/feed", room.RSS())
		}
		for i, b := range bombs {
			began := asked[i].Load()
			if _, known := fell[b.name]; known || began == 0 {
				continue
			}
			if said := refusal(t, program, dir, b.name); said != "" {
				fell[b.name], sentence[b.name] = time.Since(time.Unix(0, began)), said
			}
		}
	}
	for _, b := range bombs {
		took, refused := fell[b.name]
		t.Logf("%-11s %6s  %s", b.name, took.Round(10*time.Millisecond), sentence[b.name])
		if !refused || took > 10*time.Second || !strings.Contains(sentence[b.name], b.says) {
			t.Errorf("%s: refused %v after %s: %q, wanted is %q", b.name, refused, took, sentence[b.name], b.says)
		}
	}
	if len(peak) != 1 {
		t.Errorf("there were %d plugin processes; one should have stood it all:\n%s", len(peak), d.Tail())
	}
	for pid, bytes := range peak {
		t.Logf("process %d of the plugin had %d MiB at most", pid, bytes>>20)
		if bytes > 256<<20 {
			t.Errorf("the plugin had %d MiB", bytes>>20)
		}
	}
	late := time.Duration(0)
	for title, at := range written {
		if time.Since(at) < 4*time.Second {
			continue // there was no time for the newest
		}
		came, ok := got.when(title)
		if !ok {
			t.Errorf("%s never came", title)
			continue
		}
		late = max(late, came.Sub(at))
	}
	t.Logf("%d honest articles, the latest after %s", len(written), late.Round(10*time.Millisecond))
	if late > 4*time.Second {
		t.Errorf("an honest article came after %s, with a poll of 1s", late)
	}
	resp, err := http.Get(base + "/c/all")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if !bytes.Contains(page, []byte("Honest news 0")) || bytes.Contains(page, []byte("<img")) {
		t.Error("the page lacks the article, or shows the picture that cannot be read")
	}
}

// refusal is the sentence for which a source failed; empty while it has not.
func refusal(t *testing.T, program, dir, source string) string {
	t.Helper()
	out, err := exec.Command(program, "source", "list", source, "--json", "--config", filepath.Join(dir, "belfry.yaml")).Output()
	if err != nil {
		t.Fatalf("source list: %v %s", err, out)
	}
	var s struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s.Error
}
