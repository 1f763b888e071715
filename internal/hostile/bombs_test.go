package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// patience is how long something may take until it is so, on a slow machine.
const patience = 3 * time.Minute

// What a bomb may cost.
const (
	bombTime   = 10 * time.Second
	bombMemory = 256 << 20
	lateBy     = 4 * time.Second // of an honest source that is polled every second
)

// bomb is an answer that should never be read to its end.
type bomb struct {
	name string
	// says is part of the sentence that the admin gets.
	says string
	// doc is the document, compressed on the way; zeros are MiB of nothing behind it, and most is how large it may be then.
	doc   func() string
	zeros int
	most  int
	// serve writes an answer that no document is.
	serve http.HandlerFunc
}

const feedHead = `<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>`

// feedBombs are feeds; each must be refused within ten seconds.
func feedBombs() []bomb {
	return []bomb{
		{name: "nested", says: "nested more than 100 levels deep", most: 15 << 10, doc: func() string { return feedHead + "<item>" + strings.Repeat("<a>", 2_000_000) }},
		{name: "attributes", says: "more than 256 attributes", doc: func() string { return feedHead + "<item " + strings.Repeat(`a="b" `, 1_000_000) + "/>" }},
		{name: "items", says: "more than 50000 items", doc: func() string { return feedHead + strings.Repeat("<item/>", 1_000_000) }},
		{name: "laughs", says: "which is how XML bombs are built", doc: func() string {
			doc := `<!DOCTYPE r [<!ENTITY a0 "ha">`
			for i := 1; i < 10; i++ {
				doc += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
			}
			return doc + "]>" + feedHead + "<item><title>&a9;</title></item></channel></rss>"
		}},
		{name: "quadratic", says: "which is how XML bombs are built", doc: func() string {
			return `<!DOCTYPE r [<!ENTITY a "` + strings.Repeat("a", 60_000) + `">]>` + feedHead + "<item><title>" + strings.Repeat("&a;", 1_000_000)
		}},
		{name: "deepjson", says: "nested more than 64 levels deep", doc: func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":[{"a":` + strings.Repeat("[", 1_000_000)
		}},
		{name: "packed", says: "larger than", most: 2 << 20, zeros: 1 << 10, doc: func() string { return feedHead + "<item><title>" }},
		{name: "gigabyte", says: "larger than", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/rss+xml")
			_, _ = io.WriteString(w, feedHead)
			endless(w, bytes.Repeat([]byte("<!-- nothing to see here -->"), 1<<15), 1<<30)
		}},
		{name: "drip", says: "so slowly that the exchange was given up", serve: func(w http.ResponseWriter, r *http.Request) {
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

// imageBombs are images of articles; each must be refused within ten seconds too, and its article posted without it.
func imageBombs() []bomb {
	return []bomb{
		{name: "huge.png", says: "50000 by 50000 pixels; a side may have 32767", doc: func() string { return string(pngOf(50_000, 50_000)) }},
		{name: "wide.png", says: "30000 by 30000 pixels are more than 30000000", doc: func() string { return string(pngOf(30_000, 30_000)) }},
		{name: "packed.png", says: "it has more than 15728640 bytes", most: 2 << 20, zeros: 1 << 10, doc: func() string { return string(pngOf(3000, 3000)) }},
		{name: "gigabyte.png", says: "it has more than 15728640 bytes", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(pngOf(3000, 3000))
			endless(w, make([]byte, 1<<20), 1<<30)
		}},
	}
}

// endless writes blocks up to a size, as long as somebody reads.
func endless(w http.ResponseWriter, block []byte, size int) {
	for sent := 0; sent < size; sent += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// compressed is a document as gzip, with MiB of zeros behind it: the format is a row of parts, of which one is repeated.
func compressed(doc string, zeros int) []byte {
	part := func(text string) []byte {
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return out.Bytes()
	}
	return slices.Concat(part(doc), bytes.Repeat(part(string(make([]byte, 1<<20))), zeros))
}

// pngOf is the beginning of a PNG of a size.
func pngOf(width, height uint32) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body := append([]byte(kind), data...)
		out = append(out, body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	chunk("IHDR", append(head, 8, 6, 0, 0, 0))
	var data bytes.Buffer
	z := gzip.NewWriter(&data)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	chunk("IDAT", data.Bytes())
	chunk("IEND", nil)
	return out
}

// fuse is what was seen of one bomb.
type fuse struct {
	bomb
	mu    sync.Mutex
	asked time.Time // first
	sent  int64     // bytes, at the most in one answer
	fell  time.Duration
	said  string
}

// counted counts what an answer sends.
type counted struct {
	http.ResponseWriter
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n += int64(n)
	return n, err
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// handler serves the bomb; documents are packed before the daemon starts, which is not what is measured.
func (f *fuse) handler(t *testing.T) http.HandlerFunc {
	serve := f.serve
	if serve == nil {
		packed := compressed(f.doc(), f.zeros)
		if f.most > 0 && len(packed) > f.most {
			t.Errorf("%s has %d bytes on the way, and should have no more than %d", f.name, len(packed), f.most)
		}
		serve = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", map[bool]string{true: "image/png", false: "application/rss+xml"}[strings.HasSuffix(f.name, ".png")])
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if f.asked.IsZero() {
			f.asked = time.Now()
		}
		f.mu.Unlock()
		c := &counted{ResponseWriter: w}
		serve(c, r)
		f.mu.Lock()
		f.sent = max(f.sent, c.n)
		f.mu.Unlock()
	}
}

// look asks once more what the daemon says of the bomb.
func (f *fuse) look(say func() string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked.IsZero() || f.said != "" {
		return
	}
	if f.said = say(); f.said != "" {
		f.fell = time.Since(f.asked)
	}
}

// judge holds that the bomb was thrown, and what it cost.
func (f *fuse) judge(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	t.Logf("%-12s %6s  %s", f.name, f.fell.Round(10*time.Millisecond), f.said)
	switch {
	case f.asked.IsZero():
		t.Errorf("%s was never asked for", f.name)
	case f.said == "" || f.fell > bombTime || !strings.Contains(f.said, f.says):
		t.Errorf("%s: after %s it is said: %q; wanted is %q", f.name, f.fell, f.said, f.says)
	case f.sent > 64<<20: // with what the kernel holds
		t.Errorf("%s: %d MiB were read of it", f.name, f.sent>>20)
	}
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

// TestBombs holds that every bomb is fetched and refused within ten seconds with a sentence, that the processes that read
// it stay under 256 MB, that neither of them ends, and that an honest source beside them is on time.
func TestBombs(t *testing.T) {
	t.Parallel()
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Honest", Lang: "en"}}
	site, got := feedtest.New(), &arrivals{at: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/hook", got)
	var feeds, images []*fuse
	for _, b := range feedBombs() {
		feeds = append(feeds, &fuse{bomb: b})
	}
	for _, b := range imageBombs() {
		images = append(images, &fuse{bomb: b})
	}
	for _, f := range slices.Concat(feeds, images) {
		mux.HandleFunc("/bomb/"+f.name, f.handler(t))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	site.Feed("/feed", room.RSS())

	dir := t.TempDir()
	var sources strings.Builder
	for _, f := range feeds {
		fmt.Fprintf(&sources, "  %s: {type: rss, url: %q, allow_private: [127.0.0.0/8]}\n", f.name, server.URL+"/bomb/"+f.name)
	}
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: none
data_dir: data
alerts: none
media: {allow_private: [127.0.0.0/8]}
sources:
  honest: {type: rss, url: %q, poll: 1s, baseline: all, max_new: 1000, allow_private: [127.0.0.0/8]}
%sdestinations:
  hook: {type: http, url: %q, body: '{"title": {{json .Title}}}', allow_private: [127.0.0.0/8]}
channels:
  all: {title: All, sources: [honest], each: {settle: 0s}, publish_to: [{destination: hook}]}
`, server.URL+"/feed", sources.String(), server.URL+"/hook")
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemontest.Start(t, program(), dir)
	base := d.Ready()

	peak := map[int]int64{}
	written := map[string]time.Time{}
	next := time.Now()
	waiting := func(f *fuse) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.said == "" }
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if !d.Running() {
			t.Fatalf("the daemon ended:\n%s", d.Tail())
		}
		for _, pid := range append(d.Children(), d.Pid()) {
			if now := daemontest.PeakMemory(pid); now > 0 { // Go forks once to learn about the kernel; that child has no memory of its own
				peak[pid] = max(peak[pid], now)
			}
		}
		if time.Now().After(next) {
			next = next.Add(time.Second)
			n := len(written)
			a := feedtest.Article{ID: articleURL(server.URL, n), Link: articleURL(server.URL, n), Title: fmt.Sprintf("Honest news %d", n), Summary: "s", Published: time.Now()}
			if n < len(images) {
				a.Image = server.URL + "/bomb/" + images[n].name
			}
			room.Publish(a)
			written[a.Title] = time.Now()
			site.Feed("/feed", room.RSS())
		}
		for _, f := range feeds {
			f.look(func() string { return refusal(t, dir, f.name) })
		}
		for i, f := range images {
			f.look(func() string { return withoutImage(t, dir, articleURL(server.URL, i)) })
		}
		if len(written) > len(images)+5 && !slices.ContainsFunc(slices.Concat(feeds, images), waiting) {
			break
		}
	}
	for _, f := range slices.Concat(feeds, images) {
		f.judge(t)
	}
	if len(peak) != 2 {
		t.Errorf("there were %d processes; the daemon and one plugin should have stood it all:\n%s", len(peak), d.Tail())
	}
	for pid, most := range peak {
		t.Logf("process %d had %d MiB at most; the daemon is %d", pid, most>>20, d.Pid())
		if most > bombMemory {
			t.Errorf("process %d had %d MiB", pid, most>>20)
		}
	}
	late := time.Duration(0)
	for _, title := range slices.Sorted(maps.Keys(written)) {
		at := written[title]
		if time.Since(at) < lateBy {
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
	if late > lateBy {
		t.Errorf("an honest article came after %s, with a poll of 1s", late)
	}
	for _, f := range images {
		if !strings.Contains(d.Log(), f.says) {
			t.Errorf("%s: the log does not say %q:\n%s", f.name, f.says, d.Tail())
		}
	}
	page := text(t, base+"/c/all")
	if !strings.Contains(page, "Honest news 0") || strings.Contains(page, "<img") {
		t.Error("the page lacks the article, or shows a picture that cannot be read")
	}
}

func articleURL(site string, n int) string { return fmt.Sprintf("%s/article/%d", site, n) }

// withoutImage is what belfry why says of the picture that an article lacks; empty while it says nothing.
func withoutImage(t *testing.T, dir, item string) string {
	t.Helper()
	out, _ := exec.Command(program(), "why", "--item", item, "--config", filepath.Join(dir, "belfry.yaml")).CombinedOutput() // it may not be there yet
	_, said, _ := strings.Cut(string(out), "without its image: ")
	said, _, _ = strings.Cut(said, "\n")
	return said
}

// lineWith is the first line that holds a text; empty when none does.
func lineWith(log, part string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// text fetches a page.
func text(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// refusal is the sentence for which a source failed; empty while it has not.
func refusal(t *testing.T, dir, source string) string {
	t.Helper()
	out, err := exec.Command(program(), "source", "list", source, "--json", "--config", filepath.Join(dir, "belfry.yaml")).Output()
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
