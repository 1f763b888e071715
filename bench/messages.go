package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// most unknown messages after a kill: the connections, each with two windows of 32 (section 6.1 of the design).
const mostUnknown = mailConnections * 2 * 32

const howMessages = `
People come by ` + "`belfry subscriber import`" + ` from a CSV file whose rows have evidence; the brake on new audiences is released by the one
column that a release of held messages writes. The channel writes to them by one destination of type email: plain SMTP over ten
connections to a sink in the bench's process, which offers PIPELINING, takes everything and counts every recipient. ` + "`belfry post create`" + `
writes a post that is due in two seconds and whose mail has about 5 KB, text and HTML. Time runs from the first mail the sink accepts until the store holds every
outcome and the last batch is taken away; in the end there must be one mail for each person. Processor time and memory (the
proportional set size, looked at every tenth of a second) are the daemon's alone, from before the post until after the last
outcome. The yardstick ` + "`pipeline`" + ` sends as many mails of its own to the same sink over as many connections, from an SQLite queue
with synchronous=FULL; it has no consent, no caps, no per-person keys and no protocol for a kill in the middle.
`

func measureMessages(ctx context.Context, b *bench) error {
	people := pick(b, 100_000, 10_000)
	rows := messageRows{
		rate:   b.row(fmt.Sprintf("messages to %d people, a durable outcome each", people), "messages/s", atLeast(4*7150)),
		cpu:    b.row("processor time a message", "µs", atMost(35)),
		memory: b.row(fmt.Sprintf("peak memory with %d people", people), "MiB", atMost(64)),
		size:   b.row("size of a mail", "bytes", goal{}),
		wrong:  b.row("messages lost, doubled or without an outcome", "messages", atMost(0)),
	}
	limit := b.row("messages/s as a part of what the yardstick pipeline reaches", "", atLeast(0.6))
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		sink, err := newMailSink(people, 0)
		if err != nil {
			return err
		}
		rate, err := b.message(ctx, sink, people, rows)
		if err == nil && b.yard.folder != "" {
			sink.reset()
			var p piped
			if p, err = b.yard.pipeline(ctx, sink.addr(), b.dir, people); err == nil {
				rows.rate.beside("pipeline", p.rate)
				rows.cpu.beside("pipeline", p.cpu)
				limit.add(rate / p.rate)
				b.say("pipeline: %s mails/s, %s µs of processor time each", figure(p.rate), figure(p.cpu))
			}
		}
		sink.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

type messageRows struct{ rate, cpu, memory, size, wrong *row }

// message is one run with a new store.
func (b *bench) message(ctx context.Context, sink *mailSink, people int, rows messageRows) (float64, error) {
	n, err := b.newNewsletter(ctx, sink.addr(), people)
	if err != nil {
		return 0, err
	}
	defer n.close()
	d, err := n.startSealed(ctx)
	if err != nil {
		return 0, err
	}
	defer d.stop()
	return n.write(ctx, d, sink, "To everybody", rows)
}

// write publishes a post to everybody and measures until every outcome is stored.
func (n *newsletter) write(ctx context.Context, d *daemon, sink *mailSink, title string, rows messageRows) (float64, error) {
	used := cpu(d.cmd.Process.Pid)
	watch := watchMemory(d.cmd.Process.Pid)
	defer func() { _, _ = watch.end() }()
	stream, err := n.publish(ctx, title)
	if err != nil {
		return 0, err
	}
	if err := await(ctx, 5*time.Millisecond, 30*time.Minute, "every mail has arrived", func() (bool, error) {
		return int(sink.mails.Load()) >= n.people, d.alive()
	}); err != nil {
		return 0, fmt.Errorf("%w: %d of %d\n%s", err, sink.mails.Load(), n.people, n.tail())
	}
	if err := n.settled(ctx, d, stream); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, n.tail())
	}
	t, took := sink.tally(), time.Now()
	each := 1e6 * (cpu(d.cmd.Process.Pid) - used) / float64(n.people)
	peak, err := watch.end()
	if err != nil {
		return 0, err
	}
	states, err := n.states(ctx, stream)
	if err != nil {
		return 0, err
	}
	rate := float64(n.people) / took.Sub(t.first).Seconds()
	rows.rate.add(rate)
	rows.cpu.add(each)
	rows.memory.add(peak)
	if rows.size != nil {
		rows.size.add(float64(t.meanSize))
	}
	rows.wrong.add(float64(n.people - min(t.distinct, states["sent"]) + t.repeated))
	n.b.say("%d people: %s messages/s, %s µs of processor time each, %s MiB at the peak, %d bytes a mail", n.people, figure(rate), figure(each), figure(peak), t.meanSize)
	return rate, nil
}

