package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// CallStore is what mapping needs of the store.
type CallStore interface {
	// CalledSources lists the configured, unpaused sources of which calls wait.
	CalledSources(ctx context.Context) ([]string, error)
	// WaitingCalls gives the oldest calls of a source that wait.
	WaitingCalls(ctx context.Context, source string, limit int) ([]Call, error)
	// FailCall sets a call aside that cannot be mapped, and raises an alert.
	FailCall(ctx context.Context, id int64, reason string, a alert.Alert, now time.Time) error
	// CallTried counts an attempt that ended for a passing reason.
	CallTried(ctx context.Context, id int64) error
	// NewItems counts the items of a source that came since then, among so many that came last.
	NewItems(ctx context.Context, source string, since time.Time, most int) (int, error)
	// FoundCalled is Store.Found with when items were last changed. What the source listed last is in it only where that is asked for,
	// since a call says nothing of what it does not name.
	FoundCalled(ctx context.Context, source string, batch sdk.Batch, listed bool) (Found, error)
	CommitIntake(ctx context.Context, ch Change, now time.Time) error
	SourceState(ctx context.Context, name string) (State, error)
}

// MapperSettings wire a Mapper.
type MapperSettings struct {
	Store CallStore
	// Instance gives an opened source by name, and what to call when it is no longer used; false when it is not configured
	// any more.
	Instance func(name string) (inst Instance, done func(), ok bool)
	Log      *slog.Logger
	// Deadline of mapping one call.
	Deadline time.Duration
	// Notify gives one person a notice that came with a call of a source; nil when nobody is written to. The same once more is no
	// news. An error that is CodeInvalid stays.
	Notify func(ctx context.Context, source string, n sdk.PersonNotice, came time.Time) error
	// Committed is called after items of a source changed.
	Committed func(source string)
	// Missed is called after what a hub told of a source could not be read, so that nothing waits for the hub; may be nil.
	Missed func(ctx context.Context, source string)
	// Mapped is told what became of calls: mapped, failed, or again for one that is tried again; may be nil.
	Mapped func(source, outcome string, calls int)
}

// Mapper makes items of the calls that were kept, source by source in the order in which they came. What cannot be mapped is
// set aside and told of, and what came after it goes on.
type Mapper struct {
	s      MapperSettings
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu sync.Mutex
	// busy are the sources that are being mapped; resting are those whose process failed, until then.
	busy    map[string]bool
	resting map[string]time.Time
}

// NewMapper makes a Mapper; Start starts it.
func NewMapper(s MapperSettings) *Mapper {
	return &Mapper{s: s, wake: make(chan struct{}, 1), busy: map[string]bool{}, resting: map[string]time.Time{}}
}

// Start begins to map. The context ends with starting; Stop ends the mapping.
func (m *Mapper) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.done.Go(func() { m.loop(ctx) })
	return nil
}

