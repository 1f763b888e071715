package plugintest

import (
	"slices"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/sdk"
)

// suite is what one ability is asked.
type suite struct {
	name      string
	offered   bool
	checks    []conformance.Check
	unchecked []string
}

// suites are all there are, in the order in which they run.
func (t *tester) suites() []suite {
	s := &t.o.Scenario
	options := t.options()
	var faults []string
	switch {
	case t.o.Fake != nil:
	case s.Break != "":
		faults = []string{"a platform that does not answer, and the codes of faults: --fake"}
	default:
		faults = []string{"a platform that fails or does not answer, and the codes of faults: --fake, or break: and mend: in the file"}
	}
	out := []suite{{name: "process", offered: true, checks: t.processChecks()}}
	add := func(role sdk.Role, needs string, checks func() []conformance.Check, unchecked ...string) {
		one := suite{name: string(role), offered: slices.Contains(t.roles, role)}
		switch {
		case !one.offered:
		case needs != "":
			one.unchecked = []string{needs}
		default:
			one.checks, one.unchecked = checks(), append(slices.Clone(faults), unchecked...)
		}
		out = append(out, one)
	}
	missing := func(there bool, what string) string {
		if there {
			return ""
		}
		return "all of it: " + what
	}

	source := conformance.SourceOptions{Options: options}
	var change []string
	if s.Change != "" {
		source.Change = func(tb conformance.T) { t.shell(tb, s.Change) }
	} else {
		change = []string{"a change arrives: change: in the file, a command after which there is something new"}
	}
	if s.Withdraw != "" {
		source.Withdraw = func(tb conformance.T) { t.shell(tb, s.Withdraw) }
	} else {
		change = append(change, "a withdrawal arrives: withdraw: in the file, a command that takes an item away")
	}
	add(sdk.RoleSource, "", func() []conformance.Check { return conformance.Source(source) }, change...)
	add(sdk.RoleChecker, missing(len(s.There)+len(s.Gone) > 0, "there: and gone: in the file, items that are published and withdrawn"),
		func() []conformance.Check {
			return conformance.Checker(conformance.CheckerOptions{Options: options, There: refs(s.There), Gone: refs(s.Gone)})
		})
	add(sdk.RoleWebhook, missing(len(s.Webhooks) > 0 && len(s.ForgedWebhook) > 0, "webhooks: and forged_webhooks: in the file, requests of the sender and of somebody else"),
		func() []conformance.Check {
			return conformance.Webhook(conformance.WebhookOptions{Options: options, Genuine: requests(s.Webhooks), Forged: requests(s.ForgedWebhook)})
		})
	var strangers []string
	if len(s.NotChannels) == 0 {
		strangers = []string{"private chats are refused: not_channels: in the file, names of people"}
	}
	add(sdk.RoleResolver, missing(s.Channel != "", "channel: in the file, the name of a channel"), func() []conformance.Check {
		return conformance.Resolver(conformance.ResolverOptions{Options: options, Channels: []string{s.Channel}, NotChannels: s.NotChannels, Missing: s.Missing})
	}, strangers...)

	publisher := t.publisherOptions(options)
	place := missing(s.Channel != "" || s.To != "", "channel: in the file, the name of a channel, or to:, its id")
	var forged []string
	if len(s.Forged) == 0 {
		forged = []string{"private chats are refused: forged: in the file, ids of people"}
	}
	var sight []string
	if publisher.Posts == nil {
		sight = []string{"what the platform shows and counts: a fake that says it at /.belfry/posts"}
	}
	add(sdk.RolePublisher, place, func() []conformance.Check { return conformance.Publisher(publisher) }, append(forged, sight...)...)
	add(sdk.RoleEditor, place, func() []conformance.Check { return conformance.Editor(publisher) }, sight...)
	add(sdk.RoleDeleter, place, func() []conformance.Check { return conformance.Deleter(publisher) }, sight...)
	add(sdk.RoleFinder, place, func() []conformance.Check { return conformance.Finder(publisher) })

	var lost []string
	if s.Lost == "" {
		lost = []string{"an address that reaches nobody: lost: in the file, somebody whom the fake does not know any more"}
	}
	add(sdk.RoleMessenger, t.needsPeople(), func() []conformance.Check { return t.messengerChecks(options) }, lost...)

	add(sdk.RoleListener, t.needsSpeakers(), func() []conformance.Check { return t.listenerChecks(options) })
	add(sdk.RoleReceiver, missing(len(s.Calls) > 0 && len(s.ForgedCalls) > 0, "calls: and forged_calls: in the file, requests of the platform and of somebody else"),
		func() []conformance.Check { return t.receiverChecks(options) })

	if t.o.Fake != nil {
		f := conformance.FaultOptions{PublisherOptions: publisher, Script: t.o.Fake.script, Refuse: t.o.Fake.refuse}
		one := suite{name: "faults", offered: true}
		for _, can := range []struct {
			role   sdk.Role
			checks func(conformance.FaultOptions) []conformance.Check
		}{
			{sdk.RoleSource, conformance.SourceFaults}, {sdk.RolePublisher, conformance.PublisherFaults}, {sdk.RoleEditor, conformance.EditorFaults},
			{sdk.RoleDeleter, conformance.DeleterFaults}, {sdk.RoleFinder, conformance.FinderFaults},
		} {
			if slices.Contains(t.roles, can.role) && (place == "" || can.role == sdk.RoleSource) {
				one.checks = append(one.checks, can.checks(f)...)
			}
		}
		if slices.Contains(t.roles, sdk.RoleMessenger) && t.found.Medium != nil && t.needsPeople() == "" {
			one.checks = append(one.checks, people.MessengerFaults(t.messenger(options), f)...)
		}
		out = append(out, one)
	}
	return append(out, suite{name: "versions", offered: true, checks: t.versionChecks()})
}

func (t *tester) publisherOptions(options conformance.Options) conformance.PublisherOptions {
	s := &t.o.Scenario
	o := conformance.PublisherOptions{Options: options, Channel: s.Channel, To: sdk.ChannelRef{ID: s.To, Title: s.To}}
	for _, id := range s.Forged {
		o.Forged = append(o.Forged, sdk.ChannelRef{ID: id, Title: id})
	}
	if f := t.o.Fake; f != nil && f.tells() {
		o.Shows, o.Posts = f.shows, f.count
	}
	return o
}