const howSlow = `
The same, to a sink that takes 20 ms for each mail. Ten connections can bring it ten mails in these 20 ms, so that 500 a second is
what any program can reach. Time runs from the first mail accepted to the last.
`

func measureSlow(ctx context.Context, b *bench) error {
	people, delay := pick(b, 10_000, 2_000), 20*time.Millisecond
	part := b.row("messages/s to a relay that takes 20 ms a mail, as a part of connections / delay", "", atLeast(0.95))
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.slow(ctx, people, delay, part); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) slow(ctx context.Context, people int, delay time.Duration, part *row) error {
	sink, err := newMailSink(people, delay)
	if err != nil {
		return err
	}
	defer sink.stop()
	n, err := b.newNewsletter(ctx, sink.addr(), people)
	if err != nil {
		return err
	}
	defer n.close()
	d, err := n.startSealed(ctx)
	if err != nil {
		return err
	}
	defer d.stop()
	if _, err := n.publish(ctx, "To a slow relay"); err != nil {
		return err
	}
	if err := await(ctx, 5*time.Millisecond, 10*time.Minute, "every mail has arrived", func() (bool, error) {
		return int(sink.mails.Load()) >= people, d.alive()
	}); err != nil {
		return fmt.Errorf("%w\n%s", err, n.tail())
	}
	t := sink.tally()
	rate := float64(people-1) / t.last.Sub(t.first).Seconds()
	bound := mailConnections / delay.Seconds()
	part.add(rate / bound)
	b.say("a relay that takes %s: %s messages/s of %s", delay, figure(rate), figure(bound))
	return nil
}

const howKill = `
The same with 100,000 people and three posts: while the first is sent, the daemon is killed (SIGKILL) when the sink has 20 % of the
mails, at the second post with 50 %, at the third with 70 %, and started again at once. Lost is who has no mail and whose message
is not recorded as unknown; a person with two mails of the same post is a double. Unknown are messages that had started and of
which the kill took the outcome: they may have arrived. By mail they are sent again under the same Message-ID ten minutes later, which
is not waited for.
`

func measureKill(ctx context.Context, b *bench) error {
	people := pick(b, 100_000, 20_000)
	rows := killRows{
		lost:    b.row("lost after kill -9 at 20, 50 and 70 %", "messages", atMost(0)),
		unknown: b.row("unknown after each kill -9", "messages", atMost(mostUnknown)),
		doubled: b.row("doubled after each kill -9", "messages", atMost(mostUnknown)),
	}
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.kill(ctx, people, rows); err != nil {
			return err
		}
	}
	return nil
}

type killRows struct{ lost, unknown, doubled *row }

