package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// overdue is how late a source may be until sources count as not being read any more: longer than a plugin's deadline, and
// than its process takes to start again. So long may every place of alerts.to refuse what is told, too.
const overdue = 5 * time.Minute

// heart asks the dead man's switch of alerts.heartbeat.
type heart struct {
	*App
	started time.Time
	client  *sdk.Client
	config  configs.Heartbeat
	due     time.Time
	missed  bool
}

// beat asks the dead man's switch while the daemon works. Nothing is sent at the end: a stop is noticed like a fall.
func (a *App) beat(ctx context.Context) {
	h := &heart{App: a, started: time.Now()}
	defer h.close()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		h.use(a.Config().Alerts.Heartbeat)
		if now := time.Now(); h.client != nil && !now.Before(h.due) {
			h.due = now.Add(h.config.Every.Std())
			h.tell(h.once(ctx))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (h *heart) close() {
	if h.client != nil {
		h.client.CloseIdle()
	}
	h.client = nil
}

// use takes up a switch; one that is new is asked at once.
func (h *heart) use(c configs.Heartbeat) {
	same := c.URL == h.config.URL && c.Every == h.config.Every && fmt.Sprint(c.AllowPrivate) == fmt.Sprint(h.config.AllowPrivate)
	if same {
		return
	}
	h.close()
	h.config, h.due = c, time.Time{}
	if !c.URL.Empty() {
		h.client = sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: UserAgent(h.o.Version, h.Config()),
			Timeout: 10 * time.Second, MaxBody: 4 << 10, MaxConnsPerHost: 1})
	}
}

// tell writes into the log what became of a beat.
func (h *heart) tell(err error) {
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		h.log.Warn("the heartbeat was missed", "to", h.config.URL.String(), "err", err, "again", h.due)
		h.missed = true
	case h.missed:
		h.log.Info("the heartbeat goes on", "to", h.config.URL.String())
		h.missed = false
	}
}

// once asks the switch, if the daemon works.
func (h *heart) once(ctx context.Context) error {
	if err := h.works(ctx); err != nil {
		return fmt.Errorf("nothing was sent, for Belfry does not work as it should: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.config.URL.Reveal(), nil)
	if err != nil {
		return errors.New("the address cannot be used")
	}
	answer, err := h.client.Send(req, "heartbeat")
	if err != nil {
		return err
	}
	if answer.Status < 200 || answer.Status > 299 {
		return fmt.Errorf("%s answered with status %d", req.URL.Host, answer.Status)
	}
	return nil
}

// works says why the daemon does not work: its store takes no commit, sources are not read, or nobody can be told of trouble
// that lasts. The switch is the last thing that reaches anybody then.
func (h *heart) works(ctx context.Context) error {
	call, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("it did not answer within 10 s"))
	defer cancel()
	now := time.Now()
	if err := h.db.Try(call, now); err != nil {
		return fmt.Errorf("the store takes nothing: %w", err)
	}
	mute, err := unheard(call, h.db, h.Config(), now.Add(-overdue))
	switch {
	case err != nil:
		return fmt.Errorf("the store cannot be read: %w", err)
	case mute:
		return fmt.Errorf("no place of alerts.to has taken an alert for %s; see: belfry status", sdk.D(overdue))
	case now.Sub(h.started) < overdue:
		return nil // what was due before the start has its time
	}
	name, since, err := h.db.Overdue(call, now.Add(-overdue))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("the store cannot be read: %w", err)
	}
	return fmt.Errorf("source %s should have been read at %s", name, since.In(h.Config().Zone()).Format("2006-01-02 15:04 MST"))
}
