package app

import (
	"slices"

	"github.com/belfry-news/belfry/internal/hook"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// newDoor makes the handler of /hooks/NAME: sources that are called, and destinations whose platforms call.
func (a *App) newDoor() *hook.Door {
	return hook.New(hook.Settings{Store: a.db, Log: a.log, Low: a.low.Load, Other: a.receive,
		Closed: func(name string) bool {
			c, configured := a.Config().Sources[name]
			return configured && a.called(c.Type)
		},
		Retired: func(name string) bool { return slices.Contains(a.Config().Retired, name) },
		Came: func() {
			if m := a.mapper.Load(); m != nil {
				m.Wake()
			}
		},
		Source: func(name string) (hook.Source, bool) {
			c, configured := a.Config().Sources[name]
			i, done, ok := a.sources.acquire(name)
			if !ok {
				return hook.Source{}, false
			}
			receiver, can := sdk.As[sdk.WebhookReceiver](i.conn)
			if !can || !configured {
				done()
				return hook.Source{}, false
			}
			return hook.Source{Receiver: receiver, MaxBody: int64(c.MaxCall), PerSecond: c.Calls, Done: done}, true
		}})
}

// newMapper makes what maps the calls that the door kept.
func (a *App) newMapper() *intake.Mapper {
	return intake.NewMapper(intake.MapperSettings{Store: a.db, Log: a.log, Deadline: a.Config().Plugins.Deadline.Std(), Committed: a.engine.Wake,
		Instance: func(name string) (intake.Instance, func(), bool) {
			i, done, ok := a.sources.acquire(name)
			if !ok {
				return intake.Instance{}, nil, false
			}
			return intake.Instance{Rules: a.cameBack(name, i.rules), Conn: i.conn}, done, true
		}})
}