func (b *bench) kill(ctx context.Context, people int, rows killRows) error {
	sink, err := newMailSink(people, 0)
	if err != nil {
		return err
	}
	defer sink.stop()
	n, err := b.newNewsletter(ctx, sink.addr(), people)
	if err != nil {
		return err
	}
	defer n.close()
	d, err := n.startSealed(ctx)
	if err != nil {
		return err
	}
	defer func() { d.stop() }()
	for _, percent := range []int{20, 50, 70} {
		sink.reset()
		stream, err := n.publish(ctx, fmt.Sprintf("Killed at %d", percent))
		if err != nil {
			return err
		}
		if err := await(ctx, time.Millisecond, 10*time.Minute, "enough mails have arrived", func() (bool, error) {
			return int(sink.mails.Load()) >= people*percent/100, d.alive()
		}); err != nil {
			return fmt.Errorf("%w\n%s", err, n.tail())
		}
		if err := d.kill(); err != nil {
			return err
		}
		at := sink.mails.Load()
		if d, err = n.start(ctx); err != nil {
			return err
		}
		unknown, err := n.afterKill(ctx, d, sink, stream)
		if err != nil {
			return err
		}
		t := sink.tally()
		lost := 0
		for person := 1; person <= people; person++ {
			if sink.got[person].Load() == 0 && !unknown[person] {
				lost++
			}
		}
		rows.lost.add(float64(lost))
		rows.unknown.add(float64(len(unknown)))
		rows.doubled.add(float64(t.repeated))
		b.say("killed after %d of %d mails: %d lost, %d unknown, %d doubled", at, people, lost, len(unknown), t.repeated)
	}
	return nil
}

// kill ends the daemon as a power cut would, and waits until it is gone.
func (d *daemon) kill() error {
	if err := d.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-d.ended
	return nil
}

// afterKill waits until a daemon that was started again has sent the rest, and gives whose messages are unknown. Imported people
// are numbered in the order of their rows, which is how the sink counts them.
func (n *newsletter) afterKill(ctx context.Context, d *daemon, sink *mailSink, stream int64) (map[int]bool, error) {
	last := time.Now()
	mails := sink.mails.Load()
	if err := await(ctx, 50*time.Millisecond, 10*time.Minute, "the rest is sent", func() (bool, error) {
		if now := sink.mails.Load(); now != mails {
			mails, last = now, time.Now()
		}
		return time.Since(last) > 3*time.Second, d.alive()
	}); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, n.tail())
	}
	// Unknown ones may be waiting to be sent again under the same name.
	rows, err := n.read.QueryContext(ctx, `SELECT person FROM messages WHERE stream = ? AND (state = 'unknown' OR state = 'pending' AND reason = 'unknown')`, stream)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]bool{}
	for rows.Next() {
		var person int
		if err := rows.Scan(&person); err != nil {
			return nil, err
		}
		out[person] = true
	}
	return out, rows.Err()
}

const howMillion = `
The same with 1,000,000 people. The import is that of ` + "`belfry subscriber import`" + `, from the start of the process to its end; its memory is
compared with that of an import of 100,000. The first of the messages is timed from the moment at which the post was due
to the first mail at the sink. Then everything is sent. For the fan-out the destination is paused: from the moment at which
the stream stands in the store until all of its messages do.
`

func measureMillion(ctx context.Context, b *bench) error {
	people, few := pick(b, 1_000_000, 50_000), pick(b, 100_000, 10_000)
	rows := millionRows{
		imported:   b.row(fmt.Sprintf("import of %d rows", people), "s", atMost(60)),
		importPeak: b.row("peak memory of the import", "MiB", goal{}),
		importFlat: b.row(fmt.Sprintf("… as a multiple of that of an import of %d rows", few), "", atMost(1.2)),
		first:      b.row(fmt.Sprintf("post due → first of %d messages accepted", people), "s", atMost(1)),
		fanOut:     b.row(fmt.Sprintf("fan-out of %d messages", people), "s", atMost(2)),
		flat:       b.row(fmt.Sprintf("peak memory as a multiple of that with %d people", few), "", atMost(1.2)),
		messages: messageRows{
			rate:   b.row(fmt.Sprintf("messages to %d people, a durable outcome each", people), "messages/s", goal{}),
			cpu:    b.row("processor time a message", "µs", goal{}),
			memory: b.row(fmt.Sprintf("peak memory with %d people", people), "MiB", atMost(64)),
			wrong:  b.row("messages lost, doubled or without an outcome", "messages", atMost(0)),
		},
	}
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.million(ctx, people, few, rows); err != nil {
			return err
		}
	}
	return nil
}

