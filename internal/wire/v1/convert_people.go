package wire

import (
	"maps"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

func toMedium(m *sdk.Medium) *Medium {
	if m == nil {
		return nil
	}
	return &Medium{OwnChoice: m.OwnChoice, TheyBegin: m.TheyBegin, ReplyWindow: toDuration(m.ReplyWindow), Templates: m.Templates,
		Hears: words(m.Hears), Address: text(string(m.Address))}
}

func fromMedium(m *Medium) *sdk.Medium {
	if m == nil {
		return nil
	}
	return &sdk.Medium{OwnChoice: m.GetOwnChoice(), TheyBegin: m.GetTheyBegin(), ReplyWindow: fromDuration(m.GetReplyWindow()), Templates: m.GetTemplates(),
		Hears: fromWords[sdk.EventKind](m.GetHears()), Address: sdk.AddressRule(m.GetAddress())}
}

// toMessage makes what crosses of a message: what stands in DirectMessage of people.proto, and nothing else of the person. It leaves
// the content of files out.
func toMessage(m *sdk.DirectMessage, medium, address string) *DirectMessage {
	return &DirectMessage{Id: text(m.ID()), Medium: text(medium), Address: address, Purpose: text(string(m.Purpose())), NotAfter: toTime(m.NotAfter()),
		Common: toCommon(m.Common), Slots: toValues(m.Slots), Template: text(m.Template), Parameters: texts(m.Parameters),
		Buttons: each(m.Buttons, toRow), ReplyTo: text(m.ReplyTo)}
}

// fromContent reads what a message says.
func fromContent(m *DirectMessage, common *sdk.Common) sdk.MessageContent {
	return sdk.MessageContent{Common: common, Slots: maps.Clone(m.GetSlots()), Template: m.GetTemplate(), Parameters: m.GetParameters(),
		Buttons: eachFrom(m.GetButtons(), fromRow), ReplyTo: m.GetReplyTo()}
}

func toValues(values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out[text(name)] = text(values[name])
	}
	return out
}

func toCommon(c *sdk.Common) *Common {
	if c == nil {
		return nil
	}
	return &Common{Id: text(c.ID), Kind: text(string(c.Kind)), Lang: text(c.Lang), Subject: text(c.Subject), Body: toBody(c.Body), Permalink: text(c.Permalink),
		Media: each(c.Media, toMedia), Reason: text(c.Reason), Links: each(c.Links, toCommonLink),
		List: &FollowedList{Id: text(c.List.ID), Title: text(c.List.Title)}, Sender: text(c.Sender)}
}

func fromCommon(c *Common) *sdk.Common {
	if c == nil {
		return nil
	}
	return &sdk.Common{ID: c.GetId(), Kind: sdk.CommonKind(c.GetKind()), Lang: c.GetLang(), Subject: c.GetSubject(), Body: fromBody(c.GetBody()),
		Permalink: c.GetPermalink(), Media: eachFrom(c.GetMedia(), fromMedia), Reason: c.GetReason(), Links: eachFrom(c.GetLinks(), fromCommonLink),
		List: sdk.List{ID: c.GetList().GetId(), Title: c.GetList().GetTitle()}, Sender: c.GetSender()}
}

func toCommonLink(l *sdk.CommonLink) *CommonLink {
	return &CommonLink{Text: text(l.Text), Slot: text(l.Slot)}
}

func fromCommonLink(l *CommonLink) sdk.CommonLink {
	return sdk.CommonLink{Text: l.GetText(), Slot: l.GetSlot()}
}

func toRow(row *[]sdk.Button) *ButtonRow { return &ButtonRow{Buttons: each(*row, toButton)} }

func fromRow(row *ButtonRow) []sdk.Button { return eachFrom(row.GetButtons(), fromButton) }

func toButton(b *sdk.Button) *Button {
	return &Button{Text: text(b.Text), Url: text(b.URL), Data: text(b.Data)}
}

func fromButton(b *Button) sdk.Button {
	return sdk.Button{Text: b.GetText(), URL: b.GetUrl(), Data: b.GetData()}
}
