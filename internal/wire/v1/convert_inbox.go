package wire

import (
	"net/textproto"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/protobuf/proto"
)

// toInbox writes an event by itself. Of its sender the address alone crosses: the medium is the type's. It fits into a message however
// long anything in it is, because one that does not would be told again for ever.
func toInbox(op Op, e *sdk.InboxEvent) ([]byte, error) {
	b, err := proto.Marshal(&InboxEvent{Id: tooLong(e.ID, MaxEventID), Kind: tooLong(string(e.Kind), MaxEventID), From: tooLong(e.From.Value, MaxEventID), Claimed: e.Claimed,
		Answers: tooLong(e.Answers, MaxEventID), Name: tooLong(e.Name, MaxEventID), At: toTime(e.At), Text: cut(text(e.Text), MaxEventText), Data: tooLong(e.Data, MaxEventData),
		Lang: tooLong(e.Lang, MaxEventID), Ref: tooLong(e.Ref, MaxEventID), ReplyTo: tooLong(e.ReplyTo, MaxEventID), Count: int64(e.Count), Emoji: cut(text(e.Emoji), MaxEventData),
		Bounce: toBounce(&e.Bounce)})
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, op.Name, "an event cannot be written")
	}
	return b, nil
}

// tooLong shortens what is too long to something that still is, and no other name: whoever reads it decides what becomes of the event.
func tooLong(s string, most int) string { return cut(text(s), most+2*len("…")) }

func toBounce(b *sdk.Bounce) *Bounce {
	if *b == (sdk.Bounce{}) {
		return nil
	}
	return &Bounce{Class: tooLong(string(b.Class), MaxEventID), Status: cut(text(b.Status), MaxEventID), Reason: cut(text(b.Reason), MaxEventID)}
}

// Why an event is refused. These words say nothing of what stands in it, and label metrics.
const (
	refusedUnreadable = "unreadable"
	refusedKind       = "kind"
	refusedID         = "id"
	refusedSender     = "sender"
	refusedContent    = "content"
)

// fromInbox reads an event that a process tells, and sets its medium. why is not empty when it is refused: it costs no other.
func fromInbox(in *answers, b []byte, medium string, hears []sdk.EventKind) (e sdk.InboxEvent, why string) {
	m := &InboxEvent{}
	if err := in.decode(b, m); err != nil {
		return e, refusedUnreadable
	}
	// What an event can do without is left out where it makes no sense: nobody's STOP is lost for it.
	e = sdk.InboxEvent{ID: m.GetId(), Kind: sdk.EventKind(m.GetKind()), From: sdk.Handle{Medium: medium, Value: m.GetFrom()}, Claimed: m.GetClaimed(), Answers: nameOr(m.GetAnswers()),
		Name: nameOr(m.GetName()), At: fromTime(m.GetAt()), Text: cut(m.GetText(), MaxEventText), Data: m.GetData(), Lang: nameOr(m.GetLang()), Ref: nameOr(m.GetRef()), ReplyTo: nameOr(m.GetReplyTo()),
		Count: int(max(0, m.GetCount())), Emoji: cut(m.GetEmoji(), MaxEventData),
		Bounce: sdk.Bounce{Class: sdk.BounceClass(m.GetBounce().GetClass()), Status: cut(m.GetBounce().GetStatus(), MaxEventID), Reason: cut(m.GetBounce().GetReason(), MaxEventID)}}
	nameless := e.Kind == sdk.EventBounce || e.Kind == sdk.EventComplaint || e.Kind == sdk.EventReceipt
	switch {
	case !slices.Contains(hears, e.Kind):
		return e, refusedKind
	case e.ID == "" || !named(e.ID):
		return e, refusedID
	case e.From.Value == "" && (!nameless || e.Ref == ""), !named(e.From.Value):
		return e, refusedSender
	case len(e.Data) > MaxEventData && e.Kind == sdk.EventButton:
		return e, refusedContent
	case len(e.Data) > MaxEventData:
		e.Data = ""
	}
	return e, ""
}

// named reports whether a text can be a platform's name of something.
func named(s string) bool {
	return len(s) <= MaxEventID && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
}

// nameOr gives a name, and nothing in the place of what can be none.
func nameOr(s string) string {
	if named(s) {
		return s
	}
	return ""
}

func toReply(r *sdk.WebhookReply) *WebhookReply {
	return &WebhookReply{Status: int64(r.Status), Header: toHeader(r.Header), Body: r.Body}
}

// passedHeaders are those of an answer to a platform that leave the host. Others could speak for the pages of the same address, or to a
// proxy before it.
func passedHeaders() []string {
	return []string{"Content-Type", "Retry-After", "Allow", "Www-Authenticate", "Webhook-Allowed-Origin"}
}

// fromReply reads what a process answers to a call of its platform, as far as it may.
func fromReply(op Op, r *WebhookReply) (sdk.WebhookReply, error) {
	out := sdk.WebhookReply{Status: int(r.GetStatus()), Body: r.GetBody()}
	switch {
	case out.Status < 200 || out.Status > 599 || out.Status/100 == 3:
		return sdk.WebhookReply{}, lie(op, sdk.CodeUnavailable, "it answers the call with the status %d", out.Status)
	case len(out.Body) > MaxReply:
		return sdk.WebhookReply{}, lie(op, sdk.CodeUnavailable, "its answer to the call has %d bytes; at most %d are passed on", len(out.Body), MaxReply)
	}
	for name, values := range fromHeader(r.GetHeader()) {
		name = textproto.CanonicalMIMEHeaderKey(name)
		values = slices.DeleteFunc(values, func(v string) bool {
			return len(v) > MaxEventID || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r > unicode.MaxASCII })
		})
		if slices.Contains(passedHeaders(), name) && len(values) > 0 {
			if out.Header == nil {
				out.Header = map[string][]string{}
			}
			out.Header[name] = values[:1]
		}
	}
	return out, nil
}