type millionRows struct {
	imported, importPeak, importFlat, first, fanOut, flat *row
	messages                                              messageRows
}

func (b *bench) million(ctx context.Context, people, few int, rows millionRows) error {
	sink, err := newMailSink(people, 0)
	if err != nil {
		return err
	}
	defer sink.stop()
	small := messageRows{rate: &row{}, cpu: &row{}, memory: &row{}, wrong: &row{}}
	fewer, err := b.newNewsletter(ctx, sink.addr(), few)
	if err != nil {
		return err
	}
	d, err := fewer.startSealed(ctx)
	if err == nil {
		_, err = fewer.write(ctx, d, sink, "To some", small)
		d.stop()
	}
	fewer.close()
	if err != nil {
		return err
	}
	sink.reset()
	n, err := b.newNewsletter(ctx, sink.addr(), people)
	if err != nil {
		return err
	}
	defer n.close()
	rows.imported.add(n.imported.Seconds())
	rows.importPeak.add(n.importPeak)
	rows.importFlat.add(n.importPeak / fewer.importPeak)
	b.say("import of %d rows: %s s, %s MiB; of %d rows: %s s, %s MiB", people, figure(n.imported.Seconds()), figure(n.importPeak), few, figure(fewer.imported.Seconds()), figure(fewer.importPeak))
	if d, err = n.startSealed(ctx); err != nil {
		return err
	}
	defer func() { d.stop() }()
	if _, err := n.write(ctx, d, sink, "To everybody", rows.messages); err != nil {
		return err
	}
	rows.flat.add(rows.messages.memory.Values[len(rows.messages.memory.Values)-1] / small.memory.Values[0])
	var visible int64
	if err := n.read.QueryRowContext(ctx, `SELECT max(visible_at) FROM posts`).Scan(&visible); err != nil {
		return err
	}
	first := sink.tally().first.Sub(time.UnixMicro(visible))
	rows.first.add(first.Seconds())
	if err := n.command(ctx, "pause", "destination", "mail"); err != nil {
		return err
	}
	stream, err := n.publish(ctx, "To nobody yet")
	if err != nil {
		return err
	}
	seen := time.Now()
	if err := await(ctx, 2*time.Millisecond, 5*time.Minute, "every message is made", func() (whole bool, err error) {
		return whole, n.read.QueryRowContext(ctx, `SELECT whole FROM streams WHERE id = ?`, stream).Scan(&whole)
	}); err != nil {
		return err
	}
	rows.fanOut.add(time.Since(seen).Seconds())
	b.say("first of %d after %s s, fan-out in %s s", people, figure(first.Seconds()), figure(time.Since(seen).Seconds()))
	return n.count(ctx, people, `SELECT count(*) FROM messages WHERE stream = ?`, stream)
}

// memoryWatch looks at the memory of a process until it is ended.
type memoryWatch struct {
	stop, ended chan struct{}
	peak        float64
	err         error
}

func watchMemory(pid int) *memoryWatch {
	w := &memoryWatch{stop: make(chan struct{}), ended: make(chan struct{})}
	go func() { // end waits for it
		defer close(w.ended)
		t := time.NewTicker(100 * time.Millisecond)
		defer t.Stop()
		for {
			mib, _, err := pss(pid)
			if err != nil {
				w.err = err
				return
			}
			w.peak = max(w.peak, mib)
			select {
			case <-w.stop:
				return
			case <-t.C:
			}
		}
	}()
	return w
}

// end gives the most memory that was seen, in MiB.
func (w *memoryWatch) end() (float64, error) {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	<-w.ended
	return w.peak, w.err
}

// process is one of the program's commands, not yet started, with what it will print.
func (s *site) process(ctx context.Context, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, s.b.belfry, append(args, "--config", s.config())...)
	out := &bytes.Buffer{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	return cmd, out
}
