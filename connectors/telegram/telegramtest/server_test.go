package telegramtest_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
)

const token = "123456:test-token"

func server() *telegramtest.Server {
	admin := telegramtest.Member{Status: "administrator", PostMessages: true}
	return telegramtest.New(telegramtest.Options{Chats: []telegramtest.Chat{
		{ID: -100, Type: "channel", Title: "La Gazette", Username: "gazette", Bot: admin},
		{ID: -101, Type: "channel", Title: "Dehors", Bot: telegramtest.Member{Status: "left"}},
		{ID: -102, Type: "group", Title: "Fermé", Closed: true, Bot: admin},
		{ID: 7, Type: "private", Username: "anna", Bot: telegramtest.Member{Status: "member"}},
		{ID: 8, Type: "private", Bot: telegramtest.Member{Status: "kicked"}},
		{ID: 9, Type: "private"},
		{ID: 10, Type: "private", Closed: true},
	}})
}

// call sends JSON and gives the status and the description, or the result.
func call(t *testing.T, s http.Handler, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return do(t, s, r)
}

func do(t *testing.T, s http.Handler, r *http.Request) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var got struct {
		OK          bool
		Description string
		Result      json.RawMessage
		ErrorCode   int `json:"error_code"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if got.OK {
		return w.Code, string(got.Result)
	}
	if got.ErrorCode != w.Code {
		t.Errorf("status %d, error_code %d", w.Code, got.ErrorCode)
	}
	return w.Code, got.Description
}

func form(t *testing.T, fields map[string]string, files map[string][]byte) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		p, err := w.CreateFormFile(name, name+".png")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/bot"+token+"/sendPhoto", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func picture(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, body string
		code       int
		says       string
	}{
		"no bot":               {"/", "{}", 404, "Not Found"},
		"a malformed token":    {"/bot123/getMe", "{}", 404, "Not Found"},
		"another token":        {"/bot123456:other/getMe", "{}", 401, "Unauthorized"},
		"an unknown method":    {"sendPoll", "{}", 404, "Not Found: method not found"},
		"a webhook in plain":   {"setWebhook", `{"url":"http://x.example/"}`, 400, "HTTPS URL must be provided"},
		"a webhook's port":     {"setWebhook", `{"url":"https://x.example:8080/"}`, 400, "only on ports 80, 88, 443 or 8443"},
		"a webhook's secret":   {"setWebhook", `{"url":"https://x.example/","secret_token":"a b"}`, 400, "unallowed characters"},
		"too many connections": {"setWebhook", `{"url":"https://x.example/","max_connections":101}`, 400, "max_connections"},
		"an unknown query":     {"answerCallbackQuery", `{"callback_query_id":"7"}`, 400, "query is too old"},
		"a bad command":        {"setMyCommands", `{"commands":[{"command":"a-b","description":"x"}]}`, 400, "BOT_COMMAND_INVALID"},
		"an empty command":     {"setMyCommands", `{"commands":[{"command":"a","description":""}]}`, 400, "DESCRIPTION_INVALID"},
		"a long language":      {"setMyCommands", `{"commands":[],"language_code":"fr-FR"}`, 400, "language_code"},
		"long button data": {"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"x","callback_data":"` +
			strings.Repeat("x", 65) + `"}]]}}`, 400, "BUTTON_DATA_INVALID"},
		"a button of nothing": {"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"x"}]]}}`, 400,
			"Text buttons are unallowed"},
		"a button's script": {"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"x","url":"javascript:x"}]]}}`,
			400, "Wrong HTTP URL"},
		"another keyboard": {"sendMessage", `{"chat_id":7,"text":"x","reply_markup":{"keyboard":[]}}`, 400, "can't parse reply_markup"},
		"a long message":   {"sendMessage", `{"chat_id":7,"text":"` + strings.Repeat("é", 4097) + `"}`, 400, "message is too long"},
		"a named entity":   {"sendMessage", `{"chat_id":7,"text":"&nbsp;<p>","parse_mode":"HTML"}`, 400, "can't parse entities"},
		"no poll of words": {"getUpdates", `{"limit":"many"}`, 400, "invalid limit"},
		"no JSON":          {"getMe", "[]", 400, "can't parse JSON object"},
		"unknown parameters": {"sendMessage", `{"chat_id":-100,"text":"x","silent":true}`, 400,
			`unknown parameter "silent"`},
		"paid sending": {"sendMessage", `{"chat_id":-100,"text":"x","allow_paid_broadcast":true}`, 400,
			"unknown parameter"},
		"no chat":         {"sendMessage", `{"text":"x"}`, 400, "chat_id is empty"},
		"an unknown chat": {"sendMessage", `{"chat_id":"@nobody","text":"x"}`, 400, "chat not found"},
		"a person's name": {"sendMessage", `{"chat_id":"@anna","text":"x"}`, 400, "chat not found"},
		"not a member": {"sendMessage", `{"chat_id":-101,"text":"x"}`, 403,
			"Forbidden: bot is not a member of the channel chat"},
		"a deleted group": {"sendMessage", `{"chat_id":-102,"text":"x"}`, 403, "Forbidden: the group chat was deleted"},
		"a blocked bot":   {"sendMessage", `{"chat_id":8,"text":"x"}`, 403, "Forbidden: bot was blocked by the user"},
		"a stranger": {"sendMessage", `{"chat_id":9,"text":"x"}`, 403,
			"Forbidden: bot can't initiate conversation with a user"},
		"a deactivated user": {"sendMessage", `{"chat_id":10,"text":"x"}`, 403, "Forbidden: user is deactivated"},
		"no text":            {"sendMessage", `{"chat_id":-100}`, 400, "message text is empty"},
		"nothing visible": {"sendMessage", `{"chat_id":-100,"text":"<b> </b>","parse_mode":"HTML"}`, 400,
			"message text is empty"},
		"an unclosed tag": {"sendMessage", `{"chat_id":-100,"text":"<b>x","parse_mode":"HTML"}`, 400,
			"can't parse entities"},
		"an unknown tag": {"sendMessage", `{"chat_id":-100,"text":"<p>x</p>","parse_mode":"HTML"}`, 400,
			"can't parse entities"},
		"an unescaped mark": {"sendMessage", `{"chat_id":-100,"text":"x.","parse_mode":"MarkdownV2"}`, 400,
			"can't parse entities"},
		"another mode": {"sendMessage", `{"chat_id":-100,"text":"x","parse_mode":"Markdown"}`, 400,
			"unsupported parse_mode"},
		"too long": {"sendMessage", `{"chat_id":-100,"text":"` + strings.Repeat("x", 4097) + `"}`, 400,
			"message is too long"},
		"too long in UTF-16": {"sendMessage", `{"chat_id":-100,"text":"` + strings.Repeat("😀", 2049) + `"}`, 400,
			"message is too long"},
		"a flag that is none": {"sendMessage", `{"chat_id":-100,"text":"x","disable_notification":"maybe"}`, 400,
			`parameter "disable_notification" must be a boolean`},
		"an unknown option": {"sendMessage", `{"chat_id":-100,"text":"x","link_preview_options":{"off":true}}`, 400,
			"can't parse link_preview_options"},
		"an answer to nobody": {"sendMessage", `{"chat_id":-100,"text":"x","reply_parameters":{"message_id":5}}`, 400,
			"message to be replied not found"},
		"no photo": {"sendPhoto", `{"chat_id":-100}`, 400, "there is no photo in the request"},
		"a photo by address": {"sendPhoto", `{"chat_id":-100,"photo":"https://news.example/a.jpg"}`, 400,
			"failed to get HTTP URL content"},
		"an unknown file":  {"sendPhoto", `{"chat_id":-100,"photo":"AgAC"}`, 400, "wrong remote file identifier"},
		"a missing upload": {"sendPhoto", `{"chat_id":-100,"photo":"attach://photo1"}`, 400, `can't find field "photo1"`},
		"an album of one": {"sendMediaGroup", `{"chat_id":-100,"media":[{"type":"photo","media":"attach://a"}]}`, 400,
			"media group must include 2-10 items"},
		"an album of films": {"sendMediaGroup",
			`{"chat_id":-100,"media":[{"type":"video","media":"a"},{"type":"video","media":"b"}]}`, 400,
			"media of type photo only"},
		"an edit of nothing": {"editMessageText", `{"chat_id":-100,"message_id":5,"text":"x"}`, 400,
			"message to edit not found"},
		"nothing to delete": {"deleteMessage", `{"chat_id":-100,"message_id":5}`, 400, "message to delete not found"},
		"none to delete":    {"deleteMessages", `{"chat_id":-100,"message_ids":[]}`, 400, "1 to 100 message identifiers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, path := server(), c.path
			if !strings.HasPrefix(path, "/") {
				path = "/bot" + token + "/" + path
			}
			code, says := call(t, s, path, c.body)
			if code != c.code || !strings.Contains(says, c.says) {
				t.Errorf("got %d %s, want %d %s", code, says, c.code, c.says)
			}
			for _, chat := range s.State().Chats {
				if len(chat.Messages) > 0 {
					t.Errorf("a refused call left %+v", chat.Messages)
				}
			}
		})
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode, text, visible string
		html                string // empty: not looked at
	}{
		"plain": {"", "a <b> *c*", "a <b> *c*", "<p>a &lt;b&gt; *c*</p>"},
		"HTML": {"HTML", `<b>a</b> &lt;b&gt; <a href="https://x.example/?a=1&amp;b=2">c</a>`, "a <b> c",
			`<p><strong>a</strong> &lt;b&gt; <a href="https://x.example/?a=1&amp;b=2">c</a></p>`},
		"MarkdownV2": {"MarkdownV2", `*a* \<b\> [c](https://x.example/\)) \- ` + "`d*e`", "a <b> c - d*e",
			`<p><strong>a</strong> &lt;b&gt; <a href="https://x.example/)">c</a> - <code>d*e</code></p>`},
		"a quotation": {"MarkdownV2", ">a\n>b\n\nc \\> d", "a\nb\n\nc > d", ""},
		"a program":   {"MarkdownV2", "```go\na := *b\n```", "a := *b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server()
			body, err := json.Marshal(map[string]any{"chat_id": -100, "text": c.text, "parse_mode": c.mode})
			if err != nil {
				t.Fatal(err)
			}
			if code, says := call(t, s, "/bot"+token+"/sendMessage", string(body)); code != 200 {
				t.Fatalf("%d %s", code, says)
			}
			m := s.Messages(-100)[0]
			if c.html == "" {
				c.html = m.HTML
			}
			if diff := cmp.Diff([]string{c.visible, c.html}, []string{m.Text, m.HTML}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhotos(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		code int
		says string
	}{
		"a picture":    {picture(t, 40, 30), 200, `"file_id"`},
		"a long one":   {picture(t, 42, 2), 400, "PHOTO_INVALID_DIMENSIONS"},
		"a large one":  {picture(t, 9000, 1001), 400, "PHOTO_INVALID_DIMENSIONS"},
		"no picture":   {[]byte("<html>"), 400, "IMAGE_PROCESS_FAILED"},
		"nothing":      {nil, 400, "file must be non-empty"},
		"11 megabytes": {append(picture(t, 4, 3), make([]byte, 11<<20)...), 400, "file is too big"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server()
			code, says := do(t, s, form(t, map[string]string{"chat_id": "-100", "photo": "attach://p", "caption": "x"},
				map[string][]byte{"p": c.data}))
			if code != c.code || !strings.Contains(says, c.says) {
				t.Fatalf("got %d %s", code, says)
			}
			if c.code != 200 {
				return
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, s.Messages(-100)[0].Photo.Path, nil))
			if got, _ := io.ReadAll(w.Body); w.Code != 200 || !bytes.Equal(got, c.data) || w.Header().Get("Content-Type") != "image/png" {
				t.Errorf("%d, %d bytes of %s", w.Code, len(got), w.Header().Get("Content-Type"))
			}
		})
	}
	s := server()
	unused := map[string][]byte{"p": picture(t, 4, 3), "q": picture(t, 4, 3)}
	if code, says := do(t, s, form(t, map[string]string{"chat_id": "-100", "photo": "attach://p"}, unused)); code != 400 || !strings.Contains(says, `the file "q" is not used`) || len(s.Messages(-100)) > 0 {
		t.Errorf("got %d %s", code, says)
	}
}