// Stop gives up what is being mapped, which is mapped again after the next start, and waits until ctx ends.
func (m *Mapper) Stop(ctx context.Context) error {
	if m.cancel == nil {
		return nil
	}
	m.cancel()
	ended := make(chan struct{})
	go func() { m.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Wake makes the mapper look for calls now.
func (m *Mapper) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *Mapper) loop(ctx context.Context) {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		names, err := m.s.Store.CalledSources(ctx)
		if err != nil && ctx.Err() == nil {
			m.s.Log.Error("kept webhooks cannot be read", "err", err)
		}
		for _, name := range names {
			if m.begin(name, time.Now()) {
				m.done.Go(func() {
					for m.work(ctx, name) && ctx.Err() == nil {
					}
					m.end(name)
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-t.C:
		}
	}
}

func (m *Mapper) begin(name string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[name] || now.Before(m.resting[name]) {
		return false
	}
	delete(m.resting, name)
	m.busy[name] = true
	return true
}

func (m *Mapper) end(name string) {
	m.mu.Lock()
	delete(m.busy, name)
	m.mu.Unlock()
	m.Wake() // what came in the meantime found the source busy
}

func (m *Mapper) rest(name string, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resting[name] = until
}

const (
	// callsAtOnce is how many calls share a commit.
	callsAtOnce = 64
	// callAttempts is how often a call is tried whose mapping ends its process, before it is set aside.
	callAttempts = 5
)

// work maps some calls of a source, and says whether there may be more to do at once.
func (m *Mapper) work(ctx context.Context, name string) bool {
	inst, done, ok := m.s.Instance(name)
	if !ok {
		m.rest(name, time.Now().Add(pollEvery))
		return false
	}
	defer done()
	log := m.s.Log.With("source", name)
	calls, err := m.s.Store.WaitingCalls(ctx, name, callsAtOnce)
	if err != nil || len(calls) == 0 {
		if err != nil && ctx.Err() == nil {
			log.Error("kept webhooks cannot be read", "err", err)
			m.rest(name, time.Now().Add(pollEvery))
		}
		return false
	}
	var all sdk.Batch
	var mapped, forget []int64
	more := true
	if other := slices.IndexFunc(calls, func(c Call) bool { return (c.Topic == "") != (calls[0].Topic == "") }); other > 0 {
		calls = calls[:other] // a source of another type had the name before
		defer m.Wake()
	}
	for _, c := range calls {
		b, err := m.call(ctx, inst, c)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			merge(&all, b)
			mapped = append(mapped, c.ID)
			if len(b.PersonNotices) > 0 { // also where items came with it: they are kept as items
				forget = append(forget, c.ID)
			}
			continue
		}
		if again := m.fault(ctx, log, c, sdk.AsError(err)); again {
			more = false
			break // what came later must not go before it
		}
	}
	if len(mapped) > 0 {
		slices.Reverse(all.Items) // the newest stands first in a batch
		inst.Rules.Pushed = calls[0].Topic != ""
		if err := m.commit(ctx, inst.Rules, name, all, mapped, forget); err != nil {
			if ctx.Err() == nil {
				log.Error("what webhooks say cannot be stored", "err", err)
				m.rest(name, time.Now().Add(5*pollEvery))
			}
			return false
		}
		m.tell(name, "mapped", len(mapped))
	}
	return more && len(calls) == callsAtOnce
}

func (m *Mapper) tell(source, outcome string, calls int) {
	if m.s.Mapped != nil {
		m.s.Mapped(source, outcome, calls)
	}
}

// call gives the items of one call, and the notices that came with it to those whom they are about.
func (m *Mapper) call(ctx context.Context, inst Instance, c Call) (sdk.Batch, error) {
	read, doing := m.mapped, "mapping"
	if c.Topic != "" {
		read, doing = m.content, "reading"
	}
	within, cancel := context.WithTimeout(ctx, m.s.Deadline)
	defer cancel()
	b, err := read(within, inst, c)
	if _, told := errors.AsType[*sdk.Error](err); err != nil && !told && within.Err() != nil {
		err = &sdk.Error{Code: sdk.CodeUnavailable, Op: "map", Public: fmt.Sprintf("%s it took longer than %s", doing, sdk.D(m.s.Deadline)), Err: err}
	}
	if err != nil || c.Told {
		return b, err
	}
	for _, n := range b.PersonNotices {
		if m.s.Notify == nil {
			return b, sdk.Errorf(sdk.CodeInvalid, "notify", "it holds a notice to a person, and nobody is written to; configure notices: and privacy.key")
		}
		if err := m.s.Notify(within, c.Source, n, c.Request.ReceivedAt); err != nil {
			return b, err
		}
	}
	return b, nil
}

// mapped lets the source map a call.
func (m *Mapper) mapped(ctx context.Context, inst Instance, c Call) (sdk.Batch, error) {
	receiver, ok := sdk.As[sdk.WebhookReceiver](inst.Conn)
	if !ok {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "map", "this type of source is not called, or is not open yet")
	}
	b, err := receiver.Map(ctx, c.Request)
	if err == nil {
		err = b.Validate()
	}
	return b, err
}

// content reads what a hub told as a fetch would have read it. A hub may tell of what changed only, so that nothing is believed
// to be gone because it is absent.
func (m *Mapper) content(ctx context.Context, inst Instance, c Call) (sdk.Batch, error) {
	source, ok := sdk.As[sdk.Source](inst.Conn)
	if !ok {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, "map", "a hub told what this source has, which is not fetched any more")
	}
	st, err := m.s.Store.SourceState(ctx, c.Source)
	if err != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "map", "the source is not known yet")
	}
	if !st.Primed {
		return sdk.Batch{}, nil // the first fetch says what was there before
	}
	doc := sdk.Document{URL: c.Topic, Body: c.Request.Body}
	for name, values := range c.Request.Header {
		if strings.EqualFold(name, "Content-Type") && len(values) > 0 {
			doc.ContentType = values[0]
		}
	}
	b, err := source.Fetch(ctx, sdk.FetchRequest{Cursor: st.Cursor, Now: c.Request.ReceivedAt, Document: &doc})
	slices.Reverse(b.Items) // as calls come: the oldest first
	b.Complete, b.Whole, b.Reset, b.Unchanged = false, nil, false, false
	return b, err
}

