package people

// Dropped says to the author of a connector that Belfry drops an event, and why: the word that the wire has for it. Nothing of what stands
// in the event is repeated.
func Dropped(why string) string {
	reason := map[string]string{
		"kind":       "its kind is none of those that the medium of the type hears",
		"id":         "its id is missing, too long, or no plain text",
		"sender":     "whom it comes from is missing, too long, or no plain text",
		"content":    "the data of its button is too long",
		"unreadable": "it cannot be read",
	}[why]
	if reason == "" {
		reason = why
	}
	return "Belfry drops an event: " + reason
}
