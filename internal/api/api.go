// Package api lets programs see and do what the commands do, as JSON over HTTP. Its one promise: what it says and does is
// what the command line says and does (both ask internal/desk), nobody does more than the scopes of a token allow, and the
// document it serves describes exactly what it serves.
package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/serve"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

//go:generate go test . -run TestDocumentIsFresh -update

// Base is the path of everything here.
const Base = "/api/v1"

const (
	// maxBody is the largest body of a request.
	maxBody = 1 << 20
	// longest is how long a request may take; it is below what the server gives an answer.
	longest = serve.WriteTime - 5*time.Second
)

// Settings wire the API.
type Settings struct {
	Store *store.DB
	// Config gives the configuration in force.
	Config func() *configs.Loaded
	// Dir is the data folder, where images are kept.
	Dir string
	// Daemon tells whether a daemon uses the store, and its process; nil means that this process is the daemon.
	Daemon func() (pid int, running bool)
	// Open opens a destination to be checked.
	Open desk.Open
	// Problems finds what is wrong with the configuration as its file is now, by itself and against the store; nil finds
	// nothing.
	Problems func(ctx context.Context) ([]configs.Located, error)
	// StartPlugin starts the process of a kind, unless it runs, and asks it what it is; nil asks none.
	StartPlugin func(ctx context.Context, kind string) error
	// Specs are the built-in types.
	Specs []*sdk.Spec
	// People are those who may be written to; nil when nobody is.
	People People
	// Tokens say who may do what.
	Tokens *Tokens
	// Version is Belfry's.
	Version string
	// UserAgent is what a server that gives a picture is told.
	UserAgent string
	Log       *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// handler serves the API.
type handler struct {
	Settings

	mu sync.Mutex
	// underWay are the Idempotency-Keys of requests that are being answered.
	underWay map[string]bool
	// backup is held while one is taken.
	backup sync.Mutex
}

// New gives the handler of everything under Base.
func New(s Settings) http.Handler {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Daemon == nil {
		s.Daemon = thisProcess
	}
	h := &handler{Settings: s, underWay: map[string]bool{}}
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range h.routes() {
		mux.Handle(rt.method+" "+Base+rt.path, h.serve(rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	mux.HandleFunc("GET "+Base+documentPath, serveDocument)
	methods[documentPath] = []string{http.MethodGet}
	for path, allowed := range methods {
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		slices.Sort(allowed)
		mux.HandleFunc(Base+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			problemf(http.StatusMethodNotAllowed, "method_not_allowed", "%s cannot be done here; possible are %s", r.Method, strings.Join(allowed, ", ")).answer(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problemf(http.StatusNotFound, "not_found", "nothing stands at %s; what does is in %s%s", r.URL.Path, Base, documentPath).answer(w)
	})
	return serve.Guard{Log: s.Log, MaxBody: maxBody, Fail: Fail}.Wrap(mux)
}

// call is one request that was let in.
type call struct {
	h *handler
	// d is the desk of whoever asks, at this moment.
	d *desk.Desk
	// token is the name of the token, and scopes what it may do.
	token  string
	scopes []string
	r      *http.Request
	header http.Header // of the answer
	query  query
	// raw are the bytes of the body, once it was read.
	raw []byte
}

// serve answers one route.
func (h *handler) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, p := h.Tokens.Authorize(r, rt.scope)
		if p != nil {
			p.answer(w)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(rt.within, longest))
		defer cancel()
		if rt.within > 0 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(rt.within + serve.WriteTime)) // a recorder in a test has none
		}
		c := &call{h: h, token: name, scopes: h.Tokens.scopes(name), r: r.WithContext(ctx), header: w.Header()}
		c.d = &desk.Desk{Config: h.Config(), Store: h.Store, Dir: h.Dir, Now: h.Now(), Actor: "api: " + name, Daemon: h.Daemon, UserAgent: h.UserAgent}
		answer, err := h.answer(ctx, rt, c)
		if err != nil {
			h.refusal(r, err).answer(w)
			return
		}
		if file, is := answer.(*download); is {
			file.answer(w)
			return
		}
		writeJSON(w, cmp.Or(rt.status, http.StatusOK), "application/json", answer)
	})
}

func (h *handler) answer(ctx context.Context, rt route, c *call) (any, error) {
	var err error
	if c.query, err = readQuery(c.r, rt.query, c.d.Zone()); err != nil {
		return nil, err
	}
	return rt.do(ctx, c)
}

// asInput says of a name that is not known that the request is wrong, and not its path.
func asInput(err error) error {
	if e := deskError(err); e != nil && (e.Kind == desk.Unknown || e.Kind == desk.Missing) {
		return &desk.Error{Kind: desk.Unusable, Err: e.Err}
	}
	return err
}
