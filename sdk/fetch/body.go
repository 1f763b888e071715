package fetch

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/belfry-news/belfry/sdk"
)

// acceptEncoding lists what decode reads.
const acceptEncoding = "gzip, br, zstd"

// maxWindow of zstd, the most that HTTP allows (RFC 9659).
const maxWindow = 8 << 20

// large is the size beyond which a document needs a place among the few large ones that are held at a time, in bytes.
const large = 1 << 20

// ReadBody reads the body of an answer, decompressed, at most limit bytes of it. Before it goes beyond large bytes it calls
// place. cut says that the compressed stream ended early, although the message was complete: what came out of it is given.
func ReadBody(r io.Reader, h http.Header, limit int64, place func() error) (body []byte, cut bool, err error) {
	var codings []string
	for c := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Content-Encoding"), ",")), ",") {
		if c = strings.TrimSpace(c); c != "" && c != "identity" {
			codings = append(codings, c)
		}
	}
	if len(codings) > 2 {
		return nil, false, failf(sdk.CodeInvalid, "the answer is compressed %d times", len(codings))
	}
	raw := &stream{Reader: r}
	var in io.Reader = raw
	for _, coding := range slices.Backward(codings) {
		decoder, err := decode(in, coding)
		if err != nil {
			return nil, false, raw.or(err)
		}
		if decoder != nil {
			defer decoder.Close()
			in = decoder
		}
	}
	if len(codings) == 0 {
		// Some servers compress without saying so, and some feeds are files that were compressed beforehand.
		buffered := bufio.NewReaderSize(raw, 4096)
		in = buffered
		if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
			decoder, err := gzip.NewReader(buffered)
			if err != nil {
				return nil, false, raw.or(err)
			}
			defer decoder.Close()
			in = decoder
		}
	}
	body, err = readAll(io.LimitReader(in, limit+1), place)
	if int64(len(body)) > limit {
		return nil, false, tooLarge(limit)
	}
	if err == nil {
		return body, false, nil
	}
	if raw.err == nil && len(body) > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		return body, true, nil
	}
	return nil, false, raw.or(err)
}

// readAll is io.ReadAll with a question on the way, and with fewer copies of what is large.
func readAll(r io.Reader, place func() error) ([]byte, error) {
	body := make([]byte, 0, 32<<10)
	for {
		if len(body) == cap(body) {
			if cap(body) >= large && place != nil {
				if err := place(); err != nil {
					return nil, err
				}
				place = nil
			}
			body = slices.Grow(body, cap(body))
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}

// stream remembers a failure of the connection, to tell it from one of the decompression.
type stream struct {
	io.Reader
	err error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// or gives the failure of the connection, or else explains that of the decompression.
func (s *stream) or(err error) error {
	if s.err != nil {
		return s.err
	}
	if _, ok := errors.AsType[*sdk.Error](err); ok {
		return err
	}
	return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeDestination, Op: Op, Public: "the answer cannot be decompressed", Err: err}
}

// decode undoes one coding. It gives nil for a body that only claims to be compressed.
func decode(in io.Reader, coding string) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(in, 4096)
	magic, err := buffered.Peek(4)
	if err != nil && len(magic) == 0 {
		if errors.Is(err, io.EOF) {
			return io.NopCloser(buffered), nil // an empty body
		}
		return nil, err
	}
	switch coding {
	case "gzip", "x-gzip":
		if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
			return io.NopCloser(buffered), nil
		}
		return gzip.NewReader(buffered)
	case "br":
		return io.NopCloser(brotli.NewReader(buffered)), nil
	case "zstd":
		d, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow*2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case "deflate":
		// The coding is zlib's format; some servers send it bare.
		if len(magic) >= 2 && magic[0]&0x0f == 8 && (int(magic[0])<<8|int(magic[1]))%31 == 0 {
			return zlib.NewReader(buffered)
		}
		return flate.NewReader(buffered), nil
	}
	return nil, failf(sdk.CodeInvalid, "the answer is compressed in an unknown way (%s)", fmt.Sprintf("%.20q", coding))
}
