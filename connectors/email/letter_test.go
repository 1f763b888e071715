package email

import (
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// offline is a connector that is not used to connect.
func offline(tb testing.TB, more map[string]any) *Connector {
	tb.Helper()
	return openConnector(tb, plainRelay(&emailtest.Relay{Addr: "127.0.0.1:2525"}, more))
}

func TestLetter(t *testing.T) {
	t.Parallel()
	c := offline(t, map[string]any{"feedback_id": "gazette", "reply_to": "Rédaction <desk@news.example>"})
	m := message(t, "d1", common(), slots("Ève <b> & \"co\" = é"))
	first := build(t, c, m)
	got := readLetter(t, first.data)
	plain := "Incendie à la gare\n\nBonjour Ève <b> & \"co\" = é, le trafic est interrompu. <script>alert(1)</script> & co. Lire l’article (https://news.example/a)\n\n" +
		"• un\n\n.une ligne qui commence par un point\n\nhttps://news.example/p/1\n\nLa gare · AFP <https://news.example/m/1.jpg>\n\n-- \n" +
		"Vous recevez ceci parce que vous suivez Alertes depuis le 3 mars.\nSe désabonner <" + unsubscribe + ">\nPourquoi ? <https://news.example/why/x>\n" +
		"La Gazette, 1 rue de la Presse, Paris\n"
	if diff := cmp.Diff(plain, got.plain); diff != "" {
		t.Errorf("plain text (-want +got):\n%s", diff)
	}
	for _, want := range []string{`<html lang="fr" dir="ltr">`, "<title>Incendie à la gare : trafic interrompu</title>", `name="color-scheme" content="light dark"`,
		"prefers-color-scheme:dark", "Bonjour Ève &lt;b&gt; &amp; &quot;co&quot; = é, le trafic", "&lt;script&gt;", `<a href="` + unsubscribe + `">Se désabonner</a>`,
		`<a href="https://news.example/m/1.jpg">La gare · AFP</a>`, "depuis le 3 mars."} {
		if !strings.Contains(got.html, want) {
			t.Errorf("the page has no %q:\n%s", want, got.html)
		}
	}
	for _, never := range []string{"<img", "<script", "url(", "@import", "<link", "slot"} {
		if strings.Contains(got.html, never) {
			t.Errorf("the page has %q", never)
		}
	}
	for name, want := range map[string]string{
		"From": `"La Gazette" <brief@news.example>`, "To": "<reader-d1@example.invalid>", "Message-ID": "<d1@news.example>",
		"List-Unsubscribe": "<" + unsubscribe + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Feedback-ID": "alertes:post:gazette",
		"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "MIME-Version": "1.0", "User-Agent": "", "X-Mailer": "",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if s, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject")); err != nil || s != "Incendie à la gare : trafic interrompu" {
		t.Errorf("Subject %q %v", s, err)
	}
	if id := got.header.Get("List-Id"); !strings.HasSuffix(id, " <alertes.news.example>") || !strings.HasPrefix(id, "=?utf-8?q?") {
		t.Errorf("List-Id %q", id)
	}
	if r, err := mail.ParseAddress(got.header.Get("Reply-To")); err != nil || r.Name != "Rédaction" || r.Address != "desk@news.example" {
		t.Errorf("Reply-To %v %v", r, err)
	}
	if at, err := mail.ParseDate(got.header.Get("Date")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Date %v %v", at, err)
	}
	again := build(t, c, message(t, "d1", common(), slots("Ève")))
	other := build(t, c, message(t, "d2", common(), slots("Ève")))
	if again.ref != first.ref || other.ref == first.ref {
		t.Errorf("Message-IDs %s %s %s", first.ref, again.ref, other.ref)
	}
	if id, ok := c.tokens.of(first.from, forBounce, time.Now()); !ok || id != "d1" {
		t.Errorf("the envelope's sender is %s", first.from)
	}
}

