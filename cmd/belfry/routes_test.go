package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
)

// served says by which operations of the API programs do what a command does.
var served = map[string][]string{
	"check":             {"checkConfig"},
	"config show":       {"getConfig", "listSettings"},
	"version":           {"getVersion"},
	"status":            {"getStatus", "listChannels", "getChannel"},
	"plan":              {"getPlan"},
	"why":               {"whyItem", "whyPost"},
	"alert list":        {"listAlerts"},
	"alert test":        {"testAlerts"},
	"doctor":            {"getDiagnosis", "examine"},
	"post create":       {"createPost"},
	"post edit":         {"editPost"},
	"post retract":      {"retractPost", "retractItem"},
	"post list":         {"listPosts"},
	"post show":         {"getPost"},
	"post deliveries":   {"listDeliveries"},
	"post resend":       {"resendDelivery"},
	"post resolve":      {"resolveDelivery"},
	"message held":      {"listHeldMessages", "listHeldPeople"},
	"message release":   {"releaseMessages"},
	"message settle":    {"settleMessages", "listHeldPeople"},
	"post release":      {"releasePost", "releaseChannel"},
	"source list":       {"listSources"},
	"source show":       {"getSource"},
	"source fetch":      {"fetchSource"},
	"source release":    {"releaseSource"},
	"source replay":     {"replaySource"},
	"destination list":  {"listDestinations", "getDestination"},
	"destination check": {"checkDestination"},
	"store backup":      {"backUp"},
	"store size":        {"getStoreSize"},
	"pause":             {"listPauses", "pauseAll", "pause"},
	"resume":            {"resumeAll", "resume"},
	"schedule next":     {"listDueTimes"},
	"plugin list":       {"listPlugins"},

	"subscriber withdraw": {"withdraw"},
}

// notServed says why a command is not for programs that ask a running daemon.
var notServed = map[string]string{
	"run":            "it is the daemon",
	"demo":           "it shows a daemon of its own, on the machine of whoever looks",
	"config example": "it prints a text of the program; no daemon is needed",
	"config schema":  "it prints a text of the program; docs/configuration.md names the file",
	"completion":     "it is for the shell that the command line is typed in",
	"token":          "it makes a secret for the file that says who may ask the API at all",
	"store restore":  "the daemon must be stopped",
	"try":            "it fetches any address and reads any file for whoever sits at a terminal; a daemon that did so for others would be a way around the guard",
	"render":         "it reads items and templates of the terminal's machine, and sends nothing",
	"page item":      "it reads items of the terminal's machine; the daemon's own pages show the rest",
	"url check":      "it says of any address what the guard of the terminal's machine would do",
	"plugin new":     "it writes files where it is called",
	"plugin dev":     "it builds and runs what its developer writes, in a daemon of its own",
	"plugin check":   "it starts any program that is named",
	"plugin trust":   "a person looks at a program and answers for it, as who owns the plugin folder",
	"plugin info":    "it goes by the plugin folder as it is; listPlugins tells of what the daemon uses",
	"plugin doctor":  "it starts plugins beside the daemon's own",
	"plugin test":    "it starts any program that is named, and runs the commands of a file",

	"webhook verify":         "it reads a file of the terminal's machine, secrets among them",
	"bounce classify":        "it reads a file of the terminal's machine",
	"keys new":               "it writes a secret to the terminal's machine",
	"keys backup":            "it writes secrets to the terminal's machine",
	"keys status":            "it goes by the keys of the configuration at the terminal, which another one may have to replace",
	"subscriber list":        "programs know people by references of their own, and have no need of ours",
	"subscriber show":        "a person of the house looks at a person, for a reason of theirs; a program has none",
	"subscriber import":      "it reads a file of the terminal's machine; programs sign people up, who confirm by themselves",
	"subscriber imports":     "it is about files of the terminal's machine",
	"subscriber export":      "it shows addresses; a person gives it to the person whom it is about, who also has it on their own page",
	"subscriber merge":       "only a person can know that two people are one",
	"consent show":           "a person of the house looks at a person, for a reason of theirs; a program has none",
	"consent export":         "it shows addresses; a person gives it to the person whom it is about, who also has it on their own page",
	"consent erase":          "it cannot be undone, and is typed in; people erase themselves on their own page",
	"consent verify":         "whoever verifies must not have to believe the daemon",
	"consent accept-journal": "it says that nobody left whom the database does not know of, which a person has to answer for",
	"privacy report":         "it prints what the configuration says; no daemon is needed",
	"message preview":        "it shows what a person chose, for a reason; a program has none",
}

// Every command is served by the API, or there is a reason why not; and the API does nothing that no command does.
func TestRoutesAndCommands(t *testing.T) {
	t.Parallel()
	commands := map[string]bool{}
	for _, leaf := range leaves(model(t).Node) {
		commands[words(leaf)] = true
	}
	raw, err := os.ReadFile("../../internal/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	operations := map[string]bool{}
	for _, methods := range document.Paths {
		for _, op := range methods {
			operations[op.OperationID] = true
		}
	}
	for name := range commands {
		_, is := served[name]
		if reason := notServed[name]; is == (reason != "") {
			t.Errorf("belfry %s: it is either served by the API, or there is a reason why not", name)
		}
	}
	// One is about the API itself. For the others no command may exist: nobody is signed up by somebody else, nor written to.
	done := map[string]bool{"getDocument": true, "signUp": true, "notify": true}
	for name, ids := range served {
		if !commands[name] {
			t.Errorf("there is no command belfry %s", name)
		}
		for _, id := range ids {
			if !operations[id] {
				t.Errorf("belfry %s: the API has no operation %s", name, id)
			}
			done[id] = true
		}
	}
	for name := range notServed {
		if !commands[name] {
			t.Errorf("there is no command belfry %s", name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(operations)) {
		if !done[id] {
			t.Errorf("the operation %s belongs to no command", id)
		}
	}
	if len(commands) < 30 || len(operations) < 30 {
		t.Errorf("only %d commands and %d operations were found", len(commands), len(operations))
	}
}
