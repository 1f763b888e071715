package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Wanted is an image that posts may need.
type Wanted struct {
	ID      int64
	URL     string
	Attempt int
}

// Store is what fetching needs of the store.
type Store interface {
	// WantedMedia gives wanted images whose time has come.
	WantedMedia(ctx context.Context, now time.Time, limit int) ([]Wanted, error)
	MediaStored(ctx context.Context, id int64, f sdk.File, now time.Time) error
	// MediaFailed notes a failure: for good when next is zero.
	MediaFailed(ctx context.Context, id int64, sentence string, next time.Time) error
	// MediaUsers says who wants an image, as far as it can be told soon.
	MediaUsers(ctx context.Context, id int64) (Users, error)
}

// Users are those who want an image, by name; posts by their public id. They may be few of many.
type Users struct{ Sources, Channels, Posts []string }

// Settings wire a Fetcher.
type Settings struct {
	Store        Store
	Files        *Files
	Bounds       Bounds
	AllowPrivate []netip.Prefix
	UserAgent    string
	Log          *slog.Logger
	// Fetched is called after an image was stored or given up.
	Fetched func()
}

// Fetcher fetches wanted images, few at once: decoding a large picture takes memory.
type Fetcher struct {
	s      Settings
	client *sdk.Client
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

const (
	fetchers    = 4
	maxAttempts = 4
	maxHops     = 5
	lookEvery   = time.Second
	longestWait = 24 * time.Hour // a server that asks for more is not asked again
)

// NewFetcher makes a Fetcher; Start starts it.
func NewFetcher(s Settings) *Fetcher {
	return &Fetcher{s: s, wake: make(chan struct{}, 1), client: sdk.NewClient(sdk.ClientConfig{AllowPrivate: s.AllowPrivate,
		UserAgent: s.UserAgent, Timeout: 20 * time.Second, MaxBody: int64(s.Bounds.MaxBytes) + 1})}
}

// Wake makes the fetcher look for wanted images now.
func (f *Fetcher) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Start begins to fetch.
func (f *Fetcher) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.done.Go(func() { f.loop(ctx) })
	return nil
}