func TestLettersByKind(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	for name, tc := range map[string]struct {
		kind                sdk.CommonKind
		values              map[string]string
		list, post          bool
		submitted, linkText string
	}{
		"post":                   {sdk.CommonPost, slots("a"), true, true, "auto-generated", "-- \n"},
		"post without a way out": {sdk.CommonPost, map[string]string{"name": "a"}, true, false, "auto-generated", "-- \n"},
		"answer":                 {sdk.CommonAnswer, slots("a"), true, true, "auto-replied", "-- \n"},
		"confirmation":           {sdk.CommonConfirm, slots("a"), false, false, "auto-generated", "Se désabonner <" + unsubscribe + ">\nPourquoi ? <https://news.example/why/x>\n\n-- \n"},
		"unknown kind":           {"tomorrow", slots("a"), true, true, "auto-generated", "-- \n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := common()
			text.ID, text.Kind = "k-"+name, tc.kind
			got := readLetter(t, build(t, c, message(t, "d1", text, tc.values)).data)
			if (got.header.Get("List-Id") != "") != tc.list || (got.header.Get("List-Unsubscribe-Post") != "") != tc.post ||
				(got.header.Get("List-Unsubscribe") != "") != tc.post || got.header.Get("Auto-Submitted") != tc.submitted {
				t.Errorf("%v", got.header)
			}
			if !strings.Contains(got.plain, tc.linkText) {
				t.Errorf("plain text has no %q:\n%s", tc.linkText, got.plain)
			}
			if tc.values[sdk.SlotUnsubscribe] == "" && (strings.Contains(got.html, `href=""`) || strings.Contains(got.plain, "<>")) {
				t.Error("a link leads nowhere")
			}
		})
	}
}

