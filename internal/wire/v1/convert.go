package wire

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// each converts a list; an empty one becomes nil.
func each[T, U any](in []T, f func(*T) U) []U {
	if len(in) == 0 {
		return nil
	}
	out := make([]U, len(in))
	for i := range in {
		out[i] = f(&in[i])
	}
	return out
}

// eachFrom converts a list of messages; an empty one becomes nil.
func eachFrom[T, U any](in []*T, f func(*T) U) []U {
	if len(in) == 0 {
		return nil
	}
	out := make([]U, len(in))
	for i := range in {
		out[i] = f(in[i])
	}
	return out
}

// text makes a string that a message can carry.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(in []string) []string { return each(in, func(s *string) string { return text(*s) }) }

func words[W ~string](in []W) []string {
	return each(in, func(w *W) string { return text(string(*w)) })
}

func fromWords[W ~string](in []string) []W { return each(in, func(s *string) W { return W(*s) }) }

// toTime gives nil for the zero time and for what lies outside of the years 1 to 9999.
func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	ts := timestamppb.New(t)
	if !ts.IsValid() {
		return nil
	}
	return ts
}

// fromTime gives the zero time for what is no instant in the years 1 to 9999.
func fromTime(ts *timestamppb.Timestamp) time.Time {
	if ts == nil || !ts.IsValid() {
		return time.Time{}
	}
	return ts.AsTime()
}

func toDuration(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

func fromDuration(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return max(d.AsDuration(), 0)
}
