package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

type emptyBody struct{}

type fetchBody struct {
	Force bool `yaml:"force" doc:"Ask for everything, and also ask a source that said it is gone."`
	Wait  int  `yaml:"wait" min:"0" max:"30" doc:"How many seconds to wait for what comes of it."`
}

type releaseBody struct {
	Drop bool `yaml:"drop" doc:"Drop what is held instead."`
}

type replaySourceBody struct {
	All  bool `yaml:"all" doc:"Map every webhook again that is still kept."`
	Drop bool `yaml:"drop" doc:"Forget the webhooks that could not be mapped."`
}

type releaseSourceBody struct {
	Drop     bool `yaml:"drop" doc:"Drop what is held instead."`
	Baseline int  `yaml:"baseline" min:"0" doc:"Instead of what is held, so many of the newest items of the source's first fetch are used like new ones."`
}

type createBody struct {
	Channel string `yaml:"channel" required:"true" doc:"The channel."`
	Title   string `yaml:"title" doc:"The title; without it a short first paragraph of the text becomes it."`
	Text    string `yaml:"text" doc:"The text, in Markdown; HTML in it is text."`
	Link    string `yaml:"link" doc:"The address of the article."`
	Image   string `yaml:"image" doc:"The address of a picture, which is fetched and kept."`
	Alt     string `yaml:"alt" doc:"The picture in words, for those who do not see it."`
	Credit  string `yaml:"credit" doc:"Whose picture it is."`
	Lang    string `yaml:"lang" doc:"The language; without it, the channel's."`
	At      string `yaml:"at" doc:"When it is published: RFC 3339, or a date and time in the daemon's zone; without it, now."`
	Urgent  bool   `yaml:"urgent" doc:"Mark it as urgent."`
}

type editBody struct {
	Title  *string `yaml:"title" doc:"Another title."`
	Text   *string `yaml:"text" doc:"Another text, in Markdown."`
	Link   *string `yaml:"link" doc:"Another article; an empty text takes it away."`
	Image  *string `yaml:"image" doc:"The address of another picture; an empty text takes it away."`
	Alt    *string `yaml:"alt" doc:"The picture in words."`
	Credit *string `yaml:"credit" doc:"Whose picture it is."`
	Note   *string `yaml:"note" doc:"What is corrected, for readers."`
}

type retractBody struct {
	Reason string `yaml:"reason" required:"true" doc:"Why, for the record."`
	Legal  bool   `yaml:"legal" doc:"For good; needs the scope operate too."`
	Wait   int    `yaml:"wait" min:"0" max:"30" doc:"How many seconds to wait until the copies are gone."`
}

type retractItemBody struct {
	Item   string `yaml:"item" required:"true" doc:"The item: its key, its address or its number."`
	Source string `yaml:"source" doc:"The source it comes from."`
	Reason string `yaml:"reason" required:"true" doc:"Why, for the record."`
	Wait   int    `yaml:"wait" min:"0" max:"30" doc:"How many seconds to wait until the copies are gone."`
}

// Validate checks that there is an item and a reason.
func (b *retractItemBody) Validate() error {
	var ps sdk.Problems
	if b.Item == "" {
		ps.Add("/item", "the item is empty", "give its key, its address or its number")
	}
	if b.Reason == "" {
		ps.Add("/reason", "the reason is empty", "say why, for the record")
	}
	return ps.Err()
}

// Validate checks that there is a reason.
func (b *retractBody) Validate() error {
	var ps sdk.Problems
	if b.Reason == "" {
		ps.Add("/reason", "the reason is empty", "say why, for the record")
	}
	return ps.Err()
}

type resolveBody struct {
	Say string `yaml:"say" required:"true" enum:"arrived|missing|done" doc:"arrived: the post is there. missing: it is not, and the call is made again. done: what Belfry could not do there was done by hand."`
	URL string `yaml:"url" doc:"With arrived: where the post is."`
}

type settleBody struct {
	Say    string `yaml:"say" required:"true" enum:"arrived|missing" doc:"arrived: they count as sent. missing: they did not arrive, and are sent again to those who still follow."`
	Person string `yaml:"person" doc:"Only the message to this person, by reference. Without it, all of that number."`
}

// released says how many messages were let go.
type released struct {
	Number   int64 `json:"number"`
	Released int64 `json:"released"`
}

// retraction is a desk.Retraction with what could not be removed.
type retraction struct {
	desk.Retraction
	// Trouble is empty when every file was removed.
	Trouble string `json:"trouble"`
}

func getPlan(ctx context.Context, c *call) (any, error) {
	from := c.query.time("at", c.d.Now)
	return c.d.Plan(ctx, from, from.Add(c.query.span("for", 24*time.Hour)))
}

