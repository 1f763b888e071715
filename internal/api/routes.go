package api

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
)

// route is one operation: what is served and what the document says of it.
type route struct {
	method, path string
	// id names the operation for programs that generate code; summary says what it does, and text says more.
	id, summary, text string
	scope             string
	query             []param
	// keyed says that an Idempotency-Key is heeded.
	keyed bool
	// status of success; 0 means 200. answer is a value of the type of the answer.
	status int
	answer any
	// within is how long it may take; 0 means as long as any.
	within time.Duration
	action
}

// action is what an operation does. body is a value of the type of its body; nil when it takes none.
type action struct {
	body any
	do   func(ctx context.Context, c *call) (any, error)
}

// does is an action without a body.
func does(do func(ctx context.Context, c *call) (any, error)) action { return action{do: do} }

// takes is an action with a body, which is read strictly before anything is done.
func takes[B any](do func(ctx context.Context, c *call, b *B) (any, error)) action {
	return action{body: new(B), do: func(ctx context.Context, c *call) (any, error) {
		b := new(B)
		var err error
		if c.raw, err = readBody(c.r, b); err != nil {
			return nil, err
		}
		return do(ctx, c, b)
	}}
}

func thisProcess() (int, bool) { return os.Getpid(), true }

// Parameters of every list.
func listed(more ...param) []param {
	return append(more,
		param{name: "limit", kind: "number", min: 1, max: 500, otherwise: 100, doc: "The most entries that are given."},
		param{name: "after", kind: "text", doc: "Where the list goes on: `next` of the answer before."})
}

