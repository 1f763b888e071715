package wire

import (
	"maps"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

func toFetchRequest(at At, r *sdk.FetchRequest) *FetchRequest {
	out := &FetchRequest{Handle: at.Handle, Call: at.Call, Cursor: r.Cursor, Now: toTime(r.Now), Force: r.Force}
	if d := r.Document; d != nil {
		out.Document = &Document{Url: text(d.URL), ContentType: text(d.ContentType), Body: d.Body}
	}
	return out
}

func fromFetchRequest(r *FetchRequest) sdk.FetchRequest {
	out := sdk.FetchRequest{Cursor: r.GetCursor(), Now: fromTime(r.GetNow()), Force: r.GetForce()}
	if d := r.GetDocument(); d != nil {
		out.Document = &sdk.Document{URL: d.GetUrl(), ContentType: d.GetContentType(), Body: d.GetBody()}
	}
	return out
}

func toBatchEnd(b *sdk.Batch) *BatchEnd {
	return &BatchEnd{Complete: b.Complete, Reset_: b.Reset, More: b.More, Next: b.Next, Wait: toDuration(b.Wait),
		Unchanged: b.Unchanged, Notices: texts(b.Notices), PersonNotices: each(b.PersonNotices, toPersonNotice), About: &About{Title: text(b.About.Title), Url: text(b.About.URL),
			Description: text(b.About.Description), Lang: text(b.About.Lang), Updated: toTime(b.About.Updated), Hub: text(b.About.Hub), Topic: text(b.About.Topic)}}
}

// addChunk continues a batch.
func addChunk(b *sdk.Batch, c *BatchChunk) {
	b.Items = append(b.Items, eachFrom(c.GetItems(), fromItem)...)
	b.Removed = append(b.Removed, eachFrom(c.GetRemoved(), fromRemoval)...)
	b.Whole = append(b.Whole, c.GetWhole()...)
	end := c.GetEnd()
	if end == nil {
		return
	}
	b.Complete, b.Reset, b.More, b.Unchanged = end.GetComplete(), end.GetReset_(), end.GetMore(), end.GetUnchanged()
	b.Next, b.Wait, b.Notices = end.GetNext(), fromDuration(end.GetWait()), end.GetNotices()
	b.PersonNotices = eachFrom(end.GetPersonNotices(), fromPersonNotice)
	about := end.GetAbout()
	b.About = sdk.About{Title: about.GetTitle(), URL: about.GetUrl(), Description: about.GetDescription(),
		Lang: about.GetLang(), Updated: fromTime(about.GetUpdated()), Hub: about.GetHub(), Topic: about.GetTopic()}
}

func toPersonNotice(n *sdk.PersonNotice) *PersonNotice {
	out := &PersonNotice{Notice: text(n.Notice), Reference: text(n.Reference), Key: text(n.Key), Title: text(n.Title), Text: text(n.Text), Url: text(n.URL), Expires: toTime(n.Expires)}
	for name, value := range n.Slots {
		if out.Slots == nil {
			out.Slots = map[string]string{}
		}
		out.Slots[text(name)] = text(value)
	}
	return out
}

func fromPersonNotice(n *PersonNotice) sdk.PersonNotice {
	return sdk.PersonNotice{Notice: n.GetNotice(), Reference: n.GetReference(), Key: n.GetKey(), Title: n.GetTitle(), Text: n.GetText(), URL: n.GetUrl(), Slots: n.GetSlots(), Expires: fromTime(n.GetExpires())}
}

func toRemoval(r *sdk.Removal) *Removal {
	return &Removal{Key: text(r.Key), Reason: text(r.Reason), At: toTime(r.At)}
}

func fromRemoval(r *Removal) sdk.Removal {
	return sdk.Removal{Key: r.GetKey(), Reason: r.GetReason(), At: fromTime(r.GetAt())}
}

func toWebhookRequest(r *sdk.WebhookRequest) *WebhookRequest {
	return &WebhookRequest{Method: []byte(r.Method), Path: []byte(r.Path), Query: []byte(r.Query), Header: toHeader(r.Header),
		Body: r.Body, ReceivedAt: toTime(r.ReceivedAt)}
}

func fromWebhookRequest(r *WebhookRequest) sdk.WebhookRequest {
	return sdk.WebhookRequest{Method: string(r.GetMethod()), Path: string(r.GetPath()), Query: string(r.GetQuery()),
		Header: fromHeader(r.GetHeader()), Body: r.GetBody(), ReceivedAt: fromTime(r.GetReceivedAt())}
}

func toHeader(h map[string][]string) []*Header {
	var out []*Header
	for _, name := range slices.Sorted(maps.Keys(h)) {
		out = append(out, &Header{Name: []byte(name), Values: each(h[name], func(v *string) []byte { return []byte(*v) })})
	}
	return out
}

func fromHeader(list []*Header) map[string][]string {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string][]string, len(list))
	for _, h := range list {
		values := each(h.GetValues(), func(v *[]byte) string { return string(*v) })
		out[string(h.GetName())] = append(out[string(h.GetName())], values...)
	}
	return out
}

func toVerdict(v *sdk.Verdict) *VerifyResponse {
	return &VerifyResponse{Accept: v.Accept, DeliveryId: text(v.DeliveryID), Forget: texts(v.Forget), Reply: &WebhookReply{
		Status: int64(v.Reply.Status), Header: toHeader(v.Reply.Header), Body: v.Reply.Body}}
}

func fromVerdict(v *VerifyResponse) sdk.Verdict {
	return sdk.Verdict{Accept: v.GetAccept(), DeliveryID: v.GetDeliveryId(), Forget: v.GetForget(), Reply: sdk.WebhookReply{
		Status: int(v.GetReply().GetStatus()), Header: fromHeader(v.GetReply().GetHeader()), Body: v.GetReply().GetBody()}}
}

func toItemRef(r *sdk.ItemRef) *ItemRef { return &ItemRef{Key: text(r.Key), Url: text(r.URL)} }

func fromItemRef(r *ItemRef) sdk.ItemRef { return sdk.ItemRef{Key: r.GetKey(), URL: r.GetUrl()} }

func toPresence(p *sdk.Presence) *Presence {
	return &Presence{State: text(string(p.State)), Reason: text(p.Reason)}
}

func fromPresence(p *Presence) sdk.Presence {
	return sdk.Presence{State: sdk.PresenceState(p.GetState()), Reason: p.GetReason()}
}
