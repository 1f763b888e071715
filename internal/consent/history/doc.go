// Package history holds what people, imports, staff and the daemon do against a reference of some thirty lines, in random
// order, and its promise is one question answered the same by both at any moment: may this message start now?
//
// It knows nothing of how consent is kept. A Subject is the program as it really is, and Run plays histories of twenty
// people, five channels and three media to it. A history that fails is cut down to the few acts that matter, and the seed
// is printed, so that it can be played again.
//
// # What the acts mean
//
//	sign up, confirm   A wish becomes a grant by the button behind its link, once. A used link does nothing.
//	follow             An explicit act on the medium itself: active at once.
//	withdraw           Ends the grants of a purpose, a medium, or all, and answers whether it is acknowledged: never while
//	                   a message of an ended grant is started, always when none of the person is.
//	                   After a withdrawal of a whole medium, or of all, no import begins anything there until the person
//	                   acts anew on that medium; after one of a channel on all media, none begins it on any.
//	suppress, bounce   The same for one medium, by others.
//	import             With evidence: active, where there is no grant or a pending one, and nothing was withdrawn,
//	                   suppressed or erased; and nothing for somebody who left something on that medium and follows
//	                   nothing there. Without: pending at most. One that says that they left ends what an import began, and forbids
//	                   the others to begin it; who agreed by an act of their own goes on.
//	merge              Withdrawn beats active, and suppressions add up. Consent is given for an address, and that of the one
//	                   who remains is used: their grants stay, those of the other wait for a confirmation.
//	move               The address on a medium is found to be another one: what was active there waits for a confirmation.
//	change address     The same by the person, who asks for it on their own page and confirms at the new address, which nobody
//	                   had before: what was active goes on there, what ended or waits stays so, and nothing that was suppressed
//	                   or left is open to an import. A message that was made before goes to the new address.
//	erase              Nothing is left but what forbids.
//	post, digest       A message for each active grant of the channel.
//	start              The question. What started ends by settle, or becomes unknown by a crash.
//	resend             An unknown message may start again, under all the conditions of a first start.
//
// A message goes only under the grant that it was made for: who comes back after leaving gets what is new.
//
// A Subject may be stricter than the reference with messages made before a merge or a move, and never laxer.
package history
