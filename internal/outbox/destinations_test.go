package outbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	wirefault "github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// trouble is one bad day of a receiver: the first post meets it, and a second one waits behind.
type trouble struct {
	name string
	// fault happens once, or to every call while it lasts when its Every is set. Telegram's own form may differ.
	fault, telegram wirefault.Fault
	// deserted says that nobody listens, in place of a fault.
	deserted bool
	// dated waits for a date: a Retry-After header is set to this long after the post.
	dated time.Duration

	// on are what becomes of it on the receivers; one that is missing is not tried.
	on map[string]becomes
}

// becomes is what is seen of a trouble.
type becomes struct {
	// state of the first post soon after its call (look), and how long after the call it is tried next, within a bound.
	state      string
	look       time.Duration
	next, most time.Duration
	// shown is what the receiver shows by then, besides what it showed before.
	shown []string
	// alert that is open later on (by), with words of its sentence and of what mends it; none is open without a code.
	alert      alert.Code
	by         time.Duration
	says, mend string
	// person is what a person does once the trouble is over: nothing, check, resume, resend, or resolve as it is there.
	person string
	// all is what the receiver shows in the end; once each, in this order. In order unless given.
	all []string
}

var inOrder = []string{"one", "two"}

const soon = 1500 * time.Millisecond

// everywhere is the same on every receiver, website the same on those of type http.
func everywhere(b becomes) map[string]becomes {
	return map[string]becomes{"standard": b, "custom": b, "telegram": b}
}

func website(b becomes) map[string]becomes { return map[string]becomes{"standard": b, "custom": b} }

// unclear is what becomes of a call that may have arrived: a receiver that knows calls again settles it by itself, a
// person looks at the others.
func unclear(look time.Duration, arrived bool, says string) map[string]becomes {
	// The look comes before the repetition, which is a matter of seconds.
	before := 100*time.Millisecond + look.Truncate(time.Second)
	if look > 15*time.Second {
		before = 15*time.Second + 100*time.Millisecond
	}
	alone := becomes{state: "unknown (unknown_outcome) or pending (unknown_outcome)", look: before, most: look + 3*time.Second, shown: []string{"two"}, all: []string{"two", "one"}}
	asked := becomes{state: "unknown asked (unknown_outcome)", look: look, shown: []string{}, alert: alert.OutcomeUnknown, says: says,
		mend: "look there, then say so: belfry post resolve", person: "resolve"}
	if arrived {
		alone.shown, alone.all, asked.shown = inOrder, inOrder, []string{"one"}
	}
	return map[string]becomes{"standard": alone, "custom": asked, "telegram": asked}
}

func answers(status int, body string, header ...string) wirefault.Fault {
	f := wirefault.Fault{Status: status, Header: http.Header{}, Body: body}
	if strings.HasPrefix(body, "{") {
		f.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		f.Header.Set(header[i], header[i+1])
	}
	return f
}

// lasting happens to every call until it is cleared.
func lasting(f wirefault.Fault) wirefault.Fault { f.Every = 1; return f }

func waits(after time.Duration, says string) becomes {
	b := becomes{state: "pending (rate_limited)", next: after, most: after, shown: []string{}}
	if after >= 15*time.Minute {
		b.alert, b.says, b.mend, b.person = alert.DestinationDown, says, "belfry destination check hook", "check"
	}
	return b
}

const signIn = "<!doctype html><title>Sign in</title><p>Who are you?"