func listSources(ctx context.Context, c *call) (any, error) {
	all, err := c.d.Sources(ctx)
	return byName(c, all, func(s desk.Source) string { return s.Name }), err
}

func listChannels(ctx context.Context, c *call) (any, error) {
	all, err := c.d.Channels(ctx)
	return byName(c, all, func(x desk.Channel) string { return x.Name }), err
}

func listDestinations(ctx context.Context, c *call) (any, error) {
	all, err := c.d.Destinations(ctx)
	return byName(c, all, func(x desk.Destination) string { return x.Name }), err
}

func listPauses(ctx context.Context, c *call) (any, error) {
	all, err := c.d.Pauses(ctx)
	cursor := func(p desk.Pause) string { return p.Scope + "/" + p.Name }
	// A pause that ended meanwhile is not found, and the list begins anew rather than leave one out.
	after := slices.IndexFunc(all, func(p desk.Pause) bool { return cursor(p) == c.query.text("after") })
	rest := all[after+1:]
	return page(c, rest, func(desk.Pause, string) bool { return true }, cursor), err
}

func listAlerts(ctx context.Context, c *call) (any, error) {
	after, err := number(c.query.text("after"), "?after")
	if err != nil {
		return nil, err
	}
	all, err := c.d.Alerts(ctx)
	return page(c, all, func(a desk.Alert, _ string) bool { return a.ID > after }, func(a desk.Alert) string { return strconv.FormatInt(a.ID, 10) }), err
}

// number reads the number of a row; 0 when there is none.
func number(text, where string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, badInput("the request", sdk.Problems{{Pointer: where, What: strconv.Quote(text) + " is no number", Fix: "take it from a list"}})
	}
	return n, nil
}

func fetchSource(ctx context.Context, c *call, b *fetchBody) (any, error) {
	return c.d.Fetch(ctx, c.r.PathValue("name"), b.Force, time.Duration(b.Wait)*time.Second)
}

func listPosts(ctx context.Context, c *call) (any, error) {
	rows, err := c.d.Posts(ctx, desk.PostQuery{Channel: c.query.text("channel"), Held: c.query.truth("held"), Before: c.query.text("after"), Limit: c.query.number["limit"] + 1})
	return cut(c, rows, func(p desk.Post) string { return p.ID }), asInput(err)
}

// createPost writes a post; a request that comes again with the same Idempotency-Key makes no second one.
func (h *handler) createPost(ctx context.Context, c *call, b *createBody) (any, error) {
	n := desk.NewPost{Channel: b.Channel, Urgent: b.Urgent, Draft: compose.Draft{Title: b.Title, Text: b.Text, Link: b.Link, Lang: b.Lang}}
	if key := c.r.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > 255 {
			return nil, problemf(http.StatusBadRequest, "invalid", "the Idempotency-Key has %d bytes; at most 255 are possible", len(key))
		}
		n.Request = desk.Request{Key: digest(c.token + "\x00" + key), Sum: digest(string(c.raw))}
		if !h.begin(n.Request.Key) {
			return nil, problemf(http.StatusConflict, "conflict", "a request with this Idempotency-Key is under way; ask again in a moment").wait(time.Second)
		}
		defer h.end(n.Request.Key)
		p, repeated, err := c.d.Repeated(ctx, n.Request)
		if err != nil {
			return nil, err
		}
		if repeated {
			c.header.Set("Idempotency-Replayed", "true")
			c.header.Set("Location", Base+"/posts/"+p.ID)
			return p, nil
		}
	}
	var err error
	if n.At, err = desk.ParseTime(b.At, c.d.Zone(), time.Time{}); err != nil {
		return nil, err
	}
	if n.Draft.Image, err = picture(ctx, c, b.Image, b.Alt, b.Credit); err != nil {
		return nil, err
	}
	p, err := c.d.Create(ctx, n)
	if err != nil {
		return nil, asInput(err)
	}
	c.header.Set("Location", Base+"/posts/"+p.ID)
	return p, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// begin notes that a key is under way; false when it is already.
func (h *handler) begin(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay[key] {
		return false
	}
	h.underWay[key] = true
	return true
}

func (h *handler) end(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.underWay, key)
}

// picture takes a picture in by its address. Files of this machine are nothing that the API reads.
func picture(ctx context.Context, c *call, from, alt, credit string) (sdk.Media, error) {
	if from == "" {
		if alt != "" || credit != "" {
			return sdk.Media{}, &desk.Error{Kind: desk.Unusable, Err: errors.New("alt and credit belong to a picture; give its address as image")}
		}
		return sdk.Media{}, nil
	}
	data, err := c.d.FetchPicture(ctx, from)
	if err != nil {
		return sdk.Media{}, err
	}
	return c.d.KeepPicture(ctx, from, data, alt, credit)
}

