package telegramtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
)

func at(path string) string { return "/bot" + token + "/" + path }

// updates polls, and gives the number and the kind of each.
func updates(t *testing.T, s http.Handler, parameters string) (ids []int64, kinds []string) {
	t.Helper()
	code, result := call(t, s, at("getUpdates"), parameters)
	var list []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(result), &list); code != 200 || err != nil {
		t.Fatalf("%d %s", code, result)
	}
	for _, u := range list {
		for name, value := range u {
			if name != "update_id" {
				kinds = append(kinds, name)
				continue
			}
			var id int64
			if err := json.Unmarshal(value, &id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	return ids, kinds
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An update stays until a call names a higher one, and is then gone for every call.
func TestOffsets(t *testing.T) {
	t.Parallel()
	s := server()
	for _, text := range []string{"one", "two", "three"} {
		must(t, s.Say(7, text))
	}
	all, _ := updates(t, s, `{}`)
	again, _ := updates(t, s, `{"limit":2}`)
	if diff := cmp.Diff(all[:2], again); diff != "" || len(all) != 3 {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	after, _ := updates(t, s, `{"offset":`+strconv.FormatInt(all[1], 10)+`}`)
	if diff := cmp.Diff(all[1:], after); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What was confirmed does not come back by asking for less.
	back, _ := updates(t, s, `{"offset":`+strconv.FormatInt(all[0], 10)+`}`)
	last, _ := updates(t, s, `{"offset":-1}`)
	if diff := cmp.Diff([][]int64{all[1:], all[2:]}, [][]int64{back, last}); diff != "" || s.Waiting() != 1 {
		t.Errorf("%d wait (-want +got):\n%s", s.Waiting(), diff)
	}
}

func TestKindsOfUpdates(t *testing.T) {
	t.Parallel()
	s := server()
	updates(t, s, `{"allowed_updates":["my_chat_member"]}`)
	must(t, s.Say(7, "not wanted"))
	must(t, s.Block(7))
	if _, kinds := updates(t, s, `{}`); len(kinds) != 1 || kinds[0] != "my_chat_member" {
		t.Errorf("got %q", kinds)
	}
	updates(t, s, `{"allowed_updates":[]}`) // the usual ones again
	must(t, s.Unblock(7))
	must(t, s.Say(7, "wanted"))
	if _, kinds := updates(t, s, `{}`); len(kinds) != 3 {
		t.Errorf("got %q", kinds)
	}
}

func TestUpdatesOfADay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	s := telegramtest.New(telegramtest.Options{Now: func() time.Time { return now },
		Chats: []telegramtest.Chat{{ID: 7, Type: "private"}}})
	must(t, s.Say(7, "one"))
	now = now.Add(24*time.Hour + time.Second)
	must(t, s.Say(7, "two"))
	if ids, _ := updates(t, s, `{}`); len(ids) != 1 {
		t.Errorf("%d updates", len(ids))
	}
}

// Somebody is written to only after they wrote, and not while they block the bot.
func TestWhoCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	s := server()
	send := func() (int, string) { return call(t, s, at("sendMessage"), `{"chat_id":9,"text":"x"}`) }
	if code, says := send(); code != 403 || !strings.Contains(says, "can't initiate conversation") {
		t.Errorf("%d %s", code, says)
	}
	must(t, s.Say(9, "/start"))
	if code, says := send(); code != 200 {
		t.Errorf("%d %s", code, says)
	}
	must(t, s.Block(9))
	if code, says := send(); code != 403 || !strings.Contains(says, "blocked by the user") {
		t.Errorf("%d %s", code, says)
	}
	for name, err := range map[string]error{"a message of who blocked": s.Say(9, "x"), "blocking twice": s.Block(9), "nobody": s.Say(99, "x"),
		"a deactivated person": s.Say(10, "x"), "a group": s.Say(-100, "x"), "unblocking who did not block": s.Unblock(7)} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	must(t, s.Unblock(9))
	if code, says := send(); code != 200 {
		t.Errorf("%d %s", code, says)
	}
}

func TestButtons(t *testing.T) {
	t.Parallel()
	s := server()
	if code, says := call(t, s, at("sendMessage"), `{"chat_id":7,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":"d"}]]}}`); code != 200 {
		t.Fatalf("%d %s", code, says)
	}
	id := s.Messages(7)[0].ID
	if _, err := s.Press(7, id, "another"); err == nil {
		t.Error("a button that is not there was pressed")
	}
	query, err := s.Press(7, id, "d")
	must(t, err)
	answer := `{"callback_query_id":"` + query + `"}`
	if code, says := call(t, s, at("answerCallbackQuery"), answer); code != 200 || !s.Answered(query) {
		t.Errorf("%d %s", code, says)
	}
	if code, says := call(t, s, at("answerCallbackQuery"), answer); code != 400 {
		t.Errorf("the second answer: %d %s", code, says)
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := server()
	must(t, s.Say(7, "one"))
	if code, says := call(t, s, at("setWebhook"), `{"url":"https://x.example/hook","secret_token":"s"}`); code != 200 {
		t.Fatalf("%d %s", code, says)
	}
	if code, says := call(t, s, at("getUpdates"), `{}`); code != 409 || !strings.Contains(says, "webhook is active") {
		t.Errorf("%d %s", code, says)
	}
	if _, says := call(t, s, at("getWebhookInfo"), `{}`); !strings.Contains(says, `"pending_update_count":1`) {
		t.Errorf("%s", says)
	}
	status := 500
	deliver := func() (int, error) {
		return s.Deliver(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("X-Telegram-Bot-Api-Secret-Token") != "s" || r.URL.String() != "https://x.example/hook" {
				t.Errorf("called %s with %v", r.URL, r.Header)
			}
			w := httptest.NewRecorder()
			w.WriteHeader(status)
			return w.Result(), nil
		})
	}
	for _, want := range []int{500, 200, 0} {
		if got, err := deliver(); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
		status = 200
	}
	must(t, s.Say(7, "two"))
	if code, says := call(t, s, at("deleteWebhook"), `{"drop_pending_updates":true}`); code != 200 || s.Waiting() != 0 {
		t.Errorf("%d %s, %d wait", code, says, s.Waiting())
	}
	if _, err := deliver(); err == nil {
		t.Error("a webhook that was taken away is called")
	}
}

// A second poll ends the first one.
func TestTwoPolls(t *testing.T) {
	t.Parallel()
	s := server()
	polling := s.Polling()
	over := make(chan string, 1)
	go func() {
		r := httptest.NewRequest(http.MethodPost, at("getUpdates"), strings.NewReader(`{"timeout":50}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		over <- w.Body.String()
	}()
	<-polling
	updates(t, s, `{}`)
	if says := <-over; !strings.Contains(says, "409") || !strings.Contains(says, "terminated by other getUpdates") {
		t.Errorf("the first poll says %s", says)
	}
}
