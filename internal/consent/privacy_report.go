package consent

// Kept is one kind of data about people, by where the store has it. Together with NotPersonal the list names every column: a
// test holds it against the schema, so that nothing about people comes into the store unnoticed.
type Kept struct {
	// Name names it, and Basis the ground on which it may be kept (GDPR, article 6 (1)): the catalogues have the words, and what it
	// is for, under privacy.data, privacy.basis and privacy.for.
	Name, Basis string
	// Until says how long it is kept, where no setting says it.
	Until Term
	// Sealed says that it cannot be read without the key of the person.
	Sealed bool
	// Columns by table, separated by spaces.
	Columns map[string]string
}

// Term is how long something is kept.
type Term string

// The terms.
const (
	UntilErased    Term = "erased"    // until the person is erased, or never confirmed
	UntilWorkedOn  Term = "worked_on" // until the daemon has worked on it, which takes seconds
	UntilExpired   Term = "expired"   // until it expires: confirmation links after 48 h
	UntilMessages  Term = "messages"  // as long as retention.messages
	UntilWebhooks  Term = "webhooks"  // as long as retention.webhooks; what could not be mapped twelve times as long, unless it names somebody who is erased
	UntilActs      Term = "acts"      // as long as retention.acts
	UntilForbidden Term = "forbidden" // as long as the prohibition is to be honoured
	UntilForEver   Term = "for_ever"  // the entries stay, and cannot be opened once the person is erased
	UntilDropped   Term = "dropped"   // until somebody takes it out
)

// Personal lists what is kept about people.
func Personal() []Kept {
	const consentBasis, proof, house = "consent", "proof", "house"
	return []Kept{
		{"addresses", consentBasis, UntilErased, true,
			map[string]string{"addresses": "id person medium hash sealed verified_at created_at heard_at", "person_keys": "person master sealed"}},
		{"profile", consentBasis, UntilErased, false,
			map[string]string{"subscribers": "id ref external lang zone quiet_from quiet_until paused_until per_day created_at signal_at asked_at import erased_at"}},
		{"grants", consentBasis, UntilErased, false,
			map[string]string{"grants": "id person kind name medium state version mode slots topics languages breaking since changed_at covered"}},
		{"signups", consentBasis, UntilWorkedOn, true,
			map[string]string{"signups": "id medium hash sealed wish at"}},
		{"tokens", consentBasis, UntilExpired, false,
			map[string]string{"tokens": "hash person medium address wish created_at expires_at used_at outcome"}},
		{"confirmations", house, UntilForbidden, false,
			map[string]string{"confirmations": "medium hash asked last_at"}},
		{"suppressions", house, UntilForbidden, false,
			map[string]string{"suppressions": "medium hash scope name reason at"}},
		{"ledger", proof, UntilForEver, true,
			map[string]string{"ledger_events": "id at recorded person kind data sequence"}},
		{"messages", consentBasis, UntilMessages, false,
			map[string]string{"messages": "stream person consent version state reason attempt unsure next_at settled_at posts revision ref error",
				"streams":         "id nonce kind destination medium purpose post notice revision occurrence person content urgent priority state reason fanned whole claimed ready_at slot_at created_at expires_at collects late",
				"message_batches": "id node fence destination stream people started lease_until", "folded": "person consent post reason at", "sent_days": "person purpose day count last_at"}},
		{"notices", consentBasis, UntilMessages, true,
			map[string]string{"notices": "id purpose person key sealed digest body at expires_at ended_at"}},
		{"webhooks", consentBasis, UntilWebhooks, false, // a notice may stand in a body
			map[string]string{"raw_webhooks": "id source delivery request body at state reason attempts told ended_at"}},
		{"inbox", consentBasis, UntilWorkedOn, true,
			map[string]string{"inbox": "connection id at kind person sealed outcome", "bot_memory": "hash name data until_at"}},
		{"imports", proof, UntilDropped, false,
			map[string]string{"imports": "id name sha256 actor at rows_done summary sent released state"}},
		{"acts", house, UntilActs, false,
			map[string]string{"acts": "id at actor act detail"}},
	}
}

// NotPersonal names the columns of tables that hold nothing about those who are written to. What posts and items say about
// people of the news is the newsroom's own affair.
func NotPersonal() map[string]string {
	return map[string]string{
		"audiences":          "purpose medium grown posted_at since sent", // numbers of people
		"alerts":             "id code subject sentence mend first_at last_at count told_at resolved_at over_told",
		"batches":            "id node fence destination chat lease_until",
		"blocked":            "kind source value at reason",
		"calls":              "id delivery call request",
		"channel_items":      "channel item state reason detail since released post",
		"channels":           "name since",
		"configurations":     "generation applied_at tree outside",
		"deliveries":         "id lane publication destination chat priority state reason op series position revision key final attempt crashes next_at batch code error created_at first_at started_at settled_at",
		"destinations":       "name fingerprint paused_until stopped_at code error failures failing_since ok_at",
		"held_removals":      "hold item",
		"holds":              "id source kind note reason at ended_at released",
		"item_aliases":       "source key item",
		"items":              "id source key revision state reason baseline substance facts content url link title_key grp seen_at changed_at published not_before listed listed_at check_at gone_at gone_reason hold changed",
		"lanes":              "destination chat ref limits resolved_at ready_at stopped_at code error",
		"ledger_checkpoints": "size at text",
		"ledger_hashes":      "idx hash",
		"listeners":          "name cursor",
		"media":              "id url state sha256 name type width height size error attempt next_at wanted_at fetched_at",
		"meta":               "name value", // keys are sealed; the references of people who were merged stand here, which name nobody
		"occurrences":        "schedule key at outcome reason post decided_at",
		"parts":              "publication series position ids url ref_state digest revision at",
		"pauses":             "scope name since",
		"post_items":         "post item position item_revision",
		"post_media":         "post media",
		"post_revisions":     "post revision at content note",
		"posts":              "id public_id channel key kind status reason revision urgent created_at visible_at changed_at stale due_at",
		"publications":       "id post channel destination chat version want gone purge have have_gone rung state reason out_at edited_at expires_at released",
		"rates":              "destination chat scope events per starts",
		"schedules":          "name spec checked_until",
		"sources":            "name version configured called cursor primed gone force next_at wait_until lease fetched_at ok_at new_at failures code error about notices bad_since",
		"subscriptions":      "id source topic hub origin token secret state asked_at verified_at expires_at delivered_at missed_at next_at attempts error", // to feeds, at hubs
		"webhook_ids":        "source delivery body at",                                                                                                     // the body's hash
	}
}
