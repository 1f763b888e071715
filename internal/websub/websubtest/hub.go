// Package websubtest is a hub for tests (W3C WebSub). It refuses what a hub may refuse, so that what it accepts other hubs accept.
package websubtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options make a Hub.
type Options struct {
	// Client calls callbacks.
	Client *http.Client
	// Lease is what is granted; 0 grants what is asked for.
	Lease time.Duration
	// Sign gives the header X-Hub-Signature; nil signs with SHA512, and empty is not sent.
	Sign func(secret string, body []byte) string
}

// Hub is a hub as an http.Handler. Its questions are asked in goroutines; Wait waits for them.
type Hub struct {
	o     Options
	asked sync.WaitGroup

	mu sync.Mutex
	// subscribers by callback and topic.
	subscribers map[[2]string]Subscriber
	requests    []url.Values
	problems    []string
	refuse      int
	deny        string
	mute        bool
	n           int
}

// Subscriber is who has proved that it wants a topic.
type Subscriber struct {
	Callback, Topic, Secret string
	Expires                 time.Time
}

// New makes a Hub.
func New(o Options) *Hub {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Sign == nil {
		o.Sign = SHA512
	}
	return &Hub{o: o, subscribers: map[[2]string]Subscriber{}}
}

// SHA512 signs as most hubs would like to.
func SHA512(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return "sha512=" + hex.EncodeToString(mac.Sum(nil))
}

// Refuse makes the hub answer requests with a status; 0 ends that. Deny makes it deny them after it took them, and Mute makes it
// never ask back.
func (h *Hub) Refuse(status int) { h.set(func() { h.refuse = status }) }

// Deny makes the hub deny what it took, for a reason; empty ends that.
func (h *Hub) Deny(reason string) { h.set(func() { h.deny = reason }) }

// Mute makes the hub take requests and never ask back.
func (h *Hub) Mute(mute bool) { h.set(func() { h.mute = mute }) }

func (h *Hub) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// Subscribers lists who is told now.
func (h *Hub) Subscribers() (out []Subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subscribers {
		if time.Now().Before(s.Expires) {
			out = append(out, s)
		}
	}
	return out
}

// Requests are the forms that were sent, and Problems what was wrong with requests and answers.
func (h *Hub) Requests() []url.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Problems says what subscribers did wrong.
func (h *Hub) Problems() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.problems)
}

func (h *Hub) problem(format string, args ...any) {
	h.set(func() { h.problems = append(h.problems, fmt.Sprintf(format, args...)) })
}

// Wait waits until every question was answered.
func (h *Hub) Wait() { h.asked.Wait() }

// ServeHTTP takes a request to subscribe or to unsubscribe.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	no := func(format string, args ...any) {
		h.problem(format, args...)
		http.Error(w, fmt.Sprintf(format, args...), http.StatusBadRequest)
	}
	if r.Method != http.MethodPost {
		no("%s instead of POST", r.Method)
		return
	}
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		no("content type %q", r.Header.Get("Content-Type"))
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		no("no form: %v", err)
		return
	}
	for name, values := range form {
		if !slices.Contains([]string{"hub.mode", "hub.topic", "hub.callback", "hub.lease_seconds", "hub.secret"}, name) || len(values) != 1 {
			no("parameter %s: %q", name, values)
			return
		}
	}
	mode, topic, secret := form.Get("hub.mode"), form.Get("hub.topic"), form.Get("hub.secret")
	callback, cerr := url.Parse(form.Get("hub.callback"))
	lease := 10 * 24 * time.Hour
	if n, err := strconv.ParseInt(form.Get("hub.lease_seconds"), 10, 64); err == nil && n > 0 {
		lease = time.Duration(n) * time.Second
	} else if form.Has("hub.lease_seconds") {
		no("lease_seconds %q", form.Get("hub.lease_seconds"))
		return
	}
	if h.o.Lease > 0 {
		lease = h.o.Lease
	}
	switch t, err := url.Parse(topic); {
	case mode != "subscribe" && mode != "unsubscribe":
		no("mode %q", mode)
		return
	case err != nil || !t.IsAbs() || t.Host == "":
		no("topic %q", topic)
		return
	case cerr != nil || callback.Scheme != "https" || callback.Host == "" || callback.User != nil || callback.Fragment != "":
		no("callback %q", form.Get("hub.callback"))
		return
	case mode == "subscribe" && (secret == "" || len(secret) >= 200):
		no("a secret of %d bytes", len(secret))
		return
	}
	h.mu.Lock()
	h.requests = append(h.requests, form)
	refuse, deny, mute := h.refuse, h.deny, h.mute
	h.n++
	challenge := fmt.Sprintf("challenge-%d-<&>", h.n)
	h.mu.Unlock()
	if refuse != 0 {
		http.Error(w, "not now", refuse)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if mute {
		return
	}
	h.asked.Go(func() {
		ask := url.Values{"hub.mode": {mode}, "hub.topic": {topic}, "hub.challenge": {challenge}}
		if deny != "" {
			ask = url.Values{"hub.mode": {"denied"}, "hub.topic": {topic}, "hub.reason": {deny}}
		} else if mode == "subscribe" {
			ask.Set("hub.lease_seconds", strconv.FormatInt(int64(lease/time.Second), 10))
		}
		at := *callback
		q := at.Query()
		maps.Copy(q, ask)
		at.RawQuery = q.Encode()
		resp, err := h.o.Client.Get(at.String())
		if err != nil {
			h.problem("the callback cannot be asked: %v", err)
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if deny != "" {
			return
		}
		if resp.StatusCode/100 != 2 || string(text) != challenge {
			h.problem("%s: %d %q instead of the challenge", mode, resp.StatusCode, text)
			return
		}
		h.set(func() {
			key := [2]string{callback.String(), topic}
			if mode == "unsubscribe" {
				delete(h.subscribers, key)
				return
			}
			h.subscribers[key] = Subscriber{callback.String(), topic, secret, time.Now().Add(lease)}
		})
	})
}

// Publish tells the content of a topic to all who want it, and gives their answers.
func (h *Hub) Publish(topic, contentType string, body []byte) (statuses []int) {
	for _, s := range h.Subscribers() {
		if s.Topic != topic {
			continue
		}
		req, err := http.NewRequest(http.MethodPost, s.Callback, bytes.NewReader(body))
		if err != nil {
			h.problem("%v", err)
			continue
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Add("Link", "<https://hub.example/>; rel=\"hub\"")
		req.Header.Add("Link", "<"+topic+">; rel=\"self\"")
		if signature := h.o.Sign(s.Secret, body); signature != "" {
			req.Header.Set("X-Hub-Signature", signature)
		}
		resp, err := h.o.Client.Do(req)
		if err != nil {
			h.problem("the callback cannot be told: %v", err)
			continue
		}
		_ = resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
		if resp.StatusCode == http.StatusGone {
			h.set(func() { delete(h.subscribers, [2]string{s.Callback, s.Topic}) })
		}
	}
	return statuses
}

// Through gives a client for which every https address leads to one server over plain HTTP, as behind a proxy.
func Through(addr func() string) *http.Client {
	return &http.Client{Transport: through(addr), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: time.Minute}
}

type through func() string

func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", t()
	return http.DefaultTransport.RoundTrip(out)
}
