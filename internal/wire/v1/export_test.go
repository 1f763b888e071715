package wire

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Timestamp is how a time crosses.
func Timestamp(t time.Time) *timestamppb.Timestamp { return toTime(t) }

// CodeOf gives the code of an error that crossed.
func CodeOf(err error) string {
	return string(sdk.AsError(fromStatus(context.Background(), err, opMessage())).Code)
}

// SetClock gives an instance another time, and another way to wait.
func (i *Instance) SetClock(now func() time.Time, pause func(ctx context.Context, d time.Duration) error) {
	i.clock = clock{now, pause}
}