func TestSubjectWithSlots(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	text := common()
	text.ID, text.Subject = "s", "Bonjour "+sdk.Slot("name")+" : votre brief"
	long := strings.Repeat("très long et ", 20) + "fin"
	for name, tc := range map[string]struct{ value, want string }{
		"ASCII": {"Anna", "Bonjour Anna : votre brief"}, "accents": {"Zoé", "Bonjour Zoé : votre brief"},
		"an encoded word": {"=?utf-8?q?x?=", "Bonjour =?utf-8?q?x?= : votre brief"}, "long": {long, "Bonjour " + long + " : votre brief"},
		"two spaces": {"a  b", "Bonjour a  b : votre brief"}, "emoji": {"🔔🔔", "Bonjour 🔔🔔 : votre brief"},
		"one long word": {strings.Repeat("w", 900), "Bonjour " + strings.Repeat("w", 900) + " : votre brief"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := build(t, c, message(t, "d1", text, slots(tc.value)))
			header, _, _ := strings.Cut(string(out.data), "\r\n\r\n")
			for line := range strings.SplitSeq(header, "\r\n") {
				if len(line) > 78 && !strings.Contains(line, unsubscribe) {
					t.Errorf("a line has %d characters: %s", len(line), line)
				}
			}
			got, err := new(mime.WordDecoder).DecodeHeader(readLetter(t, out.data).header.Get("Subject"))
			if err != nil || got != tc.want {
				t.Errorf("%q %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	edit := func(f func(*sdk.Common)) *sdk.Common { x := common(); x.ID = ""; f(x); return x }
	with := func(name, value string) map[string]string { s := slots("a"); s[name] = value; return s }
	for name, tc := range map[string]struct {
		text   *sdk.Common
		values map[string]string
		want   string
	}{
		"line end in the subject":       {edit(func(x *sdk.Common) { x.Subject = "a\r\nBcc: b@c.example" }), slots("a"), "the subject holds a line end"},
		"line feed in the subject":      {edit(func(x *sdk.Common) { x.Subject = "a\nb" }), slots("a"), "the subject holds"},
		"NUL in the subject":            {edit(func(x *sdk.Common) { x.Subject = "a\x00b" }), slots("a"), "the subject holds"},
		"line end in a subject's value": {edit(func(x *sdk.Common) { x.Subject = sdk.Slot("name") }), with("name", "a\r\nBcc: b@c.example"), "the subject with its values holds"},
		"line end in a list's title":    {edit(func(x *sdk.Common) { x.List.Title = "a\nBcc: x@y.example" }), slots("a"), "the title of the list holds"},
		"line end in a list's name":     {edit(func(x *sdk.Common) { x.List.ID = "a\nb" }), slots("a"), "the name of the list holds"},
		"no subject":                    {edit(func(x *sdk.Common) { x.Subject = " " }), slots("a"), "no subject"},
		"line end in the way out":       {common(), with(sdk.SlotUnsubscribe, "https://a.example/\r\nBcc: b@c.example"), `the value of "unsubscribe" is no web address`},
		"bracket in the way out":        {common(), with(sdk.SlotUnsubscribe, "https://a.example/>,<mailto:x@y.example"), "is no web address"},
		"script as a link":              {common(), with(sdk.SlotWhy, "javascript:alert(1)"), `the value of "why" is no web address`},
		"quotation mark in a link":      {common(), with(sdk.SlotWhy, `https://a.example/"onclick=`), "is no web address"},
		"no text":                       {nil, slots("a"), "e-mail has no templates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&assembler{c: c}).build(message(t, "d1", tc.text, tc.values), nil)
			scope := "invalid template"
			switch {
			case tc.text == nil:
				scope = "unsupported template"
			case strings.Contains(tc.want, "value"), strings.Contains(tc.want, "web address"):
				scope = "invalid message" // one person's value says nothing about the others'
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || codeOf(err) != scope {
				t.Errorf("%v (%s), want %q, %s", err, codeOf(err), tc.want, scope)
			}
		})
	}
}

func TestNobodyForgesASlot(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	text := common()
	text.ID = "forged"
	// A stranger's text can look like anything but the word that this composition made up.
	text.Body = sdk.Body{sdk.Paragraph(sdk.Text("slotaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \ufdd0 unsubscribe {{unsubscribe}} %7Bunsubscribe%7D"))}
	text.Links = nil
	got := readLetter(t, build(t, c, message(t, "d1", text, slots("a"))).data)
	if strings.Contains(got.plain+got.html, unsubscribe) {
		t.Errorf("the text reached the person's own address:\n%s", got.plain)
	}
	if !strings.Contains(got.plain, "slotaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") {
		t.Errorf("the text was changed:\n%s", got.plain)
	}
}

func TestButtons(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	m := sdk.NewDirectMessage(sdktest.Permit(t, "d1", Medium, "a"+sdktest.AddressDomain), sdk.MessageContent{Common: common(), Slots: slots("a"),
		Buttons: [][]sdk.Button{{{Text: "Suivre <le> colis", URL: "https://news.example/c?a=1&b=2"}, {Text: "Répondre", Data: "x"}}}})
	got := readLetter(t, build(t, c, m).data)
	if !strings.Contains(got.plain, "\nSuivre <le> colis <https://news.example/c?a=1&b=2>\n") ||
		!strings.Contains(got.html, `<p class="act"><a href="https://news.example/c?a=1&amp;b=2">Suivre &lt;le&gt; colis</a></p>`) {
		t.Errorf("%s\n%s", got.plain, got.html)
	}
	if strings.Contains(got.plain+got.html, "Répondre") {
		t.Error("a button that a mail cannot have is shown")
	}
}

func TestComposedOnce(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	a, err := c.letter(common())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.letter(common()); err != nil || a != b {
		t.Errorf("the same text was composed again: %v", err)
	}
	for i := range 2 * maxLetters {
		text := common()
		text.ID = strings.Repeat("x", i+1)
		if _, err := c.letter(text); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.letters.byID) > maxLetters {
		t.Errorf("%d letters are kept", len(c.letters.byID))
	}
}

func TestDKIM(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]any{
		"RSA": {rsaKey()}, "Ed25519": {edKey()}, "both": {rsaKey(), edKey()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var list []any
			for i, k := range keys {
				list = append(list, map[string]any{"domain": "news.example", "selector": string(rune('a' + i)), "key": pkcs8(t, k)})
			}
			c := offline(t, map[string]any{"dkim": list, "feedback_id": "gazette"})
			for _, value := range []string{"", "Anna", "  spaces   and\ttabs \n\n lines  \n", strings.Repeat("é ", 300), ".\n..\n.", "From me"} {
				m := message(t, "d1", common(), slots(value))
				data := build(t, c, m).data
				found := verify(t, c, data)
				if len(found) != len(keys) {
					t.Fatalf("%d signatures", len(found))
				}
				for _, v := range found {
					if v.Err != nil || v.Domain != "news.example" {
						t.Errorf("%q: %v\n%s", value, v.Err, data)
					}
					for _, want := range []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id", "List-Unsubscribe",
						"List-Unsubscribe-Post", "Feedback-ID", "Auto-Submitted"} {
						n := 0
						for _, k := range v.HeaderKeys {
							if strings.EqualFold(k, want) {
								n++
							}
						}
						wantN := 1
						if want == "From" || want == "To" || want == "Subject" || want == "Date" {
							wantN = 2
						}
						if n != wantN {
							t.Errorf("%s is signed %d times, want %d", want, n, wantN)
						}
					}
				}
				for what, forged := range map[string]string{
					"a second From": "From: x@y.example\r\n" + string(data), "a second Subject": "Subject: x\r\n" + string(data),
					"a changed body":    strings.Replace(string(data), "trafic", "Trafic", 2),
					"a changed way out": strings.Replace(string(data), "/leave/k1", "/leave/k2", 1),
				} {
					for _, v := range verify(t, c, []byte(forged)) {
						if v.Err == nil {
							t.Errorf("the signature holds with %s", what)
						}
					}
				}
			}
		})
	}
}

var spaces = regexp.MustCompile(`\s+`)

// FuzzSplice: whatever a value is, both parts decode to it, cleaned, and every line keeps its length.
func FuzzSplice(f *testing.F) {
	for _, s := range []string{"", "Anna", "a=b", "é", ".", "\n.\n", "--part", strings.Repeat("x", 200), strings.Repeat("é", 100), "a \n b\t", "\r\n\r\n.\r\nMAIL", "\xff\xfe",
		"<a href=\"x\">&amp;'", "From a\nFrom b", strings.Repeat(" ", 90), "\u202edrow", "=?utf-8?q?x?="} {
		f.Add(s, s)
	}
	c := offline(f, map[string]any{"dkim": []any{map[string]any{"domain": "news.example", "selector": "a", "key": pkcs8(f, edKey())}}})
	f.Fuzz(func(t *testing.T, a, b string) {
		text := &sdk.Common{ID: "fuzz", Subject: "s", Body: sdk.Body{sdk.Paragraph(sdk.Text("[" + sdk.Slot("a") + sdk.Slot("b") + "] " + sdk.Slot("a")))}}
		data := build(t, c, message(t, "d1", text, map[string]string{"a": a, "b": b})).data
		if strings.Contains("\r\n"+string(data), "\r\n.") {
			t.Fatalf("a line begins with a full stop:\n%s", data)
		}
		got := readLetter(t, data)
		a, b = clean(a), clean(b)
		if want := "[" + a + b + "] " + a + "\n"; got.plain != want {
			t.Fatalf("plain %q, want %q", got.plain, want)
		}
		for _, v := range verify(t, c, data) {
			if v.Err != nil {
				t.Fatal(v.Err)
			}
		}
		esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;", "\n", "<br>\n")
		if want := "<p>[" + esc.Replace(a) + esc.Replace(b) + "] " + esc.Replace(a) + "</p>"; !strings.Contains(got.html, want) {
			t.Fatalf("the page has no %q:\n%s", want, spaces.ReplaceAllString(got.html, " "))
		}
	})
}

func BenchmarkSplice(b *testing.B) {
	for name, more := range map[string]map[string]any{
		"plain":   nil,
		"ed25519": {"dkim": []any{map[string]any{"domain": "news.example", "selector": "a", "key": pkcs8(b, edKey())}}},
		"rsa":     {"dkim": []any{map[string]any{"domain": "news.example", "selector": "a", "key": pkcs8(b, rsaKey())}}},
	} {
		b.Run(name, func(b *testing.B) {
			c := offline(b, more)
			a := &assembler{c: c}
			m := message(b, "d1", common(), slots("Ève"))
			var room []byte
			b.ReportAllocs()
			for b.Loop() {
				out, err := a.build(m, room)
				if err != nil {
					b.Fatal(err)
				}
				room = out.data
			}
		})
	}
}

// TestTheSubjectIsAHeading: the line that repeats the subject is one in the page, and stays what it was in plain text.
func TestTheSubjectIsAHeading(t *testing.T) {
	t.Parallel()
	c := offline(t, nil)
	text := sdk.Paragraph(sdk.Text("Le trafic est interrompu."))
	for name, tt := range map[string]struct {
		first sdk.Node
		want  string
	}{
		"the subject in bold": {sdk.Paragraph(sdk.Strong(sdk.Text("Gare & co"))), "<h1>Gare &amp; co</h1>"},
		"other words":         {sdk.Paragraph(sdk.Strong(sdk.Text("Rectificatif"))), "<p><strong>Rectificatif</strong></p>"},
		"more behind it":      {sdk.Paragraph(sdk.Strong(sdk.Text("Gare & co")), sdk.Text(" !")), "<p><strong>Gare &amp; co</strong> !</p>"},
		"plain":               {sdk.Paragraph(sdk.Text("Gare & co")), "<p>Gare &amp; co</p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			common := sdk.Common{ID: name, Kind: sdk.CommonPost, Lang: "fr", Subject: "Gare & co", Body: sdk.Body{tt.first, text}, List: sdk.List{ID: "alertes", Title: "Alertes"}}
			got := readLetter(t, build(t, c, message(t, "d1", &common, slots("Ève"))).data)
			if !strings.Contains(got.html, tt.want) || strings.Contains(got.html, "<h1>") != strings.HasPrefix(tt.want, "<h1>") {
				t.Errorf("the page has no %q:\n%s", tt.want, got.html)
			}
			if !strings.HasPrefix(got.plain, "Gare & co") && !strings.HasPrefix(got.plain, "Rectificatif") {
				t.Errorf("plain text begins otherwise:\n%s", got.plain)
			}
		})
	}
}
