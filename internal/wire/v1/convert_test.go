package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// The generator fills every field of a value of package sdk by reflection, so that a field that somebody adds there and
// forgets here fails these tests.

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[sdk.Node]()
)

func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Type() {
	case timeType:
		if rapid.Bool().Draw(t, "known") {
			secs := rapid.Int64Range(-62135596799, 253402300799).Draw(t, "secs")
			v.Set(reflect.ValueOf(time.Unix(secs, rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()))
		}
		return
	case durationType:
		v.SetInt(rapid.OneOf(rapid.Just(int64(sdk.Forever)), rapid.Int64Min(0)).Draw(t, "duration"))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, depth)
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "present") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
			return
		}
		most := 3
		if v.Type().Elem() == nodeType {
			if depth++; depth > 3 {
				return
			}
			most = 2
		}
		n := rapid.IntRange(0, most).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), depth)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, "entries") {
			val := reflect.New(v.Type().Elem()).Elem()
			fill(t, val, depth)
			v.SetMapIndex(reflect.ValueOf(rapid.String().Draw(t, "key")), val)
		}
	default:
		panic("a kind of field that the generator does not know: " + v.Type().String())
	}
}

// onTheWire marshals and unmarshals, because only that shows what a message really carries.
func onTheWire[M proto.Message](t *rapid.T, m M) M {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return out.(M)
}

func roundTrip[V any](t *testing.T, name string, trip func(t *rapid.T, v *V) V, strip ...func(*V)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			var v V
			fill(t, reflect.ValueOf(&v).Elem(), 0)
			want := v
			for _, s := range strip {
				s(&want)
			}
			if diff := cmp.Diff(want, trip(t, &v), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("lost on the way (-want +got):\n%s", diff)
			}
		})
	})
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	noFiles := func(m []sdk.Media) []sdk.Media {
		out := make([]sdk.Media, len(m))
		for i := range m {
			out[i] = m[i]
			out[i].File.Data = nil
		}
		return out
	}
	roundTrip(t, "item", func(t *rapid.T, v *sdk.Item) sdk.Item { return fromItem(onTheWire(t, toItem(v))) },
		func(v *sdk.Item) { v.Media = noFiles(v.Media) })
	roundTrip(t, "post", func(t *rapid.T, v *sdk.Post) sdk.Post { return fromPost(onTheWire(t, toPost(v))) },
		func(v *sdk.Post) { v.Media = noFiles(v.Media) })
	roundTrip(t, "part", func(t *rapid.T, v *sdk.Part) sdk.Part { return fromPart(onTheWire(t, toPart(v))) },
		func(v *sdk.Part) {
			files := make([]sdk.File, len(v.Files))
			for i := range files {
				files[i] = v.Files[i]
				files[i].Data = nil
			}
			v.Files = files
		})
	roundTrip(t, "fetch request", func(t *rapid.T, v *sdk.FetchRequest) sdk.FetchRequest {
		return fromFetchRequest(onTheWire(t, toFetchRequest(At{Handle: "1"}, v)))
	})
	roundTrip(t, "batch", func(t *rapid.T, v *sdk.Batch) sdk.Batch {
		var out sdk.Batch
		if err := sendBatch(v, func(c *BatchChunk) error { addChunk(&out, onTheWire(t, c)); return nil }); err != nil {
			t.Fatalf("send: %v", err)
		}
		return out
	}, func(v *sdk.Batch) {
		v.Items = append([]sdk.Item(nil), v.Items...)
		for i := range v.Items {
			v.Items[i].Media = noFiles(v.Items[i].Media)
		}
	})
	roundTrip(t, "webhook request", func(t *rapid.T, v *sdk.WebhookRequest) sdk.WebhookRequest {
		return fromWebhookRequest(onTheWire(t, toWebhookRequest(v)))
	})
	roundTrip(t, "verdict", func(t *rapid.T, v *sdk.Verdict) sdk.Verdict { return fromVerdict(onTheWire(t, toVerdict(v))) })
	roundTrip(t, "item ref", func(t *rapid.T, v *sdk.ItemRef) sdk.ItemRef { return fromItemRef(onTheWire(t, toItemRef(v))) })
	roundTrip(t, "presence", func(t *rapid.T, v *sdk.Presence) sdk.Presence { return fromPresence(onTheWire(t, toPresence(v))) })
	roundTrip(t, "channel ref", func(t *rapid.T, v *sdk.ChannelRef) sdk.ChannelRef {
		return fromChannelRef(onTheWire(t, toChannelRef(v)))
	})
	roundTrip(t, "limits", func(t *rapid.T, v *sdk.Limits) sdk.Limits { return fromLimits(onTheWire(t, toLimits(v))) })
	roundTrip(t, "part ref", func(t *rapid.T, v *sdk.PartRef) sdk.PartRef { return fromPartRef(onTheWire(t, toPartRef(v))) })
	roundTrip(t, "problem", func(t *rapid.T, v *sdk.Problem) sdk.Problem { return fromProblem(onTheWire(t, toProblem(v))) },
		func(v *sdk.Problem) { v.Needs = nil }) // it is for whoever decodes, and used up there
	roundTrip(t, "field", func(t *rapid.T, v *sdk.Field) sdk.Field { return fromSetting(onTheWire(t, toSetting(v))) })
}