// fault says whether a call is to be tried again. One that is not is set aside.
func (m *Mapper) fault(ctx context.Context, log *slog.Logger, c Call, err *sdk.Error) (again bool) {
	now := time.Now()
	if err.Code.Disposition() == sdk.DispositionRetry && c.Attempts+1 < callAttempts {
		log.Warn("a webhook cannot be mapped now", "call", c.ID, "attempt", c.Attempts+1, "err", err)
		if terr := m.s.Store.CallTried(ctx, c.ID); terr != nil && ctx.Err() == nil {
			log.Error("an attempt cannot be counted", "err", terr)
		}
		m.tell(c.Source, "again", 1)
		m.rest(c.Source, now.Add(max(pollEvery<<(2*c.Attempts), min(err.RetryAfter, longestReopen))))
		return true
	}
	reason := publicSentence(err)
	log.Warn("a webhook cannot be mapped, and is set aside", "call", c.ID, "code", err.Code, "err", err)
	ferr := m.s.Store.FailCall(ctx, c.ID, reason, aside(c, reason), now)
	if ferr == nil && c.Topic != "" && m.s.Missed != nil {
		m.s.Missed(ctx, c.Source)
	}
	if ferr == nil {
		m.tell(c.Source, "failed", 1)
		return false
	}
	if ctx.Err() == nil {
		log.Error("a webhook cannot be set aside", "err", ferr)
	}
	m.rest(c.Source, now.Add(5*pollEvery))
	return true
}

// aside tells of a call that was set aside.
func aside(c Call, reason string) alert.Alert {
	a := alert.Alert{Code: alert.WebhookFailed, Subject: c.Source,
		Sentence: fmt.Sprintf("source %s: a webhook could not be mapped: %s; it is kept", c.Source, reason),
		Many:     fmt.Sprintf("source %s: {n} webhooks could not be mapped, the last because: %s; they are kept", c.Source, reason),
		Mend:     fmt.Sprintf("look: belfry source show %s; correct its map, then: belfry source replay %s; or forget them: belfry source replay %s --drop", c.Source, c.Source, c.Source)}
	if c.Topic != "" {
		a.Sentence = fmt.Sprintf("source %s: what its hub told could not be read: %s; the feed is fetched as without a hub", c.Source, reason)
		a.Many = fmt.Sprintf("source %s: what its hub told could not be read {n} times, the last because: %s; the feed is fetched as without a hub", c.Source, reason)
		a.Mend = fmt.Sprintf("forget what it told: belfry source replay %s --drop; if it goes on, ask its hub no more: websub: off of source %s", c.Source, c.Source)
	}
	return a
}

// merge adds what a later call says. Of an item, what is said last counts, unless it is an older version that comes late.
func merge(all *sdk.Batch, later sdk.Batch) {
	known := map[string]time.Time{}
	for _, it := range all.Items {
		known[it.Key] = it.Updated
	}
	later.Items = slices.DeleteFunc(later.Items, func(it sdk.Item) bool { return overtaken(it, known[it.Key]) })
	said := map[string]bool{}
	for _, it := range later.Items {
		said[it.Key] = true
	}
	for _, r := range later.Removed {
		said[r.Key] = true
	}
	all.Items = slices.DeleteFunc(all.Items, func(it sdk.Item) bool { return said[it.Key] })
	all.Removed = slices.DeleteFunc(all.Removed, func(r sdk.Removal) bool { return said[r.Key] })
	all.Items = append(all.Items, later.Items...)
	all.Removed = append(all.Removed, later.Removed...)
	all.Notices = append(all.Notices, later.Notices...)
}

// commit decides and writes, again when a command changed the source meanwhile.
func (m *Mapper) commit(ctx context.Context, r Rules, name string, b sdk.Batch, mapped, forget []int64) error {
	r.Called, r.BaselineAll = true, true
	for range 5 {
		st, err := m.s.Store.SourceState(ctx, name)
		if err != nil {
			return err
		}
		now := time.Now()
		found, err := m.s.Store.FoundCalled(ctx, name, b, r.Pushed)
		if err != nil {
			return err
		}
		if r.Recent, err = m.s.Store.NewItems(ctx, name, now.Add(-time.Hour), calledFactor*r.MaxNew+callsAtOnce); err != nil {
			return err
		}
		b.Next = st.Cursor
		ch := Decide(r, st, b, found, now)
		ch.Mapped, ch.Forget = mapped, forget
		err = m.s.Store.CommitIntake(ctx, ch, now)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil && len(ch.Inserts)+len(ch.Updates) > 0 {
			m.s.Log.Info("items taken", "source", name, "new", len(ch.Inserts), "changed", len(ch.Updates), "held", len(ch.Holds), "calls", len(mapped))
			if m.s.Committed != nil {
				m.s.Committed(name)
			}
		}
		return err
	}
	return ErrConflict
}
