package wire

import (
	"errors"
	"io"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// received replays messages and then ends as told.
func received(end error, messages ...*PublishRequest) func() (*PublishRequest, error) {
	return func() (*PublishRequest, error) {
		if len(messages) == 0 {
			return nil, end
		}
		m := messages[0]
		messages = messages[1:]
		return m, nil
	}
}

func piece(file int64, data string) *PublishRequest {
	return &PublishRequest{Piece: &FilePiece{File: file, Data: []byte(data)}}
}

// TestUploadsThatBreakOff: whatever arrives, a connector is called with whole files or not at all.
func TestUploadsThatBreakOff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		recv func() (*PublishRequest, error)
		code sdk.Code
	}{
		"whole":                   {received(io.EOF, piece(0, "ab"), &PublishRequest{}, piece(1, "d"), piece(0, "c")), ""},
		"a piece is missing":      {received(io.EOF, piece(0, "ab"), piece(1, "d")), sdk.CodeUnavailable},
		"a piece too many":        {received(io.EOF, piece(0, "abcd"), piece(1, "d")), sdk.CodeUnavailable},
		"a file too many":         {received(io.EOF, piece(2, "ab")), sdk.CodeInvalid},
		"a file before the first": {received(io.EOF, piece(-1, "ab")), sdk.CodeInvalid},
		"the host is gone":        {received(status.Error(codes.Canceled, "gone"), piece(0, "ab")), sdk.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := make([]sdk.File, 2)
			err := download(opPublish(), files, []int64{3, 1}, tc.recv, (*PublishRequest).GetPiece)
			if tc.code == "" {
				if err != nil || string(files[0].Data) != "abc" || string(files[1].Data) != "d" {
					t.Errorf("%q and %q, %v", files[0].Data, files[1].Data, err)
				}
			} else if !errors.Is(err, &sdk.Error{Code: tc.code}) {
				t.Errorf("got %v, want %s", err, tc.code)
			}
		})
	}
	t.Run("a size that nobody has memory for", func(t *testing.T) {
		t.Parallel()
		files := make([]sdk.File, 1)
		err := download(opPublish(), files, []int64{1 << 60}, received(io.EOF), (*PublishRequest).GetPiece)
		if !errors.Is(err, &sdk.Error{Code: sdk.CodeUnavailable}) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no head", func(t *testing.T) {
		t.Parallel()
		if _, err := first(opPublish(), received(io.EOF, &PublishRequest{}), (*PublishRequest).GetHandle); err == nil {
			t.Error("a request without a head was taken")
		}
	})
}
