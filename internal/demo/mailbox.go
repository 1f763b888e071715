package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// mailbox is a mail relay that delivers everything to one place, whatever the address: to itself. It listens on this machine
// alone and hands nothing on. Each mail is written into its journal, and synced, before it is accepted.
type mailbox struct {
	addr    string
	server  *smtp.Server
	served  sync.WaitGroup
	journal func(any) error
	// changed is told that a mail came, or what became of one.
	changed func()

	mu    sync.Mutex
	mails []Mail // in the order they came
	last  int64
}

// keptMails bounds what the page can show.
const keptMails = 200

// mailLine is a line of the journal.
type mailLine struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	To   string    `json:"to"`
	Data string    `json:"data"`
}

// openMailbox begins to take mails.
func openMailbox(journal func(any) error, changed func(), trouble func(sentence string)) (*mailbox, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the mail relay cannot be served: %w", err)
	}
	m := &mailbox{addr: ln.Addr().String(), journal: journal, changed: changed}
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: m}, nil }))
	m.server.Domain = "localhost"
	m.server.MaxRecipients, m.server.MaxMessageBytes = 1, 4<<20
	m.server.ReadTimeout, m.server.WriteTimeout = 2*time.Minute, 10*time.Second
	m.server.EnableSMTPUTF8 = true
	m.server.ErrorLog = quietLog{}
	m.served.Go(func() {
		if err := m.server.Serve(ln); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			trouble("no mail is taken any more: " + err.Error())
		}
	})
	return m, nil
}

// quietLog drops what the server says of connections that break when the power is cut.
type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

// Close ends it.
func (m *mailbox) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close()
	}
	m.served.Wait()
}

// mailSession is one connection.
type mailSession struct {
	box      *mailbox
	from, to string
}

func (s *mailSession) Reset()        { s.from, s.to = "", "" }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt takes anybody; the server itself refuses a second one, since a mail is for one person.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	read, err := readMail(data)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "This mail cannot be read: " + oneLine(err)}
	}
	read.At, read.To = time.Now(), s.to
	if err := s.box.journal(mailLine{read.At, s.from, s.to, string(data)}); err != nil {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The journal cannot be written"}
	}
	s.box.take(read)
	return nil
}

// oneLine writes an error so that it fits an answer.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// take keeps a mail. One that has come already is no new one, as in any mail program.
func (m *mailbox) take(read Mail) {
	m.mu.Lock()
	if i := slices.IndexFunc(m.mails, func(x Mail) bool { return x.MessageID == read.MessageID && x.To == read.To }); i >= 0 {
		m.mails[i].Copies++
	} else {
		m.last++
		read.ID = m.last
		m.mails = append(m.mails, read)
		if extra := len(m.mails) - keptMails; extra > 0 {
			m.mails = slices.Delete(m.mails, 0, extra)
		}
	}
	m.mu.Unlock()
	m.changed()
}

// Mails lists what came, the newest first.
func (m *mailbox) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.mails)
	slices.Reverse(out)
	return out
}

// Mail finds one by its number.
func (m *mailbox) Mail(id int64) (Mail, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.mails, func(x Mail) bool { return x.ID == id })
	if i < 0 {
		return Mail{}, false
	}
	return m.mails[i], true
}

// First is the oldest mail to an address that is as wanted; false while there is none.
func (m *mailbox) First(to string, want func(Mail) bool) (Mail, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.mails, func(x Mail) bool { return x.To == to && want(x) })
	if i < 0 {
		return Mail{}, false
	}
	return m.mails[i], true
}

// clicked notes what became of a mail's button. What was acknowledged once stays so: repeats change nothing.
func (m *mailbox) clicked(id int64, c Click) {
	m.mu.Lock()
	if i := slices.IndexFunc(m.mails, func(x Mail) bool { return x.ID == id }); i >= 0 && !m.mails[i].Click.Done() {
		m.mails[i].Click = &c
	}
	m.mu.Unlock()
	m.changed()
}
