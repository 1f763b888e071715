package email

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	edKey = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func pkcs8(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// plainRelay is a configuration for a relay in plain text.
func plainRelay(r *emailtest.Relay, more map[string]any) map[string]any {
	tree := map[string]any{"relay": "smtp://" + r.Addr, "tls": "none", "sender": "La Gazette <brief@news.example>", "hello": "mail.news.example",
		"bounce": "bounce@news.example", "bounce_secrets": []any{"0123456789abcdef0123"}}
	for k, v := range more {
		if v == nil {
			delete(tree, k)
		} else {
			tree[k] = v
		}
	}
	return tree
}

func openConnector(tb testing.TB, tree map[string]any) *Connector {
	tb.Helper()
	conn, err := Spec().Open(tb.Context(), sdk.Settings{Instance: "mail"}, tree)
	if err != nil {
		tb.Fatal(err)
	}
	c, ok := conn.(*Connector)
	if !ok {
		tb.Fatalf("%T", conn)
	}
	tb.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

const unsubscribe = "https://news.example/leave/k1abcdefghijklmnopqrstuvwxyz0123456789"

func common() *sdk.Common {
	return &sdk.Common{
		ID: "post-1", Kind: sdk.CommonPost, Lang: "fr", Subject: "Incendie à la gare : trafic interrompu",
		Body: sdk.Body{
			sdk.Paragraph(sdk.Strong(sdk.Text("Incendie à la gare"))),
			sdk.Paragraph(sdk.Text("Bonjour "+sdk.Slot("name")+", le trafic est interrompu. <script>alert(1)</script> & co. "), sdk.Link("https://news.example/a", sdk.Text("Lire l’article"))),
			{Kind: sdk.NodeList, Children: []sdk.Node{{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("un"))}}}},
			sdk.Paragraph(sdk.Text(".une ligne qui commence par un point")),
		},
		Permalink: "https://news.example/p/1",
		Media:     []sdk.Media{{URL: "https://news.example/m/1.jpg", Alt: "La gare", Credit: "AFP"}},
		Reason:    "Vous recevez ceci parce que vous suivez Alertes depuis le " + sdk.Slot("since") + ".",
		Links:     []sdk.CommonLink{{Text: "Se désabonner", Slot: sdk.SlotUnsubscribe}, {Text: "Pourquoi ?", Slot: sdk.SlotWhy}},
		List:      sdk.List{ID: "alertes", Title: "Dernière minute"}, Sender: "La Gazette, 1 rue de la Presse, Paris",
	}
}

func slots(name string) map[string]string {
	return map[string]string{"name": name, "since": "3 mars", sdk.SlotUnsubscribe: unsubscribe, sdk.SlotWhy: "https://news.example/why/x"}
}

func message(tb testing.TB, id string, c *sdk.Common, values map[string]string) sdk.DirectMessage {
	tb.Helper()
	return sdk.NewDirectMessage(sdktest.Permit(tb, id, Medium, "reader-"+id+sdktest.AddressDomain), sdk.MessageContent{Common: c, Slots: values})
}

// letterRead is a mail as a reader's program takes it apart.
type letterRead struct {
	header      mail.Header
	plain, html string
}

func readLetter(tb testing.TB, data []byte) letterRead {
	tb.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		tb.Fatalf("%v\n%s", err, data)
	}
	out := letterRead{header: m.Header}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		tb.Fatalf("Content-Type %q: %v", m.Header.Get("Content-Type"), err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for i := 0; ; i++ {
		p, err := r.NextRawPart()
		if err == io.EOF {
			if i != 2 {
				tb.Fatalf("%d parts", i)
			}
			return out
		}
		if err != nil {
			tb.Fatal(err)
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			if len(bytes.TrimRight(line, "\r\n")) > 76 {
				tb.Errorf("an encoded line has %d characters: %q", len(line), line)
			}
		}
		if p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			tb.Errorf("part %d: %v", i, p.Header)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw)))
		if err != nil {
			tb.Fatalf("part %d is not quoted-printable: %v\n%s", i, err, raw)
		}
		want := []string{"text/plain", "text/html"}[i]
		if got, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); got != want {
			tb.Errorf("part %d is %s, want %s", i, got, want)
		}
		unix := strings.ReplaceAll(string(text), "\r\n", "\n")
		if i == 0 {
			out.plain = unix
		} else {
			out.html = unix
		}
	}
}

// verify checks the signatures of a mail with another implementation.
func verify(tb testing.TB, c *Connector, data []byte) []*dkim.Verification {
	tb.Helper()
	txt := map[string][]string{}
	for _, s := range c.signers {
		kind := "rsa"
		if s.algorithm == "ed25519-sha256" {
			kind = "ed25519"
		}
		txt[s.selector+"._domainkey."+s.domain] = []string{"v=DKIM1; k=" + kind + "; p=" + s.dnsKey()}
	}
	found, err := dkim.VerifyWithOptions(bytes.NewReader(data), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if r, ok := txt[name]; ok {
			return r, nil
		}
		return nil, fmt.Errorf("no %s", name)
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func build(tb testing.TB, c *Connector, m sdk.DirectMessage) outgoing {
	tb.Helper()
	out, err := (&assembler{c: c}).build(m, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// codeOf is the code and scope of an error.
func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	e := sdk.AsError(err)
	s := e.Scope
	if s == "" {
		s = sdk.ScopeMessage
	}
	return string(e.Code) + " " + string(s)
}

// queue is a Messages for tests.
type queue struct {
	mu      sync.Mutex
	waiting []sdk.DirectMessage
	results map[string]string
	refs    map[string]string
	twice   []string
	// hold, when set, is waited for before the stream is said to be over.
	hold chan struct{}
}

func (q *queue) Next(ctx context.Context) (sdk.DirectMessage, bool) {
	q.mu.Lock()
	if len(q.waiting) > 0 {
		m := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		return m, true
	}
	q.mu.Unlock()
	if q.hold != nil {
		select {
		case <-q.hold:
		case <-ctx.Done():
		}
	}
	return sdk.DirectMessage{}, false
}

func (q *queue) Done(id string, ref sdk.MessageRef, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.results == nil {
		q.results, q.refs = map[string]string{}, map[string]string{}
	}
	if _, known := q.results[id]; known {
		q.twice = append(q.twice, id)
	}
	q.results[id], q.refs[id] = codeOf(err), ref.ID
}

func (q *queue) counts() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[string]int{}
	for _, r := range q.results {
		out[r]++
	}
	return out
}

func streamOf(tb testing.TB, n int) *queue {
	tb.Helper()
	q := &queue{}
	c := common()
	for i := range n {
		q.waiting = append(q.waiting, message(tb, fmt.Sprintf("d%04d", i), c, slots(fmt.Sprintf("lecteur %d", i))))
	}
	return q
}
