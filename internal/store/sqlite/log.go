package sqlite

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// The write-ahead log holds commits that are not in the database file yet. SQLite takes a log that is missing, or that is
// damaged somewhere, for one that ends there, and forgets every commit behind: posts that have left would leave again.
// That is noticed before SQLite looks, by a mark that stands while the database is in use and by reading the log.

// logOf and markOf are the neighbours of a database file.
func logOf(file string) string  { return file + "-wal" }
func markOf(file string) string { return file + "-open" }

// setMark notes that the database is in use, and which file its log is. What was committed is in the log until the mark
// goes.
func setMark(file string) error {
	f, err := os.OpenFile(markOf(file), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("the mark %s cannot be made: %w", markOf(file), err)
	}
	_, err = f.WriteString(numberOf(logOf(file)))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("the mark %s cannot be written: %w", markOf(file), err)
	}
	return nil
}

// endMark removes the mark before the last connection closes, which empties the log and removes it.
func endMark(file string) error {
	if err := os.Remove(markOf(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the mark %s cannot be removed: %w", markOf(file), err)
	}
	return nil
}

// dropMark removes the mark that a dead daemon left, once a command has moved its log into the database file.
func dropMark(file string) {
	if _, err := os.Stat(logOf(file)); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(markOf(file)) // the next start says so if it stays
	}
}

// marked reports whether the database was not closed the last time.
func marked(file string) bool {
	_, err := os.Stat(markOf(file))
	return err == nil
}

// checkPresent refuses a database whose log is missing although it was in use.
func checkPresent(file string) error {
	how := "is missing"
	if info, err := os.Stat(logOf(file)); err == nil && info.Size() == 0 && replaced(file) {
		how = "was removed while the database was in use, and an empty one stands in its place"
	} else if !errors.Is(err, fs.ErrNotExist) || !marked(file) {
		return nil
	}
	return fmt.Errorf("%s %s, and the daemon did not end by itself: its last commits were in there, and without them posts would be sent again. "+
		"Put the file back, or restore a backup. If another program has opened %s since, nothing is missing: remove %s",
		logOf(file), how, filepath.Base(file), markOf(file))
}

// logInPlace gives a function that says when the log of an open database is not where it was any more. What is committed
// then goes into a file without a name, which is lost with the process; closing the database still moves it into the
// database file.
func logInPlace(file string) func() error {
	opened := numberOf(logOf(file))
	return func() error {
		if opened == "" || numberOf(logOf(file)) == opened {
			return nil
		}
		return fmt.Errorf("%s was removed while the database is in use", logOf(file))
	}
}

// replaced reports whether the log is another file than the one that the mark knows: a connection that found none, because
// somebody removed it under a running daemon, has made a new one. The log is emptied now and then, but stays the same file.
func replaced(file string) bool {
	was, err := os.ReadFile(markOf(file))
	is := numberOf(logOf(file))
	return err == nil && len(was) > 0 && is != "" && string(was) != is
}

// checkLog refuses a database whose log is missing although it was in use, or is damaged before its last commit. Nobody
// may be writing to it.
func checkLog(file string) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return endMark(file) // there is nothing to lose
	}
	if err := checkPresent(file); err != nil {
		return err
	}
	f, err := os.Open(logOf(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the log %s cannot be read: %w", logOf(file), err)
	}
	defer f.Close()
	whole, err := readLog(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return fmt.Errorf("the log %s cannot be read: %w", logOf(file), err)
	}
	if !whole {
		return fmt.Errorf("%s is damaged, and commits stand behind the damage that would be lost: posts would be sent again. "+
			"Restore the file or a backup. To start without them all the same, remove %s and %s",
			logOf(file), logOf(file), markOf(file))
	}
	return nil
}

// readLog reports whether every transaction of a log can be read, besides the last one: that may have been cut off in the
// middle, and then nobody was told that it happened. The format is that of https://www.sqlite.org/fileformat.html, section
// 4: a header of 32 bytes, then frames of 24 bytes and a page, each with the header's two salts and a running checksum.
// Frames with other salts are left from an earlier use of the file.
func readLog(r io.Reader) (whole bool, err error) {
	head := make([]byte, 32)
	if _, err := io.ReadFull(r, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true, nil // nothing was written to it
	} else if err != nil {
		return false, err
	}
	magic := binary.BigEndian.Uint32(head)
	if magic&^1 != 0x377f0682 {
		return false, nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	sum := checksum{order: order}
	sum.add(head[:24])
	page := binary.BigEndian.Uint32(head[8:])
	if !sum.is(head[24:]) || page < 512 || page > 65536 || page&(page-1) != 0 {
		return false, nil
	}
	salts := [8]byte(head[16:24])
	frame := make([]byte, 24+page)
	damaged, ended := false, false // a frame was bad; and a commit came behind it
	for {
		if _, err := io.ReadFull(r, frame); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		ours, commit := [8]byte(frame[8:16]) == salts, binary.BigEndian.Uint32(frame[4:8]) != 0
		if !damaged {
			sum.add(frame[:8])
			sum.add(frame[24:])
			damaged = !ours || !sum.is(frame[16:24])
			ended = damaged && commit
			continue
		}
		if ours && ended {
			return false, nil // a later transaction began, so that the damaged one had been confirmed
		}
		ended = ended || commit
	}
}

// emptyLog gives a function that moves the log into the database file and empties it, so that nothing of what was deleted
// stays in it; false when somebody still reads it. Writers wait meanwhile, so that one try is short.
func emptyLog(file string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		db, err := connect(file, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(500)", "synchronous(FULL)"}})
		if err != nil {
			return false, err
		}
		defer db.Close()
		var busy, frames, moved int
		if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
			return false, damaged(file, fmt.Errorf("empty the log: %w", err))
		}
		return busy == 0, nil
	}
}

// checksum is the running checksum of the log: two sums over words of 32 bits.
type checksum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (c *checksum) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		c.s0 += c.order.Uint32(b) + c.s1
		c.s1 += c.order.Uint32(b[4:]) + c.s0
	}
}

func (c *checksum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == c.s0 && binary.BigEndian.Uint32(b[4:]) == c.s1
}
