package demo

import (
	"fmt"
	"time"
)

// write publishes the next articles, one of each desk at a time, while anybody looks.
func (d *Demo) write() {
	wait := time.Duration(float64(firstArticle) / d.o.Speed)
	for {
		d.nextAt.Store(time.Now().Add(wait).UnixMilli())
		d.hub.Changed()
		pause(d.ctx, wait)
		for d.ctx.Err() == nil && d.busy() {
			d.nextAt.Store(0)
			pause(d.ctx, 200*time.Millisecond)
		}
		if d.ctx.Err() != nil {
			return
		}
		d.PublishNext()
		wait = time.Duration(float64(nextArticle) / d.o.Speed)
	}
}

// busy reports whether it is no time for a new article: the power is away, or nobody looks.
func (d *Demo) busy() bool {
	viewers, alone := d.hub.Watched()
	return d.breaker.Busy() || !viewers && alone > resting
}

// PublishNext lets every desk publish its next article.
func (d *Demo) PublishNext() {
	articles, at := d.newsroom.Publish(desks[:]...)
	d.begin(KindNew, at, articles...)
	// A newsroom that rested is asked rarely; its system says that there is something.
	if db := d.db.Load(); db != nil {
		if asked, _ := d.newsroom.Asked(); time.Since(asked) > 2*time.Second {
			_ = db.FetchNow(d.ctx, "gazette", false, time.Now()) // it is asked later anyway
		}
	}
}

// begin takes acts up for measuring.
func (d *Demo) begin(kind Kind, at time.Time, articles ...Article) {
	acts := make([]Act, len(articles))
	for i, a := range articles {
		acts[i] = Act{Kind: kind, Edition: a.Lang, Article: a, Link: d.paper.Link(a), At: at}
	}
	d.watch.Watch(acts...)
}

// followStore tells viewers when what the daemon shows has changed.
func (d *Demo) followStore() {
	last := ""
	for d.ctx.Err() == nil {
		pause(d.ctx, 300*time.Millisecond)
		if v := d.version(); v != last {
			last = v
			d.hub.Changed()
		}
	}
}

// version changes with what the daemon shows.
func (d *Demo) version() string {
	db := d.db.Load()
	if db == nil {
		return ""
	}
	v, err := db.PagesVersion(d.ctx)
	if err != nil {
		return ""
	}
	if d.daemon.Address() == "" {
		v += " dark"
	}
	if d.own != nil {
		if st, err := db.SourceState(d.ctx, ownSource); err == nil {
			v += fmt.Sprint(" ", st.Version)
		}
	}
	return v
}
