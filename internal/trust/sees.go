package trust

import (
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

// Sees says in plain words what Belfry hands to a plugin of these abilities, the most personal first.
func Sees(roles []sdk.Role) []string {
	has := func(one ...sdk.Role) bool {
		return slices.ContainsFunc(one, func(r sdk.Role) bool { return slices.Contains(roles, r) })
	}
	var out []string
	say := func(when bool, what string) {
		if when {
			out = append(out, what)
		}
	}
	say(has(sdk.RoleMessenger, sdk.RoleStreamer), "the address of each person it writes to, one message at a time, for its medium only, and that message: only of people who agreed")
	say(has(sdk.RoleReceiver, sdk.RoleListener), "what people write to it on its medium, and the addresses they write from")
	say(has(sdk.RolePublisher, sdk.RoleEditor, sdk.RoleAssistant), "the posts of the channels that publish to it: text, links and images")
	say(has(sdk.RoleResolver), "the names of the chats that these channels publish to")
	say(has(sdk.RoleWebhook, sdk.RoleReceiver), "the requests that arrive for it, with their headers and bodies")
	say(has(sdk.RoleSource), "where it was when it last fetched (its cursor)")
	return append(out, "the settings of its own instances in the configuration, secrets among them", "the network of this machine")
}

// SeesNot says what no plugin is handed.
func SeesNot() []string {
	return []string{"lists of people, their choices and their consents", "the secrets of other sources and destinations", "Belfry's environment, database and keys"}
}
