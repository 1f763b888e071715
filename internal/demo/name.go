package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

const (
	// titleFile holds what the feed calls itself. A configuration refers to it, and does not hold it: a stranger's words are
	// not looked through for references of their own.
	titleFile = "title.txt"
	// longestName is how much of a feed's title becomes a name, in grapheme clusters.
	longestName = 80
)

// takeName waits until somebody's own feed was read, and names the channel, its page and its chat after what the feed calls
// itself. Until then, and where it says nothing, they are named after its host.
func (d *Demo) takeName() {
	for d.ctx.Err() == nil {
		if st, err := d.own.State(d.ctx); err == nil && st.Read && d.daemon.Address() != "" {
			name := render.CutText(render.Line(st.Title), longestName, sdk.UnitGraphemes)
			if name == "" {
				d.named.Store(true)
				return
			}
			if err := d.rename(name); err != nil && d.ctx.Err() == nil {
				d.trouble("the channel keeps the name of the feed's host: " + err.Error())
			}
			d.named.Store(true)
			return
		}
		pause(d.ctx, 50*time.Millisecond)
	}
}

// rename gives the channel, the site and the chat a name. The daemon reads its configuration anew.
func (d *Demo) rename(name string) error {
	if err := os.WriteFile(filepath.Join(d.dir, titleFile), []byte(name+"\n"), 0o600); err != nil {
		return err
	}
	folder := filepath.Join(d.dir, "conf.d")
	if err := os.Mkdir(folder, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	text := fmt.Sprintf("# What the feed calls itself.\nsite: {title: \"${file:%[1]s}\"}\nchannels: {%[2]s: {title: \"${file:%[1]s}\"}}\n", titleFile, ownChannel)
	if err := os.WriteFile(filepath.Join(folder, "title.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	before := d.generation()
	d.receivers.Rename(chatFirst, name)
	d.daemon.Reload()
	for deadline := time.Now().Add(readyTime); d.ctx.Err() == nil && d.generation() == before; pause(d.ctx, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the daemon does not take it up; its log: %s", filepath.Join(d.dir, "daemon.log"))
		}
	}
	d.hub.Changed()
	return nil
}

// generation counts the configurations that the daemon has applied; 0 while that cannot be said.
func (d *Demo) generation() int {
	db := d.db.Load()
	if db == nil {
		return 0
	}
	applied, err := db.Applied(d.ctx)
	if err != nil {
		return 0
	}
	return applied.Generation
}