// Stop gives up what is under way, which is wanted again at the next start, and waits for it until ctx ends.
func (f *Fetcher) Stop(ctx context.Context) error {
	if f.cancel == nil {
		return nil
	}
	f.cancel()
	ended := make(chan struct{})
	go func() { f.done.Wait(); f.client.CloseIdle(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *Fetcher) loop(ctx context.Context) {
	decoding := make(chan struct{}, 1)
	for ctx.Err() == nil {
		wanted, err := f.s.Store.WantedMedia(ctx, time.Now(), fetchers)
		if err != nil && ctx.Err() == nil {
			f.s.Log.Error("wanted images cannot be read", "err", err)
		}
		var wg sync.WaitGroup
		for _, w := range wanted {
			wg.Go(func() { f.one(ctx, w, decoding) })
		}
		wg.Wait()
		if len(wanted) > 0 && err == nil {
			if f.s.Fetched != nil {
				f.s.Fetched()
			}
			continue
		}
		t := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// one fetches one image and records what came of it.
func (f *Fetcher) one(ctx context.Context, w Wanted, decoding chan struct{}) {
	file, err := f.get(ctx, w.URL, decoding)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = f.s.Store.MediaStored(ctx, w.ID, file, time.Now())
		if err != nil {
			f.s.Log.Error("an image cannot be recorded", "media", w.ID, "err", err)
		}
		return
	}
	var next time.Time
	if again, wait := passing(err); again && w.Attempt+1 < maxAttempts {
		next = time.Now().Add(max(10*time.Second<<(2*w.Attempt), wait))
	}
	said := sentence(w.URL, err)
	f.report(ctx, w, said, next)
	if err := f.s.Store.MediaFailed(ctx, w.ID, said, next); err != nil {
		f.s.Log.Error("an image's failure cannot be recorded", "media", w.ID, "err", err)
	}
}

// report writes a failure into the log: for whom it was, once it is for good.
func (f *Fetcher) report(ctx context.Context, w Wanted, said string, next time.Time) {
	if !next.IsZero() {
		f.s.Log.Info("an image cannot be fetched yet", "media", w.ID, "why", said, "again", next)
		return
	}
	users, err := f.s.Store.MediaUsers(ctx, w.ID)
	if err != nil && ctx.Err() == nil {
		f.s.Log.Error("who wants an image cannot be read", "media", w.ID, "err", err)
	}
	f.s.Log.Warn("an image cannot be fetched; its posts go without it", "media", w.ID, "why", said,
		"sources", strings.Join(users.Sources, " "), "channels", strings.Join(users.Channels, " "), "posts", strings.Join(users.Posts, " "))
}

// sentence says what failed, at which server, and what helps if anything does. An address may hold what is nobody else's
// business; its host is enough to know where to look.
func sentence(address string, err error) string {
	host := "its server"
	if u, bad := url.Parse(address); bad == nil && u.Host != "" {
		host = u.Host
	}
	why := err.Error()
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Public != "" {
		why = e.Public
	}
	said := "image of " + host + ": " + why
	if refused, ok := errors.AsType[*sdk.AddressError](err); ok && refused.Own() {
		said += fmt.Sprintf("; if that server is your own, permit it: media: {allow_private: [%s]}", netip.PrefixFrom(refused.Addr, refused.Addr.BitLen()))
	}
	return said
}

// passing says whether another attempt can do better: the server may recover, and so may our own disk.
func passing(err error) (again bool, wait time.Duration) {
	if errors.Is(err, ErrPicture) {
		return false, 0
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		return true, 0
	}
	return e.Code == sdk.CodeUnavailable && e.RetryAfter <= longestWait, e.RetryAfter
}

// get fetches, processes and stores one image. Every hop of a redirect passes the guard anew.
func (f *Fetcher) get(ctx context.Context, raw string, decoding chan struct{}) (sdk.File, error) {
	guard := sdk.Guard{Allow: f.s.AllowPrivate}
	for range maxHops + 1 {
		u, err := guard.CheckURL(raw)
		if err != nil {
			return sdk.File{}, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return sdk.File{}, sdk.Errorf(sdk.CodeInvalid, "image", "its address cannot be fetched")
		}
		req.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif;q=0.8, */*;q=0.1")
		a, err := f.client.Send(req, "image")
		if err != nil {
			if e := sdk.AsError(err); e.Code == sdk.CodeUnknownOutcome {
				err = sdk.TransportError(e.Err, "image", u.Host) // reading has no effect
			}
			return sdk.File{}, err
		}
		switch {
		case a.Status >= 300 && a.Status < 400 && a.Header.Get("Location") != "":
			next, err := u.Parse(a.Header.Get("Location"))
			if err != nil {
				return sdk.File{}, sdk.Errorf(sdk.CodeInvalid, "image", "its address leads nowhere")
			}
			raw = (&url.URL{Scheme: next.Scheme, Host: next.Host, Path: next.Path, RawPath: next.RawPath, RawQuery: next.RawQuery}).String()
			continue
		case a.Status == http.StatusOK:
			decoding <- struct{}{}
			defer func() { <-decoding }()
			p, err := Process(a.Body, f.s.Bounds)
			if err != nil {
				return sdk.File{}, err
			}
			return f.s.Files.Put(p)
		case a.Status == http.StatusTooManyRequests || a.Status >= 500:
			wait, _ := sdk.RetryAfter(a.Header, time.Now())
			return sdk.File{}, &sdk.Error{Code: sdk.CodeUnavailable, Op: "image", RetryAfter: wait, Public: fmt.Sprintf("its server answers %d", a.Status)}
		}
		return sdk.File{}, sdk.Errorf(sdk.CodeInvalid, "image", "its server answers %d", a.Status)
	}
	return sdk.File{}, sdk.Errorf(sdk.CodeInvalid, "image", "its address leads on more than %d times", maxHops)
}
