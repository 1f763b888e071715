package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// People agree to be written to on a medium, whose name is that of a type. Who provides the type may change: a plugin may go and another
// one come that calls its type the same. It would be told every address, of people who never heard of it. So the store keeps who writes
// on each medium, and while it holds somebody's address there, no plugin takes the medium over.

// ownerMark begins the names under which the store keeps who writes on a medium.
const ownerMark = "medium.owner."

// bySelf is who writes by Belfry's own connectors.
const bySelf = "belfry"

// ownerOf is who provides a type.
func ownerOf(l *configs.Loaded, typ string) string {
	if p, foreign := l.Plugin(typ); foreign && p.Trusted != nil {
		return "plugin " + p.Trusted.Name
	}
	return bySelf
}

// checkOwners refuses a plugin that would take over a medium on which the store holds addresses that were given for another writer.
func checkOwners(ctx context.Context, db *store.DB, l *configs.Loaded) (problems []configs.Located, err error) {
	for _, name := range l.Writers() {
		typ := l.Destinations[name].Type
		changed, err := checkRule(ctx, db, l, name, typ)
		if err != nil {
			return nil, err
		}
		problems = append(problems, changed...)
		owner := ownerOf(l, typ)
		before, err := db.Mark(ctx, ownerMark+typ)
		if err != nil {
			return nil, err
		}
		if owner == bySelf || before == "" || before == owner {
			continue
		}
		if reaches, err := db.MediumReaches(ctx, typ); err != nil {
			return nil, err
		} else if !reaches {
			continue
		}
		now := strings.TrimPrefix(owner, "plugin ")
		was, fix := "Belfry itself", "its author has to give it another name"
		if other, plugin := strings.CutPrefix(before, "plugin "); plugin {
			was, fix = "the plugin "+other, fmt.Sprintf("if it is the same plugin, call its file or folder %s as before, and trust it again; otherwise its author has to give its type another name", other)
		}
		problems = append(problems, l.Locate(sdk.Problem{Pointer: sdk.Pointer("destinations", name, "type"),
			What: fmt.Sprintf("people gave their addresses on the medium %s to be written to by %s, and the plugin %s would take them over", typ, was, now), Fix: fix}))
	}
	return problems, nil
}

// ruleOf is how the addresses of a medium are brought into one form.
func ruleOf(l *configs.Loaded, typ string) string {
	return string(cmp.Or(l.Medium(typ).Address, sdk.AddressExact))
}

// checkRule refuses another rule for addresses while the store holds any by the old one, or knows who must not be written to: they would
// not be found again.
func checkRule(ctx context.Context, db *store.DB, l *configs.Loaded, destination, typ string) ([]configs.Located, error) {
	before, err := db.Mark(ctx, ruleMark+typ)
	now := ruleOf(l, typ)
	if before = cmp.Or(before, string(sdk.AddressExact)); err != nil || before == now {
		return nil, err
	}
	if kept, err := db.MediumKept(ctx, typ); err != nil || !kept {
		return nil, err
	}
	return []configs.Located{l.Locate(sdk.Problem{Pointer: sdk.Pointer("destinations", destination, "type"),
		What: fmt.Sprintf("the addresses of the medium %s are kept by the rule %s, and its plugin now says %s: nobody would be found again, nor who has left", typ, before, now),
		Fix:  "go back to the version of the plugin before this one; its author gives the new rule to a type of another name"})}, nil
}

// ownMedia keeps who writes on each medium from now on.
func (a *App) ownMedia(ctx context.Context, l *configs.Loaded, writers map[string]direct.Destination) error {
	for _, w := range writers {
		mark, owner := ownerMark+w.Medium, ownerOf(l, w.Medium)
		before, err := a.db.Mark(ctx, mark)
		if err == nil && before != owner {
			err = a.db.SetMark(ctx, mark, owner)
		}
		if err == nil {
			err = a.rules.keep(ctx, a.db, w.Medium, ruleOf(l, w.Medium))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// serveWriters lets the direct lane serve these destinations, those that are not open as soon as they are: until then their messages
// wait, and none of them starts. People are heard where they are written to.
func (a *App) serveWriters(ctx context.Context, l *configs.Loaded, writers map[string]direct.Destination) {
	a.lanes.mu.Lock()
	a.lanes.writers = writers
	a.direct.Use(ctx, a.lanes.openWriters())
	a.lanes.mu.Unlock()
	a.writers.Store(&writers)
	a.linkBots(l, writers)
	ears, opened := map[string]hearable{}, a.destinations.all()
	for name, w := range writers {
		ears[name] = hearable{w.Conn, opened[name].late != nil}
	}
	a.inbox.listenTo(ctx, ears)
}

// openWriters are those of the destinations that write to people which are open. The lock is held.
func (l *lanes) openWriters() map[string]direct.Destination {
	out := make(map[string]direct.Destination, len(l.writers))
	for name, w := range l.writers {
		if !l.unopened[name] {
			out[name] = w
		}
	}
	return out
}

// writersChanged has the direct lane serve what was opened. The lock of lanes is held.
func (a *App) writersChanged(ctx context.Context, name string) {
	if _, writes := a.lanes.writers[name]; writes && a.direct != nil {
		a.direct.Use(ctx, a.lanes.openWriters())
		a.inbox.listenAlso(name, a.lanes.writers[name].Conn)
	}
}

// believed reports whether what comes back by a destination is taken. Of a third party's it is, if its plugin is trusted and people are
// written to by it.
func (a *App) believed(l *configs.Loaded, destination string) bool {
	p, foreign := l.Plugin(l.Destinations[destination].Type)
	if !foreign {
		return true
	}
	writers := a.writers.Load()
	if writers == nil || p.Trusted == nil {
		return false
	}
	_, writes := (*writers)[destination]
	return writes
}
