package consent

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// rowLines hands the lines of a file to a CSV reader, one at each Read, and can hand those of a record again that turned
// out to be broken.
type rowLines struct {
	from *bufio.Reader
	// pending are lines to be handed over before the file's next.
	pending []textLine
	// taken are those that the record under way was given; rest is what did not fit into a Read.
	taken []textLine
	rest  []byte
	bytes int
	// number is of the last line that was read from the file.
	number int
	read   int64
	legacy int
	// ended says that the record under way gets no more lines, cut that it is too long, fault what is wrong with a line.
	ended bool
	cut   bool
	fault string
	err   error
}

type textLine struct {
	number int
	text   []byte
	fault  string
}

// first looks at the first line.
func (l *rowLines) first() ([]byte, error) {
	for {
		line, err := l.line1()
		if err != nil {
			return nil, err
		}
		l.pending = append(l.pending, line)
		if len(bytes.TrimSpace(line.text)) > 0 {
			return line.text, nil
		}
	}
}

func (l *rowLines) begin() {
	l.taken, l.rest, l.bytes, l.ended, l.cut, l.fault = l.taken[:0], nil, 0, false, false, ""
}

// line is where the record under way begins: its first line that is not empty.
func (l *rowLines) line() int {
	for _, t := range l.taken {
		if len(bytes.TrimSpace(t.text)) > 0 || t.fault != "" {
			return t.number
		}
	}
	return l.number
}

// over says that the file has nothing more.
func (l *rowLines) over() bool { return l.err != nil && len(l.pending) == 0 }

// again hands over what follows the first line of the broken record once more.
func (l *rowLines) again() {
	first := l.line()
	var back []textLine
	for _, t := range l.taken {
		if t.number > first {
			back = append(back, t)
		}
	}
	l.pending = append(back, l.pending...)
	l.taken, l.rest = l.taken[:0], nil
}

// Read implements io.Reader.
func (l *rowLines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.ended {
			return 0, io.EOF
		}
		line, err := l.next()
		if err != nil {
			return 0, err
		}
		if long := l.bytes+len(line.text) > mostRowBytes || len(l.taken) >= mostRowLines; long || line.fault != "" {
			if l.ended = true; l.bytes > 0 || long { // the record before this line ends here, and is broken
				l.pending, l.cut = append([]textLine{line}, l.pending...), long
				return 0, io.EOF
			}
			l.taken, l.fault = append(l.taken, line), line.fault
			return 0, io.EOF
		}
		l.taken = append(l.taken, line)
		l.bytes += len(bytes.TrimSpace(line.text))
		l.rest = line.text
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *rowLines) next() (textLine, error) {
	if len(l.pending) > 0 {
		line := l.pending[0]
		l.pending = l.pending[1:]
		return line, nil
	}
	return l.line1()
}

// line1 reads a line of the file, as UTF-8.
func (l *rowLines) line1() (textLine, error) {
	if l.err != nil {
		return textLine{}, io.EOF
	}
	text, err := l.from.ReadSlice('\n')
	l.read += int64(len(text))
	if len(text) == 0 && err != nil {
		l.err = err
		return textLine{}, io.EOF
	}
	l.number++
	line := textLine{number: l.number}
	if errors.Is(err, bufio.ErrBufferFull) {
		line.fault = fmt.Sprintf("the line is longer than %d KiB", mostRowBytes>>10)
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = l.from.ReadSlice('\n')
			l.read += int64(len(text))
		}
	}
	if err != nil {
		l.err = err // the last line has no end
	}
	if line.fault != "" {
		return line, nil
	}
	line.text = bytes.Clone(text)
	if !utf8.Valid(line.text) {
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(line.text)
		if err != nil || slices.ContainsFunc(line.text, notWindows1252) {
			line.fault, line.text = "it is neither UTF-8 nor Windows-1252; save the file as UTF-8", nil
			return line, nil //nolint:nilerr // it is the fault of the line
		}
		line.text = decoded
		l.legacy++
	}
	return line, nil
}

// notWindows1252 reports whether a byte stands for nothing in Windows-1252, or for nothing in a text.
func notWindows1252(b byte) bool {
	switch b {
	case 0, 0x81, 0x8d, 0x8f, 0x90, 0x9d:
		return true
	}
	return false
}
