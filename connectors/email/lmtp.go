package email

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/belfry-news/belfry/sdk"
)

// lmtp takes mails over LMTP (RFC 2033). A mail is answered with 250 only when what it says is safe; until then the mail
// server keeps it, and it tries again after a 451.
type lmtp struct {
	server *smtp.Server
	mails  chan handover
	ended  chan struct{}
	served sync.WaitGroup
	failed error // why serving ended; read after ended
	stop   sync.Once
}

// handover is a mail with the session that waits for its answer.
type handover struct {
	mail received
	safe chan struct{}
}

// lmtpWait is how long a session waits for its mail to be safe.
const lmtpWait = time.Minute

var errNotNow = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not now, try again later"}

func openLMTP(ctx context.Context, address string) (*lmtp, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Err: err,
			Public: "nobody can listen on " + address + " (bounces.lmtp); another program may use it, or ports below 1024 may need a right"}
	}
	l := &lmtp{mails: make(chan handover), ended: make(chan struct{})}
	l.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &lmtpSession{box: l}, nil }))
	l.server.LMTP, l.server.Domain = true, "localhost"
	l.server.MaxMessageBytes, l.server.MaxRecipients = 64<<20, 100
	l.server.ReadTimeout, l.server.WriteTimeout = 5*time.Minute, time.Minute
	l.server.EnableSMTPUTF8, l.server.MaxLineLength = true, 1<<20 // what came back may be written badly
	l.server.ErrorLog = quietLog{}
	l.served.Go(func() {
		l.failed = l.server.Serve(listener)
		l.finish()
	})
	return l, nil
}

// quietLog drops what the server says of broken connections: it would hold addresses.
type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

func (l *lmtp) finish() { l.stop.Do(func() { close(l.ended) }) }

func (l *lmtp) next(ctx context.Context) (received, error) {
	select {
	case h := <-l.mails:
		r := h.mail
		r.settle = func() error { close(h.safe); return nil }
		return r, nil
	case <-ctx.Done():
		return received{}, givenUp(ctx)
	case <-l.ended:
		return received{}, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Err: l.failed, Public: "the LMTP server has ended"}
	}
}

func (l *lmtp) close() error {
	l.finish()
	err := l.server.Close()
	l.served.Wait()
	if errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

// lmtpSession is one mail server's connection.
type lmtpSession struct {
	box *lmtp
	to  []string
}

func (s *lmtpSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *lmtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.ContainsAny(to, "\r\n\x00") {
		return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "No such address"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data waits until the mail is safe.
func (s *lmtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxMail))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	h := handover{mail: received{raw: raw, to: append([]string{}, s.to...), at: time.Now()}, safe: make(chan struct{})}
	timeout := time.NewTimer(lmtpWait)
	defer timeout.Stop()
	select {
	case s.box.mails <- h:
	case <-timeout.C:
		return errNotNow
	case <-s.box.ended:
		return errNotNow
	}
	select {
	case <-h.safe:
		return nil
	case <-timeout.C:
		return errNotNow
	case <-s.box.ended:
		return errNotNow
	}
}

func (s *lmtpSession) Reset() { s.to = nil }

func (s *lmtpSession) Logout() error { return nil }
