package wire

import "github.com/belfry-news/belfry/sdk"

func toChannelRef(r *sdk.ChannelRef) *ChannelRef {
	return &ChannelRef{Id: text(r.ID), Title: text(r.Title), Url: text(r.URL), State: r.State}
}

func fromChannelRef(r *ChannelRef) sdk.ChannelRef {
	return sdk.ChannelRef{ID: r.GetId(), Title: r.GetTitle(), URL: r.GetUrl(), State: r.GetState()}
}

func toLimits(l *sdk.Limits) *Limits {
	r := &l.Rules
	return &Limits{Text: int64(l.Text), Unit: text(string(l.Unit)), Caption: int64(l.Caption), Media: int64(l.Media),
		MediaBytes: l.MediaBytes, Overflow: text(string(l.Overflow)), Overflows: words(l.Overflows),
		Rules: &Rules{EditFor: toDuration(r.EditFor), DeleteFor: toDuration(r.DeleteFor), ReplyFor: toDuration(r.ReplyFor),
			SameKeyFor: toDuration(r.SameKeyFor), Rates: each(r.Rates, toRate), Parallel: int64(r.Parallel)}}
}

func fromLimits(l *Limits) sdk.Limits {
	r := l.GetRules()
	return sdk.Limits{Text: int(l.GetText()), Unit: sdk.Unit(l.GetUnit()), Caption: int(l.GetCaption()),
		Media: int(l.GetMedia()), MediaBytes: l.GetMediaBytes(), Overflow: sdk.Overflow(l.GetOverflow()),
		Overflows: fromWords[sdk.Overflow](l.GetOverflows()),
		Rules: sdk.Rules{EditFor: fromDuration(r.GetEditFor()), DeleteFor: fromDuration(r.GetDeleteFor()),
			ReplyFor: fromDuration(r.GetReplyFor()), SameKeyFor: fromDuration(r.GetSameKeyFor()),
			Rates: eachFrom(r.GetRates(), fromRate), Parallel: int(r.GetParallel())}}
}

func toRate(r *sdk.Rate) *Rate {
	return &Rate{Scope: text(string(r.Scope)), Events: int64(r.Events), Per: toDuration(r.Per)}
}

func fromRate(r *Rate) sdk.Rate {
	return sdk.Rate{Scope: sdk.RateScope(r.GetScope()), Events: int(r.GetEvents()), Per: fromDuration(r.GetPer())}
}

func toPost(p *sdk.Post) *Post {
	return &Post{Id: text(p.ID), Revision: int64(p.Revision), Channel: text(p.Channel), ChannelTitle: text(p.ChannelTitle),
		Lang: text(p.Lang), Title: text(p.Title), Summary: text(p.Summary), Url: text(p.URL), Permalink: text(p.Permalink),
		Body: toBody(p.Body), Content: toBody(p.Content), Authors: each(p.Authors, toAuthor), Tags: texts(p.Tags),
		Media: each(p.Media, toMedia), Published: toTime(p.Published), Updated: toTime(p.Updated),
		Items: each(p.Items, toPostItem), Correction: text(p.Correction), State: text(string(p.State)),
		Overflow: text(string(p.Overflow))}
}

func fromPost(p *Post) sdk.Post {
	return sdk.Post{ID: p.GetId(), Revision: int(p.GetRevision()), Channel: p.GetChannel(), ChannelTitle: p.GetChannelTitle(),
		Lang: p.GetLang(), Title: p.GetTitle(), Summary: p.GetSummary(), URL: p.GetUrl(), Permalink: p.GetPermalink(),
		Body: fromBody(p.GetBody()), Content: fromBody(p.GetContent()), Authors: eachFrom(p.GetAuthors(), fromAuthor),
		Tags: p.GetTags(), Media: eachFrom(p.GetMedia(), fromMedia), Published: fromTime(p.GetPublished()),
		Updated: fromTime(p.GetUpdated()), Items: eachFrom(p.GetItems(), fromPostItem), Correction: p.GetCorrection(),
		State: sdk.PostState(p.GetState()), Overflow: sdk.Overflow(p.GetOverflow())}
}

func toPostItem(i *sdk.PostItem) *PostItem {
	return &PostItem{Key: text(i.Key), Title: text(i.Title), Summary: text(i.Summary), Url: text(i.URL),
		Published: toTime(i.Published)}
}

func fromPostItem(i *PostItem) sdk.PostItem {
	return sdk.PostItem{Key: i.GetKey(), Title: i.GetTitle(), Summary: i.GetSummary(), URL: i.GetUrl(),
		Published: fromTime(i.GetPublished())}
}

// toPart leaves the content of files out.
func toPart(p *sdk.Part) *Part {
	out := &Part{Kind: text(p.Kind), Request: p.Request, Type: text(p.Type), Files: each(p.Files, toFile), Thread: p.Thread,
		Text: text(p.Text), Key: text(p.Key)}
	if p.ReplyTo != nil {
		out.ReplyTo = toPartRef(p.ReplyTo)
	}
	return out
}

func fromPart(p *Part) sdk.Part {
	out := sdk.Part{Kind: p.GetKind(), Request: p.GetRequest(), Type: p.GetType(), Files: eachFrom(p.GetFiles(), fromFile),
		Thread: p.GetThread(), Text: p.GetText(), Key: p.GetKey()}
	if p.GetReplyTo() != nil {
		ref := fromPartRef(p.GetReplyTo())
		out.ReplyTo = &ref
	}
	return out
}

func toPartRef(r *sdk.PartRef) *PartRef {
	return &PartRef{Ids: texts(r.IDs), Url: text(r.URL), State: r.State}
}

func fromPartRef(r *PartRef) sdk.PartRef {
	return sdk.PartRef{IDs: r.GetIds(), URL: r.GetUrl(), State: r.GetState()}
}
