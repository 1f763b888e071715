package wire

import (
	"time"

	"github.com/belfry-news/belfry/sdk"
)

func toItem(i *sdk.Item) *Item {
	return &Item{
		Key: text(i.Key), Group: text(i.Group), Title: text(i.Title), Summary: text(i.Summary), Body: toBody(i.Body),
		Url: text(i.URL), Authors: each(i.Authors, toAuthor), Tags: texts(i.Tags), Lang: text(i.Lang),
		Media: each(i.Media, toMedia), Published: toTime(i.Published), Updated: toTime(i.Updated),
		NotBefore: toTime(i.NotBefore), Due: toTime(i.Due), ExpiresAt: toTime(i.ExpiresAt), Urgency: int64(i.Urgency),
		Correction: text(i.Correction), TranslationOf: text(i.TranslationOf), Event: toEvent(i.Event),
	}
}

func fromItem(i *Item) sdk.Item {
	return sdk.Item{
		Key: i.GetKey(), Group: i.GetGroup(), Title: i.GetTitle(), Summary: i.GetSummary(), Body: fromBody(i.GetBody()),
		URL: i.GetUrl(), Authors: eachFrom(i.GetAuthors(), fromAuthor), Tags: i.GetTags(), Lang: i.GetLang(),
		Media: eachFrom(i.GetMedia(), fromMedia), Published: fromTime(i.GetPublished()), Updated: fromTime(i.GetUpdated()),
		NotBefore: fromTime(i.GetNotBefore()), Due: fromTime(i.GetDue()), ExpiresAt: fromTime(i.GetExpiresAt()),
		Urgency: int(i.GetUrgency()), Correction: i.GetCorrection(), TranslationOf: i.GetTranslationOf(), Event: fromEvent(i.GetEvent()),
	}
}

func toEvent(e *sdk.Event) *Event {
	if e == nil {
		return nil
	}
	return &Event{Uid: text(e.UID), Recurrence: toZoned(e.Recurrence), Start: toZoned(e.Start), End: toZoned(e.End), AllDay: e.AllDay,
		Zone: text(e.Zone), Location: text(e.Location), Status: text(e.Status)}
}

func fromEvent(e *Event) *sdk.Event {
	if e == nil {
		return nil
	}
	return &sdk.Event{UID: e.GetUid(), Recurrence: fromZoned(e.GetRecurrence()), Start: fromZoned(e.GetStart()), End: fromZoned(e.GetEnd()),
		AllDay: e.GetAllDay(), Zone: e.GetZone(), Location: e.GetLocation(), Status: e.GetStatus()}
}

// toZoned keeps the offset, not the zone: only few of a calendar's zones have a name that another process knows.
func toZoned(t time.Time) *ZonedTime {
	if t.IsZero() {
		return nil
	}
	_, offset := t.Zone()
	return &ZonedTime{At: toTime(t), Offset: int32(offset)}
}

func fromZoned(z *ZonedTime) time.Time {
	t := fromTime(z.GetAt())
	if offset := z.GetOffset(); !t.IsZero() && offset != 0 && offset > -24*60*60 && offset < 24*60*60 {
		return t.In(time.FixedZone("", int(offset)))
	}
	return t
}

func toBody(b sdk.Body) []*Node { return each(b, toNode) }

func fromBody(nodes []*Node) sdk.Body { return eachFrom(nodes, fromNode) }

func toNode(n *sdk.Node) *Node {
	return &Node{Kind: text(string(n.Kind)), Text: text(n.Text), Url: text(n.URL), Level: int64(n.Level), Ordered: n.Ordered,
		Lang: text(n.Lang), Children: each(n.Children, toNode)}
}

func fromNode(n *Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeKind(n.GetKind()), Text: n.GetText(), URL: n.GetUrl(), Level: int(n.GetLevel()),
		Ordered: n.GetOrdered(), Lang: n.GetLang(), Children: eachFrom(n.GetChildren(), fromNode)}
}

func toAuthor(a *sdk.Author) *Author { return &Author{Name: text(a.Name), Url: text(a.URL)} }

func fromAuthor(a *Author) sdk.Author { return sdk.Author{Name: a.GetName(), URL: a.GetUrl()} }

func toMedia(m *sdk.Media) *Media {
	return &Media{Url: text(m.URL), Type: text(m.Type), Alt: text(m.Alt), Credit: text(m.Credit), Width: int64(m.Width),
		Height: int64(m.Height), Duration: toDuration(m.Duration), File: toFile(&m.File)}
}

func fromMedia(m *Media) sdk.Media {
	return sdk.Media{URL: m.GetUrl(), Type: m.GetType(), Alt: m.GetAlt(), Credit: m.GetCredit(), Width: int(m.GetWidth()),
		Height: int(m.GetHeight()), Duration: fromDuration(m.GetDuration()), File: fromFile(m.GetFile())}
}

// toFile leaves the content out.
func toFile(f *sdk.File) *File {
	return &File{Sha256: text(f.SHA256), Name: text(f.Name), Type: text(f.Type), Size: f.Size, Width: int64(f.Width),
		Height: int64(f.Height)}
}

func fromFile(f *File) sdk.File {
	return sdk.File{SHA256: f.GetSha256(), Name: f.GetName(), Type: f.GetType(), Size: f.GetSize(), Width: int(f.GetWidth()),
		Height: int(f.GetHeight())}
}
