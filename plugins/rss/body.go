package rss

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/belfry-news/belfry/sdk"
)

// acceptEncoding lists what decode reads.
const acceptEncoding = "gzip, br, zstd"

// maxWindow of zstd, the most that HTTP allows (RFC 9659).
const maxWindow = 8 << 20

// readBody reads the body of an answer, decompressed, at most limit bytes of it. cut says that the compressed stream ended
// early, although the message was complete: what came out of it is given.
func readBody(r io.Reader, h http.Header, limit int64) (body []byte, cut bool, err error) {
	var codings []string
	for c := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Content-Encoding"), ",")), ",") {
		if c = strings.TrimSpace(c); c != "" && c != "identity" {
			codings = append(codings, c)
		}
	}
	if len(codings) > 2 {
		return nil, false, sdk.Errorf(sdk.CodeInvalid, opFetch, "the answer is compressed %d times", len(codings))
	}
	raw := &source{Reader: r}
	var in io.Reader = raw
	for i := len(codings) - 1; i >= 0; i-- {
		decoder, err := decode(in, codings[i])
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
	body, err = io.ReadAll(io.LimitReader(in, limit+1))
	if int64(len(body)) > limit {
		return nil, false, sdk.Errorf(sdk.CodeTooLarge, opFetch, "the feed is larger than %s; max_size allows up to 15MiB", Size(limit))
	}
	if err == nil {
		return body, false, nil
	}
	if raw.err == nil && len(body) > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		return body, true, nil
	}
	return nil, false, raw.or(err)
}

// source remembers a failure of the connection, to tell it from one of the decompression.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// or gives the failure of the connection, or else explains that of the decompression.
func (s *source) or(err error) error {
	if s.err != nil {
		return s.err
	}
	var known *sdk.Error
	if errors.As(err, &known) {
		return err
	}
	return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeDestination, Op: opFetch, Public: "the answer cannot be decompressed", Err: err}
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
	return nil, sdk.Errorf(sdk.CodeInvalid, opFetch, "the answer is compressed in an unknown way (%s)", fmt.Sprintf("%.20q", coding))
}
