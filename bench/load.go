package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// reader is one kept-alive connection of a reader of pages. It is as plain as HTTP/1.1 allows, because it shares the
// processors with what it measures.
type reader struct {
	conn net.Conn
	in   *bufio.Reader
	ask  []byte
}

func newReader(addr string) (*reader, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	ask := "GET /c/news HTTP/1.1\r\nHost: " + addr + "\r\nAccept-Encoding: gzip\r\nAccept: text/html\r\n\r\n"
	return &reader{conn: conn, in: bufio.NewReaderSize(conn, 32<<10), ask: []byte(ask)}, nil
}

func (r *reader) close() { _ = r.conn.Close() }

// read asks for the page and gives the size of its body. Anything but a 200 with a declared length is an error.
func (r *reader) read() (int, error) {
	if err := r.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := r.conn.Write(r.ask); err != nil {
		return 0, err
	}
	status, err := r.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("the page was answered with %q", bytes.TrimSpace(status))
	}
	size := -1
	for {
		line, err := r.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if size < 0 {
		return 0, errors.New("the page has no declared length")
	}
	_, err = r.in.Discard(size)
	return size, err
}

// page reads one page and holds it to about its size: the times that it tells change with the minutes.
func (r *reader) page(size int) error {
	n, err := r.read()
	if err == nil && (n < size*9/10 || n > size*11/10) {
		err = fmt.Errorf("the page changed from %d to %d bytes meanwhile", size, n)
	}
	return err
}

func pageSize(addr string) (int, error) {
	r, err := newReader(addr)
	if err != nil {
		return 0, err
	}
	defer r.close()
	return r.read()
}

// closedLoop has clients that ask again as soon as they are answered, and gives the requests answered in a second.
func closedLoop(ctx context.Context, addr string, size, clients int, d time.Duration) (float64, error) {
	var answered atomic.Int64
	group, running := errgroup.WithContext(ctx)
	begun := time.Now()
	for range clients {
		group.Go(func() error {
			r, err := newReader(addr)
			if err != nil {
				return err
			}
			defer r.close()
			for running.Err() == nil && time.Since(begun) < d {
				if err := r.page(size); err != nil {
					return err
				}
				answered.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(answered.Load()) / time.Since(begun).Seconds(), errors.Join(err, ctx.Err())
}

// openLoop asks so often a second whatever becomes of it, and gives how long each request took from the moment it was due,
// in milliseconds.
func openLoop(ctx context.Context, addr string, size, clients, perSecond int, d time.Duration) (sample, error) {
	total := int(d.Seconds() * float64(perSecond))
	out := make(sample, total)
	var next atomic.Int64
	readers := make([]*reader, clients)
	for i := range readers {
		r, err := newReader(addr)
		if err != nil {
			return nil, err
		}
		defer r.close()
		readers[i] = r
	}
	group, running := errgroup.WithContext(ctx)
	begun := time.Now()
	for _, r := range readers {
		group.Go(func() error {
			for running.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= total {
					return nil
				}
				due := begun.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
				time.Sleep(time.Until(due))
				if err := r.page(size); err != nil {
					return err
				}
				out[i] = float64(time.Since(due).Microseconds()) / 1000
			}
			return running.Err()
		})
	}
	return out, group.Wait()
}
