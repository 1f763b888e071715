package demo

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// readerView is the made-up reader's way, as the page shows it.
type readerView struct {
	Name, Address string
	Stations      []station
	// Since says what came after the reader left, and Record leads to what is kept about them.
	Since, Record string
}

// mailView is a mail as a mail program shows it.
type mailView struct {
	ID, Key                  string
	Subject, From, To, Clock string
	// Path is where its HTML is, Here what the page's address is when it is chosen.
	Path, Here string
	Current    bool
	Copies     string
	// OneClick says that the mail itself offers to be left by one click.
	OneClick bool
	// Left says what became of the button; Done that it was acknowledged.
	Left string
	Done bool
	// Record leads to the record of the mail's reader, once they have one.
	Record string
}

// leavePath is where the button of a mail goes.
const leavePath = "/demo/leave"

// shownMails is how many mails the list has.
const shownMails = 40

// reader tells how far the made-up reader has come.
func (v *view) reader(d *Demo, e edition) {
	r := d.readers[e.Lang]
	j := r.Journey()
	out := &readerView{Name: r.Name, Address: r.Address}
	clock := func(t time.Time) string { return t.In(d.zone).Format("15:04:05") }
	took := func(from, to time.Time) string { return seconds(v.Lang(), max(to.Sub(from), 0)) }
	news := clock(j.First)
	if !j.Published.IsZero() {
		news = took(j.Published, j.First)
	}
	before := true
	for _, s := range []struct {
		at         time.Time
		name, time string
	}{
		{j.Asked, v.Text("demo.reader.follows"), clock(j.Asked)},
		{j.Invited, v.Text("demo.reader.asked"), took(j.Asked, j.Invited)},
		{j.Confirmed, v.Text("demo.reader.confirms"), clock(j.Confirmed)},
		{j.First, v.Text("demo.reader.message"), news},
		{j.Left, v.Text("demo.reader.leaves"), clock(j.Left)},
	} {
		st := station{s.name, s.time, "there"}
		switch {
		case s.at.IsZero() && before:
			st.Time, st.State = "…", "under-way"
		case s.at.IsZero():
			st.Time, st.State = "·", "idle"
		}
		before = !s.at.IsZero()
		out.Stations = append(out.Stations, st)
	}
	if !j.Left.IsZero() {
		mails := 0
		for _, m := range d.mailbox.Mails() {
			if m.To == r.Address && m.At.After(j.Left) {
				mails++
			}
		}
		out.Since = v.Text("demo.reader.since", "articles", v.Count("demo.articles", d.watch.newSince(e.Lang, j.Left)), "mails", v.Count("demo.mails", mails))
	}
	if j.Record != "" {
		out.Record = j.Record + "?lang=" + v.Lang()
	}
	v.Reader = out
}

// inbox lists the mails that came, but for those of the other editions' made-up readers.
func (v *view) inbox(d *Demo, e edition, chosen string) {
	v.Follow = "/follow/" + e.Channel + "?lang=" + v.Lang()
	theirs := map[string]bool{}
	for lang, r := range d.readers {
		theirs[r.Address] = lang != e.Lang
	}
	for _, m := range d.mailbox.Mails() {
		if theirs[m.To] || len(v.Mails) == shownMails {
			continue
		}
		v.Mails = append(v.Mails, v.mail(d, m))
		last := &v.Mails[len(v.Mails)-1]
		last.Here = "/demo?lang=" + v.Lang()
		if len(v.Mails) > 1 { // the newest is shown without being chosen, and so is the next one that comes
			last.Here += "&mail=" + last.ID
		}
		last.Here += "#inbox"
		if last.ID == chosen {
			v.Chosen = chosen
		}
	}
	for i := range v.Mails {
		if m := &v.Mails[i]; m.ID == v.Chosen || v.Chosen == "" && i == 0 {
			m.Current = true
			v.Letter = m
		}
	}
}

func (v *view) mail(d *Demo, m Mail) mailView {
	id := strconv.FormatInt(m.ID, 10)
	out := mailView{ID: id, Key: "mail-" + id, Subject: m.Subject, From: m.From, To: m.To, Clock: m.At.In(d.zone).Format("15:04:05"), Path: "/demo/mail/" + id,
		OneClick: m.OneClick, Done: m.Click.Done()}
	if m.Copies > 1 {
		out.Copies = v.Count("demo.mail.copies", m.Copies)
	}
	if path := m.Path(d.base, "/me/", "/why"); path != "" {
		out.Record = path + "?lang=" + v.Lang()
	}
	if c := m.Click; c.Done() {
		out.Left = v.Text("demo.mail.left", "time", c.At.In(d.zone).Format("15:04:05"), "took", strings.TrimPrefix(seconds(v.Lang(), c.Took), "+"))
	} else if c != nil {
		out.Left = v.Text("demo.mail.failed")
	}
	return out
}

// letter shows the HTML of a mail as a mail program does: without scripts, forms and anything from elsewhere, and with links
// that open beside it.
func (p *pages) letter(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	m, ok := p.d.mailbox.Mail(id)
	if err != nil || !ok {
		http.Error(w, "There is no such mail in the inbox of the demonstration.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "+
		"form-action 'none'; base-uri 'none'; frame-ancestors 'self'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	text := strings.Replace(m.HTML, "<head>", `<head><base target="_blank">`, 1)
	// The reader may have come by another name of this machine than the one that mails are written for.
	text = strings.ReplaceAll(text, `href="`+template.HTMLEscapeString(p.d.base)+"/", `href="/`)
	_, _ = w.Write([]byte(text)) // the reader has gone
}

// clickTime bounds the button: an acknowledgement may wait for what is under way.
const clickTime = 25 * time.Second

// leave presses the button of a mail for its reader. Where the power is away, the page says so.
func (p *pages) leave(r *http.Request, _ edition) error {
	id, err := strconv.ParseInt(r.FormValue("id"), 10, 64)
	m, ok := p.d.mailbox.Mail(id)
	if err != nil || !ok || !m.OneClick {
		return errNotYet
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), clickTime)
	defer cancel()
	c, err := p.d.browser.OneClick(ctx, m)
	if errors.Is(err, errNothingToDo) {
		return errNotYet // its address is none of ours
	}
	p.d.mailbox.clicked(m.ID, c)
	return nil
}
