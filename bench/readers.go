package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mailConnections is how many connections the relay is used over.
const mailConnections = 10

// newsletter is a site whose channel writes to people by mail.
type newsletter struct {
	*site
	people int
	read   *sql.DB
	// imported is how long `belfry subscriber import` took, and importPeak the most memory it held, in MiB.
	imported   time.Duration
	importPeak float64
}

// startSealed starts the daemon, waits until it has nothing left to do, and leaves it alone for a while: it is at rest then.
func (n *newsletter) startSealed(ctx context.Context) (*daemon, error) {
	d, err := n.start(ctx)
	if err != nil {
		return nil, err
	}
	if err = n.sealed(ctx, d); err == nil {
		err = pause(ctx, pick(n.b, 20*time.Second, time.Second))
	}
	if err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// newNewsletter makes a site with so many people who follow its channel: they come by `belfry subscriber import` from a file
// whose rows have evidence. The brake that holds a new audience after the first messages is released as somebody of the
// house would.
func (b *bench) newNewsletter(ctx context.Context, relay string, people int) (*newsletter, error) {
	s, err := b.newSite("messages")
	if err != nil {
		return nil, err
	}
	n := &newsletter{site: s, people: people}
	if err := n.open(ctx, relay); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *newsletter) open(ctx context.Context, relay string) error {
	if err := n.configure("channels:\n  news: {title: News}\n"); err != nil {
		return err
	}
	if err := n.command(ctx, "keys", "new", "people.key"); err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	if err := n.configure(fmt.Sprintf(`admin_listen: %s
privacy: {key: "${file:people.key}", controller: "Bench, 1 Main Street, London"}
destinations:
  mail: {type: email, relay: "smtp://%s", tls: none, connections: %d, sender: "News <news@bench.example>"}
channels:
  news:
    title: News
    messages: [{destination: mail}]
`, admin, relay, mailConnections)); err != nil {
		return err
	}
	d, err := n.start(ctx)
	if err != nil {
		return err
	}
	d.stop()
	if n.read, err = sql.Open("sqlite", "file:"+n.database()+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)"); err != nil {
		return err
	}
	if err := n.importReaders(ctx); err != nil {
		return err
	}
	return n.releaseImport(ctx)
}

func (n *newsletter) close() {
	if n.read != nil {
		_ = n.read.Close()
	}
	n.remove()
}

// importReaders writes a file of people and imports it.
func (n *newsletter) importReaders(ctx context.Context) error {
	file := filepath.Join(n.dir, "readers.csv")
	if err := writeReaders(file, n.people); err != nil {
		return err
	}
	defer os.Remove(file)
	begun := time.Now()
	cmd, out := n.process(ctx, "subscriber", "import", "readers.csv", "--channel", "news")
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received below
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case err := <-ended:
			if n.imported = time.Since(begun); err != nil {
				return fmt.Errorf("belfry subscriber import: %w: %s", err, strings.TrimSpace(out.String()))
			}
			return n.count(ctx, n.people, `SELECT count(*) FROM grants WHERE state = 'active'`)
		case <-t.C:
			if mib, _, err := pss(cmd.Process.Pid); err == nil {
				n.importPeak = max(n.importPeak, mib)
			}
		}
	}
}

func writeReaders(file string, people int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "address,consented_at,source,wording_version,lang")
	for i := 1; i <= people; i++ {
		fmt.Fprintf(w, "reader%07d@example.org,2024-03-01T08:00:00Z,form on the site,2024-01,en\n", i)
	}
	return errors.Join(w.Flush(), f.Close())
}

// releaseImport lets messages go to everybody who was imported, by what a release of held messages writes.
func (n *newsletter) releaseImport(ctx context.Context) error {
	w, err := sql.Open("sqlite", "file:"+n.database()+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	_, err = w.ExecContext(ctx, `UPDATE imports SET released = 1`)
	return errors.Join(err, w.Close())
}

// count is an error unless a query counts so many.
func (n *newsletter) count(ctx context.Context, want int, query string, args ...any) error {
	got := 0
	if err := n.read.QueryRowContext(ctx, query, args...).Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%d rows instead of %d: %s", got, want, query)
	}
	return nil
}

// publish writes a post whose mail has about 5 KB and which is due in a moment, and gives the stream of its messages.
func (n *newsletter) publish(ctx context.Context, title string) (stream int64, err error) {
	const sentence = "The council met on Monday evening and spoke for a long time about the bridge, the market and the school. "
	paragraph := strings.Repeat(sentence, 4) + "\n\n"
	if err := n.command(ctx, "post", "create", "--channel", "news", "--title", title, "--at", time.Now().Add(2*time.Second).Format(time.RFC3339Nano), "--text", strings.TrimSpace(strings.Repeat(paragraph, 2))); err != nil {
		return 0, err
	}
	err = await(ctx, time.Millisecond, time.Minute, "the messages of the post are made", func() (bool, error) {
		err := n.read.QueryRowContext(ctx, `SELECT s.id FROM streams s JOIN posts p ON p.id = s.post JOIN post_revisions r ON r.post = p.id WHERE json_extract(r.content, '$.Title') = ?1 OR json_extract(r.content, '$.title') = ?1`, title).Scan(&stream)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	})
	return stream, err
}

// sealed waits until the record of the import is sealed: that work is done once and belongs to no message.
func (n *newsletter) sealed(ctx context.Context, d *daemon) error {
	return await(ctx, 50*time.Millisecond, 10*time.Minute, "the record of consent is sealed", func() (bool, error) {
		var open bool
		err := n.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM ledger_events WHERE sequence IS NULL)`).Scan(&open)
		return !open, errors.Join(err, d.alive())
	})
}

// settled waits until nobody's message of a stream is under way or still to come.
func (n *newsletter) settled(ctx context.Context, d *daemon, stream int64) error {
	return await(ctx, 10*time.Millisecond, 10*time.Minute, "every message has an outcome", func() (bool, error) {
		var open bool
		err := n.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message_batches WHERE stream = ?1) OR EXISTS (SELECT 1 FROM streams WHERE id = ?1 AND (whole = 0 OR claimed < fanned))
			OR EXISTS (SELECT 1 FROM messages WHERE stream = ?1 AND next_at > 0)`, stream).Scan(&open)
		return !open, errors.Join(err, d.alive())
	})
}

// states counts the messages of a stream by their states.
func (n *newsletter) states(ctx context.Context, stream int64) (map[string]int, error) {
	rows, err := n.read.QueryContext(ctx, `SELECT state, count(*) FROM messages WHERE stream = ? GROUP BY state`, stream)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var state string
		var count int
		if err := rows.Scan(&state, &count); err != nil {
			return nil, err
		}
		out[state] = count
	}
	return out, rows.Err()
}
