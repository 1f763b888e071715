package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/store"
)

// supervisor tells systemd how the daemon is, by sd_notify(3). Where nobody supervises, it does nothing.
type supervisor struct {
	app *app.App
	log *slog.Logger
}

func (s *supervisor) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("systemd cannot be told", "state", state, "err", err)
	}
}

// ready says that pages are served.
func (s *supervisor) ready() {
	s.tell(daemon.SdNotifyReady + "\nSTATUS=serving http://" + s.app.Addr())
}

// stopping says that what is under way is waited for.
func (s *supervisor) stopping() { s.tell(daemon.SdNotifyStopping) }

// watch answers systemd's watchdog until the context ends, as long as the store takes writes. A daemon whose store hangs
// is killed and started again.
func (s *supervisor) watch(ctx context.Context) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A store that hangs gives no answer at all: its log is written meanwhile, for whoever asks why systemd killed it.
		late := time.AfterFunc(every/3, func() { s.log.Error("the store does not answer; the watchdog is not told", "for", every/3) })
		err := s.app.Store().Write(ctx, func(*store.Tx) error { return nil })
		late.Stop()
		if err == nil {
			s.tell(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			s.log.Error("the store takes nothing; the watchdog is not told", "err", err)
		}
	}
}