func TestAllBytesOfAWebhookCross(t *testing.T) {
	t.Parallel()
	want := sdk.WebhookRequest{Method: "PO\xffST", Path: "/\xc3\x28", Query: "a=\xff", Body: []byte{0, 0xff},
		Header: map[string][]string{"X-\xfe": {"\xff", ""}, "Empty": nil}}
	got := fromWebhookRequest(toWebhookRequest(&want))
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("lost on the way (-want +got):\n%s", diff)
	}
}

func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	m := toItem(&sdk.Item{Key: "k", Title: "a\xffb", Tags: []string{"\xc3\x28"}, Body: sdk.Body{sdk.Paragraph(sdk.Text("\xf0"))}})
	if _, err := proto.Marshal(m); err != nil {
		t.Fatalf("the message cannot be written: %v", err)
	}
	got := fromItem(m)
	want := []string{"a\uFFFDb", "\uFFFD(", "\uFFFD"}
	if diff := cmp.Diff(want, []string{got.Title, got.Tags[0], got.Body[0].Children[0].Text}); diff != "" {
		t.Error(diff)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	paris := time.FixedZone("", 3600)
	for name, tc := range map[string]struct{ in, want time.Time }{
		"zero stays zero":           {time.Time{}, time.Time{}},
		"a zone becomes UTC":        {time.Date(2026, 3, 29, 2, 30, 0, 1, paris), time.Date(2026, 3, 29, 1, 30, 0, 1, time.UTC)},
		"the epoch is no zero time": {time.Unix(0, 0), time.Unix(0, 0).UTC()},
		"after the year 9999":       {time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}},
		"before the year 1":         {time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fromTime(toTime(tc.in)); !got.Equal(tc.want) || got.Location() != time.UTC && !got.IsZero() {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	for name, ts := range map[string]*timestamppb.Timestamp{
		"seconds out of range": {Seconds: 1 << 62}, "nanos out of range": {Nanos: 2_000_000_000}, "absent": nil,
	} {
		t.Run("received with "+name, func(t *testing.T) {
			t.Parallel()
			if got := fromTime(ts); !got.IsZero() {
				t.Errorf("got %v, want the zero time", got)
			}
		})
	}
}

func TestNegativeDurationsBecomeZero(t *testing.T) {
	t.Parallel()
	if got := fromDuration(toDuration(-time.Second)); got != 0 {
		t.Errorf("got %v", got)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tree := map[string]any{
		"n": json.Number("1.10"), "big": json.Number("123456789012345678901234567890"), "s": "010", "null": nil, "yes": true,
		"list": []any{sdk.Untyped("5"), "5", map[string]any{"a/b~c": sdk.Untyped("true")}},
		"from": sdk.Untyped("90s"), "html": "<a href=\"x\">&\u2028</a>",
	}
	c, err := toConfig(tree)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/from", "/list/0", "/list/2/a~1b~0c"}, c.GetUntyped()); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}
	got, err := fromConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree, got); diff != "" {
		t.Errorf("lost on the way (-want +got):\n%s", diff)
	}
	t.Run("absent", func(t *testing.T) {
		t.Parallel()
		got, err := fromConfig(nil)
		if err != nil || got == nil || len(got) != 0 {
			t.Errorf("got %v, %v; want an empty tree", got, err)
		}
	})
	for name, text := range map[string]string{"a list": "[]", "null": "null", "two values": "{} {}", "cut off": `{"a":`} {
		t.Run("refused: "+name, func(t *testing.T) {
			t.Parallel()
			if _, err := fromConfig(&Config{Json: []byte(text)}); !errors.Is(err, &sdk.Error{Code: sdk.CodeInvalid}) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
	t.Run("a number that is none", func(t *testing.T) {
		t.Parallel()
		if _, err := toConfig(map[string]any{"n": json.Number("0x1")}); !errors.Is(err, &sdk.Error{Code: sdk.CodeInvalid}) {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

func TestErrorsCross(t *testing.T) {
	t.Parallel()
	secret := errors.New("token hunter2")
	for name, tc := range map[string]struct {
		in   error
		want sdk.Error
	}{
		"whole": {&sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeAccount, Op: "sendMessage", Public: "too fast",
			RetryAfter: 90 * time.Second, Err: secret},
			sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeAccount, Op: "sendMessage", Public: "too fast", RetryAfter: 90 * time.Second}},
		"a code and a scope of tomorrow": {&sdk.Error{Code: "quantum_lost", Scope: "galaxy", Public: "x"},
			sdk.Error{Code: "quantum_lost", Scope: "galaxy", Public: "x"}},
		"wrapped": {fmt.Errorf("open rss: %w", sdk.Errorf(sdk.CodeGone, "fetch", "gone")),
			sdk.Error{Code: sdk.CodeGone, Op: "fetch", Public: "gone"}},
		"without a sentence": {&sdk.Error{Code: sdk.CodeForbidden, Err: secret},
			sdk.Error{Code: sdk.CodeForbidden, Public: "the connector says only: forbidden"}},
		"of another kind": {secret,
			sdk.Error{Code: sdk.CodeUnknownOutcome, Public: "the connector failed without saying what happened"}},
		"not UTF-8": {&sdk.Error{Code: sdk.CodeInvalid, Public: "a\xff"}, sdk.Error{Code: sdk.CodeInvalid, Public: "a\uFFFD"}},
		"too long": {&sdk.Error{Code: sdk.CodeInvalid, Public: strings.Repeat("é", maxPublic)},
			sdk.Error{Code: sdk.CodeInvalid, Public: strings.Repeat("é", maxPublic/2-2) + "…"}},
		"a negative wait": {&sdk.Error{Code: sdk.CodeRateLimited, Public: "x", RetryAfter: -time.Hour},
			sdk.Error{Code: sdk.CodeRateLimited, Public: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, _ := status.FromError(toStatus(tc.in, opPublish()))
			if strings.Contains(st.String()+fmt.Sprint(st.Details()), "hunter2") {
				t.Errorf("the cause crossed: %v", st)
			}
			got := sdk.AsError(fromStatus(t.Context(), st.Err(), opPublish()))
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		if toStatus(nil, opFetch()) != nil || fromStatus(t.Context(), nil, opFetch()) != nil {
			t.Error("no error became one")
		}
	})
}

func TestTransportErrors(t *testing.T) {
	t.Parallel()
	noCode, err := status.New(codes.Aborted, "").WithDetails(&Error{Public: "who knows"})
	if err != nil {
		t.Fatal(err)
	}
	otherStatus, err := status.New(codes.Internal, "").WithDetails(&Error{Code: "invalid"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in         error
		read, send sdk.Code
	}{
		"the process is gone":               {status.Error(codes.Unavailable, "x"), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
		"too late":                          {status.Error(codes.DeadlineExceeded, "x"), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
		"garbage":                           {status.Error(codes.Internal, "x"), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
		"an answer that is too large":       {status.Error(codes.ResourceExhausted, "x"), sdk.CodeTooLarge, sdk.CodeUnknownOutcome},
		"no such method":                    {status.Error(codes.Unimplemented, "x"), sdk.CodeUnsupported, sdk.CodeUnsupported},
		"an error without a code":           {noCode.Err(), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
		"a detail with a status of its own": {otherStatus.Err(), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
		"no status at all":                  {errors.New("x"), sdk.CodeUnavailable, sdk.CodeUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sdk.AsError(fromStatus(t.Context(), tc.in, opFetch())); got.Code != tc.read || got.Op == "" && name != "an error without a code" {
				t.Errorf("a read: %v %+v, want %s", got, got, tc.read)
			}
			if got := sdk.AsError(fromStatus(t.Context(), tc.in, opPublish())); got.Code != tc.send {
				t.Errorf("a send: %v, want %s", got.Code, tc.send)
			}
		})
	}
}

func TestFootprint(t *testing.T) {
	t.Parallel()
	small := &BatchChunk{Items: []*Item{{Key: "a", Body: []*Node{{Kind: "paragraph", Children: []*Node{{Kind: "text", Text: "hello"}}}}}}}
	b, err := proto.Marshal(small)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	if err := footprint(b, small.ProtoReflect().Descriptor(), maxDepth, &size); err != nil {
		t.Fatal(err)
	}
	// The chunk, the item and two nodes; and, counted as values, the item, its key, the nodes, two kinds and one text.
	if want := 4*messageCost + 7*valueCost; size != want {
		t.Errorf("got %d, want %d", size, want)
	}
	// A message of empty messages must stop counting near the bound.
	bomb := []byte(strings.Repeat("\x0a\x00", 8<<20))
	size = 0
	if err := footprint(bomb, small.ProtoReflect().Descriptor(), maxDepth, &size); err != nil {
		t.Fatal(err)
	}
	if size <= MaxAnswer || size > MaxAnswer+2*(messageCost+valueCost) {
		t.Errorf("a bomb counts as %d", size)
	}
	deep := []byte{}
	for range maxDepth + 1 {
		deep = append([]byte{0x3a}, append(protoVarint(len(deep)), deep...)...)
	}
	size = 0
	if err := footprint(deep, (&Node{}).ProtoReflect().Descriptor(), maxDepth, &size); err == nil {
		t.Error("a nesting without end was let through")
	}
}

func protoVarint(n int) []byte {
	var out []byte
	for n >= 0x80 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}

func TestBatchesAreSentInChunks(t *testing.T) {
	t.Parallel()
	var b sdk.Batch
	for i := range 1000 {
		b.Items = append(b.Items, sdk.Item{Key: fmt.Sprint(i), Body: sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("x", 20_000)))}})
	}
	for i := range 20_000 {
		b.Removed = append(b.Removed, sdk.Removal{Key: fmt.Sprint("gone ", i), Reason: strings.Repeat("y", 50)})
		b.Whole = append(b.Whole, fmt.Sprint("group ", i))
	}
	b.Next = make([]byte, sdk.MaxCursor)
	var got sdk.Batch
	var chunks, ends int
	err := sendBatch(&b, func(c *BatchChunk) error {
		if n := proto.Size(c); n > 2*chunk {
			t.Errorf("a chunk of %d bytes", n)
		}
		if c.GetEnd() != nil {
			ends++
		}
		chunks++
		addChunk(&got, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if chunks < 80 || ends != 1 {
		t.Errorf("%d chunks with %d ends", chunks, ends)
	}
	if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error("the batch changed on the way")
	}
}

func TestAnItemThatFitsNoMessageIsRefused(t *testing.T) {
	t.Parallel()
	b := sdk.Batch{Items: []sdk.Item{{Key: "k", Summary: strings.Repeat("x", MaxMessage)}}}
	err := sendBatch(&b, func(*BatchChunk) error { t.Error("something was sent"); return nil })
	if !errors.Is(err, &sdk.Error{Code: sdk.CodeTooLarge}) {
		t.Errorf("got %v", err)
	}
}

// TestEventsKeepTheirOffset holds that an event crosses with the offset of its zone, which may have no name.
func TestEventsKeepTheirOffset(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 18, 0, 0, 0, time.FixedZone("", 5*3600+1800))
	want := &sdk.Event{UID: "u", Recurrence: at, Start: at.Add(time.Hour), End: at.Add(2 * time.Hour), AllDay: true, Zone: "Asia/Kolkata", Location: "x", Status: "TENTATIVE"}
	got := fromItem(toItem(&sdk.Item{Key: "k", Event: want})).Event
	if got == nil || got.Start.Format(time.RFC3339) != "2026-12-01T19:00:00+05:30" || !cmp.Equal(want, got) {
		t.Errorf("got %+v", got)
	}
	if none := fromItem(toItem(&sdk.Item{Key: "k"})).Event; none != nil {
		t.Errorf("got %+v for an item without one", none)
	}
}