func troubles() []trouble {
	moved := func(status int) wirefault.Fault {
		return lasting(answers(status, "", "Location", "https://elsewhere.example/hook?token=secret"))
	}
	redirected := func(status int) trouble {
		return trouble{name: fmt.Sprintf("%d to another host", status), fault: moved(status), on: map[string]becomes{
			"standard": {state: "pending (unknown_outcome)", next: time.Millisecond, most: 4 * time.Second, shown: []string{}, by: 6 * time.Minute,
				alert: alert.DestinationDown, says: "sends on to elsewhere.example", mend: "belfry destination check hook"},
			"custom": unclear(soon, false, "ops.example sends on to elsewhere.example")["custom"],
		}}
	}
	stopped := func(says, mend string) becomes {
		return becomes{state: "", shown: []string{}, by: 2 * time.Minute, alert: alert.DestinationStop, says: says, mend: mend, person: "check"}
	}
	is := func(b becomes, state string) becomes { b.state = state; return b }
	passing := becomes{state: "pending (unavailable)", look: 1100 * time.Millisecond, next: time.Second, most: 3 * time.Second, shown: []string{"two"}, all: []string{"two", "one"}}
	refusedFor := func(says string) becomes {
		return becomes{state: "failed (invalid)", shown: []string{"two"}, alert: alert.PostFailed, says: says, mend: "belfry post resend", person: "resend",
			all: []string{"two", "one"}}
	}
	list := []trouble{
		{name: "429 with seconds", fault: answers(429, "", "Retry-After", "90"), telegram: telegramtest.Refusal(429, "Too Many Requests: retry after 90", 90, 0),
			on: everywhere(waits(90*time.Second, ""))},
		{name: "429 with a date", fault: answers(429, ""), telegram: telegramtest.Refusal(429, "Too Many Requests", 0, 0), dated: 20 * time.Minute,
			on: everywhere(waits(20*time.Minute, "asks to be left alone until 2000-01-01 00:20 UTC"))},
		{name: "429 with a wait of millennia", fault: answers(429, "", "Retry-After", "99999999999"),
			telegram: telegramtest.Refusal(429, "Too Many Requests: retry after 99999999999", 99999999999, 0),
			on:       everywhere(waits(24*time.Hour, "asks to be left alone for longer than 1d, and is tried again at 2000-01-02 00:00 UTC"))},
		{name: "429 with a negative wait", fault: answers(429, `{"retry_after":-3}`, "Retry-After", "-5"),
			telegram: answers(429, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":-5}}`),
			on:       everywhere(becomes{state: "pending (rate_limited)", look: 500 * time.Millisecond, next: time.Second, most: 2300 * time.Millisecond, shown: []string{}})},
		{name: "429 without a wait", fault: answers(429, ""), telegram: telegramtest.Refusal(429, "Too Many Requests", 0, 0),
			on: everywhere(becomes{state: "pending (rate_limited)", look: 500 * time.Millisecond, next: time.Second, most: 2300 * time.Millisecond, shown: []string{}})},
		{name: "429 with a wait in the body", fault: answers(429, `{"message":"slow down","retry_after":40.5}`),
			telegram: answers(429, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":40.5}}`),
			on:       everywhere(waits(40500*time.Millisecond, ""))},
		{name: "429 for minutes", fault: lasting(answers(429, "", "Retry-After", "60")), telegram: lasting(telegramtest.Refusal(429, "Too Many Requests: retry after 60", 60, 0)),
			on: everywhere(becomes{state: "pending (rate_limited)", next: time.Minute, most: time.Minute, shown: []string{}, by: 6 * time.Minute, alert: alert.DestinationDown,
				says: "destination hook fails: ", mend: "belfry destination check hook"})},
		{name: "503 with seconds", fault: answers(503, "", "Retry-After", "120"), telegram: telegramtest.Refusal(503, "Service Unavailable", 0, 0), on: map[string]becomes{
			"standard": {state: "pending (unavailable)", next: 2 * time.Minute, most: 2 * time.Minute, shown: []string{}},
			"custom":   {state: "pending (unavailable)", next: 2 * time.Minute, most: 2 * time.Minute, shown: []string{}},
			"telegram": unclear(soon, false, "Telegram failed while it took the post")["telegram"]}},
		{name: "500", fault: answers(500, ""), telegram: telegramtest.Refusal(500, "Internal Server Error", 0, 0), on: unclear(soon, false, "failed ")},
		{name: "408", fault: answers(408, ""), on: website(passing)},
		{name: "425", fault: answers(425, ""), on: website(passing)},
		{name: "nobody listens", deserted: true, on: everywhere(becomes{state: "pending (unavailable)", next: time.Second, most: 3 * time.Second, shown: []string{},
			by: 6 * time.Minute, alert: alert.DestinationDown, says: ".example refuses connections", mend: "belfry destination check hook"})},
		{name: "503 for a day and a wait of an hour", fault: lasting(answers(503, "", "Retry-After", "3600")),
			on: website(becomes{state: "pending (unavailable)", next: time.Hour, most: time.Hour, shown: []string{}, by: 2 * time.Minute,
				alert: alert.DestinationDown, says: "asks to be left alone until 2000-01-01 01:00 UTC", mend: "belfry destination check hook", person: "resume"})},

		{name: "no answer", fault: wirefault.Fault{Before: time.Hour}, on: unclear(17*time.Second, false, ".example did not answer in time; whether it arrived is not known, and the platform cannot tell")},
		{name: "no answer to what was taken", fault: wirefault.Fault{After: time.Hour}, on: unclear(17*time.Second, true, "did not answer in time")},
		{name: "a reset before the call was taken", fault: wirefault.Fault{Drop: true}, on: unclear(soon, false, "broke off the connection")},
		{name: "a reset after the call was taken", fault: wirefault.Fault{Drop: true, Accepted: true}, on: unclear(soon, true, "broke off the connection")},
		{name: "half an answer", fault: wirefault.Fault{Half: true, Accepted: true}, on: unclear(soon, true, "; whether it ")},
		{name: "an answer that drips too slowly", fault: wirefault.Fault{Drip: 2 * time.Second, Accepted: true}, on: unclear(17*time.Second, true, "; whether it ")},
		{name: "an answer that drips and arrives", fault: wirefault.Fault{Drip: 2 * time.Millisecond},
			on: everywhere(becomes{state: "sent", shown: inOrder})},

		{name: "200 with a page", fault: answers(200, signIn, "Content-Type", "text/html"), on: unclear(soon, false, " 200 OK")},
		{name: "200 with an empty body", fault: wirefault.Fault{Status: 200, Accepted: true}, on: map[string]becomes{
			"standard": {state: "sent", shown: inOrder}, "custom": {state: "sent", shown: inOrder}, "telegram": unclear(soon, true, "answered 200 OK, but not as the Bot API does")["telegram"]}},
		{name: "200 with a no", fault: answers(200, `{"ok":false}`), on: map[string]becomes{
			"standard": refusedFor("ops.example answers 200 OK but refuses: ok is false"), "custom": refusedFor("ops.example answers 200 OK but refuses: ok is false"),
			"telegram": unclear(soon, false, "answered 200 OK, but not as the Bot API does")["telegram"]}},
		{name: "200 with an error", fault: answers(200, `{"error":"quota"}`), on: unclear(soon, false, " 200 OK")},

		{name: "301 to another host", fault: moved(301), on: website(is(stopped("has moved to elsewhere.example", "write the new address into url:"), "pending (forbidden)"))},
		{name: "308 to another host", fault: moved(308), on: website(is(stopped("has moved to elsewhere.example", "write the new address into url:"), "pending (forbidden)"))},
		{name: "307 to another host", fault: moved(307), on: website(becomes{state: "pending (unavailable)", next: time.Second, most: 3 * time.Second, shown: []string{},
			by: 6 * time.Minute, alert: alert.DestinationDown, says: "sends on to elsewhere.example", mend: "belfry destination check hook"})},
		redirected(302), redirected(303),
		{name: "302 in place of the Bot API", fault: moved(302), on: map[string]becomes{"telegram": {state: "pending (unavailable)", next: time.Second,
			most: 3 * time.Second, shown: []string{}, by: 6 * time.Minute, alert: alert.DestinationDown, says: "api.example sends on to elsewhere.example",
			mend: "belfry destination check hook"}}},

		{name: "401", fault: lasting(answers(401, "")), telegram: lasting(telegramtest.Refusal(401, "Unauthorized", 0, 0)), on: map[string]becomes{
			"standard": is(stopped("does not accept the credential", "belfry destination check hook"), "pending (unauthenticated)"),
			"custom":   is(stopped("does not accept the credential", "belfry destination check hook"), "pending (unauthenticated)"),
			"telegram": is(stopped("does not accept the token", "put a valid one into token:, then: belfry destination check hook"), "pending (unauthenticated)")}},
		{name: "403", fault: lasting(answers(403, "")), telegram: lasting(telegramtest.Refusal(403, "Forbidden: bot is not a member of the channel chat", 0, 0)), on: map[string]becomes{
			"standard": is(stopped("forbids the call", "belfry destination check hook"), "pending (forbidden)"),
			"custom":   is(stopped("forbids the call", "belfry destination check hook"), "pending (forbidden)"),
			"telegram": is(stopped("bot @gazette_bot may not post in @gazette", "add @gazette_bot"), "pending (forbidden)")}},
		{name: "404", fault: lasting(answers(404, "")), telegram: lasting(telegramtest.Refusal(404, "Not Found", 0, 0)), on: map[string]becomes{
			"standard": is(stopped("has nothing at this address (404 Not Found)", "check url:, then: belfry destination check hook"), "pending (forbidden)"),
			"custom":   is(stopped("has nothing at this address (404 Not Found)", "check url:, then: belfry destination check hook"), "pending (forbidden)"),
			"telegram": is(stopped("the token is not spelt as @BotFather gave it", "belfry destination check hook"), "pending (unauthenticated)")}},
		{name: "410", fault: lasting(answers(410, "")), on: website(is(stopped("asks for no further calls (410 Gone)", "belfry destination check hook"), "pending (forbidden)"))},
		{name: "400", fault: answers(400, "no such room", "Content-Type", "text/plain"), telegram: telegramtest.Refusal(400, "Bad Request: can't parse entities", 0, 0), on: map[string]becomes{
			"standard": refusedFor("refuses the call (400 Bad Request: no such room)"), "custom": refusedFor("refuses the call (400 Bad Request: no such room)"),
			"telegram": refusedFor("Telegram refuses the text for @gazette")}},
		{name: "422", fault: answers(422, ""), on: website(refusedFor("refuses the call (422 Unprocessable Entity)"))},
		{name: "413", fault: answers(413, ""), telegram: telegramtest.Refusal(413, "Request Entity Too Large", 0, 0),
			on: everywhere(becomes{state: "failed (too_large)", shown: []string{"two"}, alert: alert.PostFailed, says: "too large", mend: "belfry post resend", person: "resend",
				all: []string{"two", "one"}})},
	}
	return list
}

// What becomes of a post on every bad day of every receiver, through the real connectors, the engine and the store: what
// the receiver took, how the delivery stands, who is told what, when it is tried again; and once the day is over,
// everything is there once.
func TestTroubles(t *testing.T) {
	t.Parallel()
	for i, x := range troubles() {
		for j, kind := range kinds {
			want, tried := x.on[kind]
			if !tried || raceEnabled && len(x.on) > 1 && (i+j)%len(x.on) != 0 {
				continue // the detector makes the store slow: with it, each day comes over one receiver only
			}
			t.Run(x.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				wired(t, func(s *stage) {
					s.adjust = func(d *outbox.Destination) { d.RetryFor = 48 * time.Hour }
					s.suffer(s.with(kind, "hook"), x, want)
				})
			})
		}
	}
}

// suffer plays one trouble on one receiver.
func (s *stage) suffer(r *receiver, x trouble, want becomes) {
	s.t.Helper()
	s.start()
	s.post("zero", r.target())
	s.pass(3 * time.Second)
	s.same("shown before", []string{"zero"}, r.shown())

	begun := time.Now()
	f := x.fault
	if r.chat != "" && (x.telegram.Status != 0) {
		f = x.telegram
	}
	if x.dated > 0 {
		f.Header = f.Header.Clone()
		// The bubble began three seconds ago, and a sentence is easier to read with a round time.
		f.Header.Set("Retry-After", begun.Add(x.dated).UTC().Truncate(time.Minute).Format(http.TimeFormat))
	}
	if x.deserted {
		r.desert(true)
	} else {
		r.faults.Add(f)
	}
	one := s.post("one", r.target())
	s.post("two", r.target())
	s.engine.Wake()
	look := want.look
	if look == 0 {
		look = soon
	}
	s.pass(look)

	d := s.deliveryOf(one)
	state := string(d.State)
	for _, more := range []string{d.Reason, bracketed(d.Code)} {
		if more != "" {
			state += " " + more
		}
	}
	if !slices.Contains(strings.Split(want.state, " or "), state) {
		s.t.Errorf("the state is %s, want %s", state, want.state)
	}
	s.same("shown", append([]string{"zero"}, want.shown...), r.shown())
	wait := d.NextAt.Sub(d.StartedAt)
	if x.dated > 0 {
		wait += begun.Sub(begun.Truncate(time.Minute)) // the header's date was rounded down
	}
	if d.State == outbox.Pending && want.most > 0 && (wait < want.next || wait > want.most+time.Second) {
		s.t.Errorf("it is tried again %s after its call, want %s to %s", wait, want.next, want.most)
	}
	if want.by > 0 {
		s.pass(want.by)
	}
	s.told(want)
	if want.alert == alert.DestinationStop {
		s.same("calls while it was stopped", 1, r.faults.Met())
	}

	r.faults.Clear()
	r.desert(false)
	s.mend(r, want.person)
	all := want.all
	if all == nil {
		all = inOrder
	}
	rest := 70 * time.Second
	if want.person == "" {
		rest += want.most // what a person mends is tried at once
	}
	s.pass(rest)
	s.same("shown in the end", append([]string{"zero"}, all...), r.shown())
	for _, state := range s.states() {
		if state != "sent" && !(want.person == "resend" && strings.HasPrefix(state, "failed ")) {
			s.t.Errorf("a delivery is %s in the end", state)
		}
	}
	s.same("alerts in the end", []string{}, s.alerts())
}

func bracketed(code string) string {
	if code == "" {
		return ""
	}
	return "(" + code + ")"
}

// told checks the alert that is open.
func (s *stage) told(want becomes) {
	s.t.Helper()
	if want.alert == "" {
		s.same("alerts", []string{}, s.alerts())
		return
	}
	a := s.alert(want.alert)
	if !strings.Contains(a.Sentence, want.says) || !strings.Contains(a.Sentence+" "+a.Mend, want.mend) || strings.Contains(a.Sentence, "token=") {
		s.t.Errorf("the alert says %q, mended by %q\nwant %q, %q", a.Sentence, a.Mend, want.says, want.mend)
	}
	if want.alert == alert.DestinationStop && a.Count != 1 {
		s.t.Errorf("it was told %d times", a.Count)
	}
}

// mend does what a person does once the trouble is over.
func (s *stage) mend(r *receiver, person string) {
	s.t.Helper()
	ctx, now := s.t.Context(), time.Now()
	switch person {
	case "check":
		s.ok(s.db.StartAgain(ctx, r.name, now))
	case "resume":
		changed, err := s.db.Resume(ctx, store.PauseDestination, r.name, "test", now)
		s.ok(err)
		if !changed {
			s.t.Error("there was nothing to resume")
		}
	case "resend":
		for _, d := range s.deliveries(store.DeliveryFilter{State: "failed"}) {
			s.ok(s.db.Resend(ctx, d.ID, "test", now))
		}
	case "resolve":
		for _, d := range s.deliveries(store.DeliveryFilter{State: "unknown"}) {
			say := store.SayMissing
			for _, title := range r.shown() {
				if title == d.Title {
					say = store.SayArrived
				}
			}
			s.ok(s.db.ResolveByHand(ctx, d.ID, say, "", "test", now))
		}
	}
}

// deliveryOf is the only delivery of a post.
func (s *stage) deliveryOf(post int64) store.Delivery {
	s.t.Helper()
	title := s.row(post).Content.Title
	for _, d := range s.deliveries(store.DeliveryFilter{Limit: 1000}) {
		if d.Title == title {
			return d
		}
	}
	s.t.Fatalf("post %s has no delivery", strconv.FormatInt(post, 10))
	return store.Delivery{}
}