func editPost(ctx context.Context, c *call, b *editBody) (any, error) {
	change := compose.Redraft{Title: b.Title, Text: b.Text, Link: b.Link, Alt: b.Alt, Credit: b.Credit, Note: b.Note}
	if b.Image != nil {
		m, err := picture(ctx, c, *b.Image, "", "")
		if err != nil {
			return nil, err
		}
		change.Image = &m
	}
	return c.d.Edit(ctx, c.r.PathValue("id"), change)
}

func retractPost(ctx context.Context, c *call, b *retractBody) (any, error) {
	if b.Legal && !slices.Contains(c.scopes, ScopeOperate) {
		return nil, forbidden(known{name: c.token, scopes: c.scopes}, ScopeOperate, "a legal retraction")
	}
	out, err := c.d.Retract(ctx, c.r.PathValue("id"), b.Legal, b.Reason, time.Duration(b.Wait)*time.Second)
	return retracted(c, out), err
}

func retractItem(ctx context.Context, c *call, b *retractItemBody) (any, error) {
	out, err := c.d.RetractItem(ctx, b.Item, b.Source, b.Reason, time.Duration(b.Wait)*time.Second)
	return retracted(c, out), err
}

func retracted(c *call, out desk.Retraction) retraction {
	answer := retraction{Retraction: out}
	if out.Trouble != nil {
		answer.Trouble = out.Trouble.Error()
		c.h.Log.Error("images of a retracted post cannot be removed", "posts", out.Posts, "err", out.Trouble)
	}
	return answer
}

func listDeliveries(ctx context.Context, c *call) (any, error) {
	before, err := number(c.query.text("after"), "?after")
	if err != nil {
		return nil, err
	}
	rows, err := c.d.Deliveries(ctx, desk.DeliveryQuery{State: c.query.text("state"), Destination: c.query.text("destination"), Channel: c.query.text("channel"),
		Post: c.query.text("post"), Before: before, Limit: c.query.number["limit"] + 1})
	return cut(c, rows, func(x desk.Delivery) string { return strconv.FormatInt(x.ID, 10) }), asInput(err)
}

func resolveDelivery(ctx context.Context, c *call, b *resolveBody) (any, error) {
	id, err := number(c.r.PathValue("id"), "id")
	if err != nil {
		return nil, err
	}
	return c.d.Resolve(ctx, id, store.Say(b.Say), b.URL)
}

func listHeldMessages(ctx context.Context, c *call) (any, error) {
	list, err := c.d.HeldMessages(ctx)
	return List[desk.HeldMessages]{Items: list}, err
}

func releaseMessages(ctx context.Context, c *call, _ *emptyBody) (any, error) {
	id, err := number(c.r.PathValue("number"), "number")
	if err != nil {
		return nil, err
	}
	n, err := c.d.ReleaseMessages(ctx, id)
	return released{id, n}, err
}

func listHeldPeople(ctx context.Context, c *call) (any, error) {
	id, err := number(c.r.PathValue("number"), "number")
	if err != nil {
		return nil, err
	}
	list, err := c.d.HeldPeople(ctx, id)
	return List[desk.HeldPerson]{Items: list}, err
}

func settleMessages(ctx context.Context, c *call, b *settleBody) (any, error) {
	id, err := number(c.r.PathValue("number"), "number")
	if err != nil {
		return nil, err
	}
	return c.d.SettleMessages(ctx, id, b.Person, b.Say == string(store.SayArrived))
}

func resendDelivery(ctx context.Context, c *call, _ *emptyBody) (any, error) {
	id, err := number(c.r.PathValue("id"), "id")
	if err != nil {
		return nil, err
	}
	return c.d.Resend(ctx, id)
}

func whyItem(ctx context.Context, c *call) (any, error) {
	key := c.query.text("key")
	if key == "" {
		return nil, badInput("the query", sdk.Problems{{Pointer: "?key", What: "\"key\" is missing", Fix: "give an item's key, its address or its number"}})
	}
	list, err := c.d.WhyItem(ctx, key, c.query.text("source"), c.query.text("channel"))
	if e := deskError(err); e != nil && e.Kind == desk.Unknown {
		return nil, asInput(err)
	}
	return List[desk.WhyItem]{Items: list}, err
}

// checkDestination asks the platform, and lets a destination that was found healthy serve again.
func (h *handler) checkDestination(ctx context.Context, c *call, _ *emptyBody) (any, error) {
	out, err := c.d.Check(ctx, c.r.PathValue("name"), h.Open)
	if err != nil || !out.Healthy() {
		return out, err
	}
	if out.Resumed, err = c.d.Stopped(ctx, out.Destination); err != nil || !out.Resumed {
		return out, err
	}
	return out, c.d.StartAgain(ctx, out.Destination)
}
