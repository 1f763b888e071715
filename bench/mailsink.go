package main

import (
	"bufio"
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// mailSink is a relay that takes every mail and throws it away. It offers PIPELINING, answers what came together in one write,
// and remembers who got how many mails: people are reader0000001@… and so on.
type mailSink struct {
	listener net.Listener
	delay    time.Duration // before the answer to a mail's end
	serving  sync.WaitGroup

	mails, bytes, other atomic.Int64
	first, last         atomic.Int64 // Unix nanoseconds
	got                 []atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newMailSink starts a sink for so many people.
func newMailSink(people int, delay time.Duration) (*mailSink, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &mailSink{listener: ln, delay: delay, got: make([]atomic.Int32, people+1), conns: map[net.Conn]bool{}}
	s.serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.serving.Go(func() {
				s.serve(conn)
				_ = conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
			})
		}
	})
	return s, nil
}

func (s *mailSink) addr() string { return s.listener.Addr().String() }

func (s *mailSink) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// reset forgets what came.
func (s *mailSink) reset() {
	for _, n := range []*atomic.Int64{&s.mails, &s.bytes, &s.other, &s.first, &s.last} {
		n.Store(0)
	}
	for i := range s.got {
		s.got[i].Store(0)
	}
}

// serve speaks SMTP (RFC 5321) as far as taking mails needs it.
func (s *mailSink) serve(conn net.Conn) {
	in, out := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 4<<10)
	// What waits in the buffer is answered together with what came before it (RFC 2920).
	answer := func(text string) bool {
		_, err := out.WriteString(text)
		return err == nil && (in.Buffered() > 0 || out.Flush() == nil)
	}
	if !answer("220 sink.example ESMTP\r\n") {
		return
	}
	who := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		verb := ""
		if len(line) >= 4 {
			verb = string(bytes.ToUpper(line[:4]))
		}
		text := "250 ok\r\n"
		switch verb {
		case "EHLO":
			text = "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n"
		case "RCPT":
			who = reader0(line)
		case "DATA":
			if !answer("354 go on\r\n") {
				return
			}
			size, err := skipMail(in)
			if err != nil {
				return
			}
			s.take(who, size)
			if s.delay > 0 {
				time.Sleep(s.delay)
			}
		case "QUIT":
			text = "221 bye\r\n"
		}
		if !answer(text) || verb == "QUIT" {
			return
		}
	}
}

// skipMail reads up to the full stop that stands alone, and gives how long the mail was.
func skipMail(in *bufio.Reader) (size int, err error) {
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		whole := err == nil
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio gives it as it is
			return size, err
		}
		if begins && whole && len(line) == 3 && line[0] == '.' && line[1] == '\r' {
			return size, nil
		}
		size, begins = size+len(line), whole
	}
}

// reader0 finds the number in "RCPT TO:<reader0000042@example.org>"; zero for others.
func reader0(line []byte) int {
	_, rest, found := bytes.Cut(line, []byte("<reader"))
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	if !found {
		return 0
	}
	return n
}

func (s *mailSink) take(who, size int) {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	s.last.Store(now)
	s.bytes.Add(int64(size))
	if who <= 0 || who >= len(s.got) {
		s.other.Add(1)
	} else {
		s.got[who].Add(1)
	}
	s.mails.Add(1)
}

// mailTally is what a sink has taken.
type mailTally struct {
	mails, distinct, repeated int
	meanSize                  int
	first, last               time.Time
}

func (s *mailSink) tally() mailTally {
	t := mailTally{mails: int(s.mails.Load())}
	for i := range s.got {
		if n := s.got[i].Load(); n > 0 {
			t.distinct++
			t.repeated += int(n) - 1
		}
	}
	if t.mails > 0 {
		t.meanSize = int(s.bytes.Load()) / t.mails
		t.first, t.last = time.Unix(0, s.first.Load()), time.Unix(0, s.last.Load())
	}
	return t
}