// List is a part of a list. Next is what to ask for as `after`; null at the end.
type List[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// page cuts a list that is whole. past says of an entry that it stands behind a cursor, and key is its cursor.
func page[T any](c *call, all []T, past func(x T, cursor string) bool, key func(T) string) List[T] {
	out := List[T]{Items: []T{}}
	after, limit := c.query.text("after"), c.query.number["limit"]
	for _, x := range all {
		if after != "" && !past(x, after) {
			continue
		}
		if len(out.Items) == limit {
			next := key(out.Items[limit-1])
			out.Next = &next
			break
		}
		out.Items = append(out.Items, x)
	}
	return out
}

// byName pages a list that is sorted by name.
func byName[T any](c *call, all []T, name func(T) string) List[T] {
	return page(c, all, func(x T, cursor string) bool { return name(x) > cursor }, name)
}

// sorted sorts a list by name.
func sorted[T any](all []T, name func(T) string) []T {
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	return all
}

// cut makes a page of a list of which one more was asked for than is given.
func cut[T any](c *call, rows []T, key func(T) string) List[T] {
	out, limit := List[T]{Items: rows}, c.query.number["limit"]
	if len(rows) > limit {
		out.Items = rows[:limit]
		next := key(rows[limit-1])
		out.Next = &next
	}
	return out
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	patch  = http.MethodPatch
	put    = http.MethodPut
	remove = http.MethodDelete
)

// routes lists everything that is served, but for the document itself.
func (h *handler) routes() []route { return slices.Concat(h.newsroom(), h.people(), h.operations()) }

// newsroom lists what concerns sources, channels, posts and destinations.
func (h *handler) newsroom() []route {
	return []route{
		{method: get, path: "/status", id: "getStatus", scope: ScopeRead, summary: "What runs, what waits, what needs a person", answer: desk.Status{},
			text:   "What `belfry status` shows.",
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Status(ctx) })},
		{method: get, path: "/plan", id: "getPlan", scope: ScopeRead, summary: "What will be posted where", answer: desk.Plan{},
			text: "What `belfry plan` shows: the decisions of every channel, played forward over the rows as they stand. Nothing is changed.",
			query: []param{{name: "at", kind: "time", doc: "Look ahead from this time instead of from now: RFC 3339, or a date and time in the daemon's zone."},
				{name: "for", kind: "span", doc: "How far to look ahead, such as 48h; 24h when it is not given."}},
			action: does(getPlan)},

		{method: get, path: "/sources", id: "listSources", scope: ScopeRead, summary: "The sources, by name", answer: List[desk.Source]{}, query: listed(), action: does(listSources)},
		{method: get, path: "/sources/{name}", id: "getSource", scope: ScopeRead, summary: "Everything about one source", answer: desk.Source{},
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Source(ctx, c.r.PathValue("name")) })},
		{method: post, path: "/sources/{name}/fetch", id: "fetchSource", scope: ScopeOperate, summary: "Fetch a source now", answer: desk.Fetched{},
			text:   "The source becomes due at once, even where its server asked to wait. With `wait` the answer tells what came of it.",
			action: takes(fetchSource)},
		{method: post, path: "/sources/{name}/release", id: "releaseSource", scope: ScopeOperate, summary: "Let what the flood brake holds go, or drop it",
			answer: desk.Released{}, action: takes(func(ctx context.Context, c *call, b *releaseSourceBody) (any, error) {
				if b.Baseline > 0 {
					return c.d.ReleaseFirst(ctx, c.r.PathValue("name"), b.Baseline)
				}
				return c.d.ReleaseSource(ctx, c.r.PathValue("name"), b.Drop)
			})},

		{method: post, path: "/sources/{name}/replay", id: "replaySource", scope: ScopeOperate, summary: "Map kept webhooks of a source again",
			answer: desk.Replayed{}, text: "Those that could not be mapped, with what came after the first of them; with `all` every one that is kept; with `drop` those that could not be mapped are forgotten.",
			action: takes(func(ctx context.Context, c *call, b *replaySourceBody) (any, error) {
				return c.d.Replay(ctx, c.r.PathValue("name"), b.All, b.Drop)
			})},
		{method: get, path: "/channels", id: "listChannels", scope: ScopeRead, summary: "The channels, by name", answer: List[desk.Channel]{}, query: listed(), action: does(listChannels)},
		{method: get, path: "/channels/{name}", id: "getChannel", scope: ScopeRead, summary: "One channel", answer: desk.Channel{},
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Channel(ctx, c.r.PathValue("name")) })},
		{method: post, path: "/channels/{name}/release", id: "releaseChannel", scope: ScopeOperate, summary: "Let posts go that a blackout held, or drop them",
			answer: desk.ChannelReleased{}, action: takes(func(ctx context.Context, c *call, b *releaseBody) (any, error) {
				return c.d.ReleaseChannel(ctx, c.r.PathValue("name"), b.Drop)
			})},

		{method: get, path: "/posts", id: "listPosts", scope: ScopeRead, summary: "Posts, the newest first", answer: List[desk.Post]{},
			text: "Without their copies and revisions.",
			query: listed(param{name: "channel", kind: "text", doc: "Only of this channel."},
				param{name: "held", kind: "truth", doc: "Only posts that a blackout holds, here or at a destination."}), action: does(listPosts)},
		{method: post, path: "/posts", id: "createPost", scope: ScopePost, summary: "Write a post in a channel", status: http.StatusCreated, answer: desk.Post{}, keyed: true,
			text: "The post goes the way of every other: the channel's page and feeds, and its destinations by their templates. A blackout or a pause holds it. " +
				"A link to an article that was retracted for good is refused.",
			action: takes(h.createPost)},
		{method: get, path: "/posts/{id}", id: "getPost", scope: ScopeRead, summary: "A post with its revisions and copies", answer: desk.Post{},
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Post(ctx, c.r.PathValue("id")) })},
		{method: post, path: "/posts/{id}/release", id: "releasePost", scope: ScopeOperate, summary: "Let one post go that a blackout holds, or drop it",
			answer: desk.PostReleased{}, action: takes(func(ctx context.Context, c *call, b *releaseBody) (any, error) {
				return c.d.ReleasePost(ctx, c.r.PathValue("id"), b.Drop)
			})},
		{method: patch, path: "/posts/{id}", id: "editPost", scope: ScopePost, summary: "Correct a post; every copy follows", answer: desk.Post{},
			text:   "What is not given stays. Copies follow by the channel's ladder (`corrections:`).",
			action: takes(editPost)},
		{method: post, path: "/posts/{id}/retract", id: "retractPost", scope: ScopePost, summary: "Take a post back everywhere", answer: retraction{},
			text: "The post does not come back, whatever its source says. With `legal` it is for good: every copy is deleted, its text and images are purged from " +
				"every revision, digests lose its item, and that is blocked for ever; a digest goes by itself, and its items stay. That needs the scope `operate` too, and there is no way back from it.",
			action: takes(retractPost)},
		{method: post, path: "/items/retract", id: "retractItem", scope: ScopeOperate, summary: "Take an item back for good", answer: retraction{},
			text: "Every post of it goes, digests lose it, its text and images are purged, and its key and address never come back. It is for an item that is " +
				"only in digests, or in no post yet, too. There is no way back from it, and a second request changes nothing.",
			action: takes(retractItem)},

		{method: get, path: "/deliveries", id: "listDeliveries", scope: ScopeRead, summary: "Calls to platforms and the waits for them, the newest first",
			answer: List[desk.Delivery]{},
			query: listed(param{name: "state", kind: "text", enum: desk.States(), doc: "Only in this state."},
				param{name: "destination", kind: "text", doc: "Only to this destination."}, param{name: "channel", kind: "text", doc: "Only of this channel."},
				param{name: "post", kind: "text", doc: "Only of this post."}), action: does(listDeliveries)},
		{method: post, path: "/deliveries/{id}/resolve", id: "resolveDelivery", scope: ScopeOperate, summary: "Say what only a person can know of a delivery",
			answer: desk.Resolved{}, text: "For a call whose answer was lost, look there and say what you see; for a correction that a person has to make there, say that it is done.",
			action: takes(resolveDelivery)},
		{method: post, path: "/deliveries/{id}/resend", id: "resendDelivery", scope: ScopeOperate, summary: "Send a delivery again that ended without success",
			answer: desk.Resent{}, text: "The post goes as it is now, not as it was then.", action: takes(resendDelivery)},

		{method: get, path: "/messages/held", id: "listHeldMessages", scope: ScopeRead, summary: "Messages that wait for a person, and those that may have arrived", answer: List[desk.HeldMessages]{},
			text: "By their texts, with how many people each is for, and nobody's name.", action: does(listHeldMessages)},
		{method: get, path: "/messages/{number}/people", id: "listHeldPeople", scope: ScopePeople, summary: "To whom the messages of a number wait, or may have arrived", answer: List[desk.HeldPerson]{},
			text: "People are named by reference, at most 1,000 of them.", action: does(listHeldPeople)},
		{method: post, path: "/messages/{number}/release", id: "releaseMessages", scope: ScopeOperate, summary: "Let held messages go", answer: released{},
			text: "Everything that decides about each is read anew when it starts: who left meanwhile gets nothing.", action: takes(releaseMessages)},
		{method: post, path: "/messages/{number}/settle", id: "settleMessages", scope: ScopeOperate, summary: "Say whether messages arrived of which nobody knows", answer: desk.SettledMessages{},
			text:   "Those that are missing start again, and everything that decides is read anew. Confirmations and answers are not sent again, nor is what has expired.",
			action: takes(settleMessages)},

		{method: get, path: "/why/item", id: "whyItem", scope: ScopeRead, summary: "Why an item is, or is not, where it should be", answer: List[desk.WhyItem]{},
			text: "For each channel whether it waits (for what, until when), is used (in which post, with its copies) or is left out, with the reason.",
			query: []param{{name: "key", kind: "text", doc: "The item: its key, its address or its number. Required."},
				{name: "source", kind: "text", doc: "The source it comes from."}, {name: "channel", kind: "text", doc: "Only what this channel makes of it."}}, action: does(whyItem)},
		{method: get, path: "/why/post/{id}", id: "whyPost", scope: ScopeRead, summary: "What became of a post on each destination, and with the people who follow its channel", answer: desk.WhyPost{},
			text:  "People are counted by outcome and reason, and nobody is named.",
			query: []param{{name: "destination", kind: "text", doc: "Only there."}},
			action: does(func(ctx context.Context, c *call) (any, error) {
				return c.d.WhyPost(ctx, c.r.PathValue("id"), c.query.text("destination"))
			})},

		{method: get, path: "/destinations", id: "listDestinations", scope: ScopeRead, summary: "The destinations with what waits for them, by name",
			answer: List[desk.Destination]{}, query: listed(), action: does(listDestinations)},
		{method: get, path: "/destinations/{name}", id: "getDestination", scope: ScopeRead, summary: "One destination", answer: desk.Destination{},
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Destination(ctx, c.r.PathValue("name")) })},
		{method: post, path: "/destinations/{name}/check", id: "checkDestination", scope: ScopeOperate, summary: "Test the credential and the rights of a destination",
			answer: desk.Checked{}, text: "Nothing is posted. A destination that had stopped, or had asked to be left alone, serves again when it is found healthy; where a chat has something `untested`, the next post shows whether that is good, and the destination stops again if not.",
			action: takes(h.checkDestination)},

		{method: get, path: "/pauses", id: "listPauses", scope: ScopeRead, summary: "What is paused, the oldest first", answer: List[desk.Pause]{}, query: listed(), action: does(listPauses)},
		{method: put, path: "/pauses/all", id: "pauseAll", scope: ScopeOperate, summary: "Pause everything", answer: desk.Pause{}, action: takes(func(ctx context.Context, c *call, _ *emptyBody) (any, error) {
			return c.d.Pause(ctx, store.PauseAll, "")
		})},
		{method: remove, path: "/pauses/all", id: "resumeAll", scope: ScopeOperate, summary: "End the pause of everything", answer: desk.Pause{},
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.Resume(ctx, store.PauseAll, "") })},
		{method: put, path: "/pauses/{scope}/{name}", id: "pause", scope: ScopeOperate, summary: "Pause a source, a channel or a destination", answer: desk.Pause{},
			text: "A pause survives restarts.", action: takes(func(ctx context.Context, c *call, _ *emptyBody) (any, error) {
				return c.d.Pause(ctx, c.r.PathValue("scope"), c.r.PathValue("name"))
			})},
		{method: remove, path: "/pauses/{scope}/{name}", id: "resume", scope: ScopeOperate, summary: "End a pause", answer: desk.Pause{},
			text: "A destination that stopped by itself serves again too. `paused` says that everything is still paused.",
			action: does(func(ctx context.Context, c *call) (any, error) {
				return c.d.Resume(ctx, c.r.PathValue("scope"), c.r.PathValue("name"))
			})},

		{method: get, path: "/alerts", id: "listAlerts", scope: ScopeRead, summary: "The trouble that lasts, the oldest first", answer: List[desk.Alert]{}, query: listed(), action: does(listAlerts)},
	}
}
