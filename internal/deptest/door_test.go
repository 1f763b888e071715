package deptest

import "testing"

// doors are the names by which something can come to reach a person: making a permit, starting messages, making a message,
// handing one to a connector, reading an address, and putting rows where the direct lane finds them.
var doors = map[string][]string{
	module + "internal/permit":  {"Mint", "Address.Reveal"},
	module + "sdk":              {"NewDirectMessage", "Messenger.Message", "Streamer.Stream"},
	module + "internal/consent": {"Registry.Start", "MessageStore.StartMessages", "Candidate.SealAddress", "SignupTx.Queue", "NoticeTx.PutNotice", "Registry.Answer"},
	module + "internal/direct":  {"New", "Store.StartMessages"},
	module + "internal/store":   {"DB.StartMessages", "DB.FanOut", "DB.MakeStreams", "DB.Correct"},
	module + "internal/wire/v1": {"Instance.Message", "TryMessage", "NewMessengerClient", "MessengerClient.Message"},
}

// mayOpenDoors are the only files that use them. Resending, retrying, importing, restoring, merging, notices, corrections, staff
// and plugins are not among them: what they do becomes rows, and rows take the same gate.
var mayOpenDoors = map[string]string{
	"internal/consent/message.go":          "mints permits from what a start transaction let go, and queues the answer to an inbound event",
	"internal/consent/signup.go":           "queues the confirmation of a sign-up",
	"internal/consent/notice.go":           "keeps a notice for whom it is about, by a live grant",
	"internal/consent/suppose.go":          "asks what the gate would say, of a store that lets nothing start",
	"internal/store/message_candidates.go": "reads sealed addresses in the start transaction",
	"internal/direct/":                     "is the direct lane",
	"internal/app/people.go":               "starts the direct lane, and makes streams of posts that followers get",
	"internal/app/inbox.go":                "queues the answer that the bot gives to an event",
	"internal/wire/v1/instance_people.go":  "hands a plugin the address of the message that it was given, for that one call and the plugin's own medium",
	"internal/wire/v1/server_people.go":    "gives the plugin, in its own process, the message that the host started",
	"connectors/email/":                    "writes to the address of a message that it was given",
	"connectors/telegram/":                 "writes to the address of a message that it was given",
	"internal/conformance/people/":         "mints permits for addresses that nobody has, and has connectors write there",
	"internal/plugindev/record_people.go":  "watches the plugin of the developer write to an address that nobody has",
	"internal/plugintest/people.go":        "has a plugin write to addresses that nobody has, at the fake of its author",
}

// TestWhoReachesPeople holds the list of callers of the mint, of Messenger and Streamer, and of what makes rows for the lane.
func TestWhoReachesPeople(t *testing.T) {
	t.Parallel()
	tr := load(t)
	var found []finding
	for _, p := range tr.ours() {
		if !tr.shipped[p.ImportPath] && p.ImportPath != module+"sdk/sdktest" {
			continue
		}
		for _, s := range tr.sources(t, p) {
			found = append(found, uses(s, doors)...)
		}
	}
	hold(t, found, mayOpenDoors, "people are reached by the direct lane alone, which asks the start transaction")
}
