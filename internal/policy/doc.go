// Package policy says whether one message to one person may go now, and its promise is one answer with one named reason
// for every message: Decide is a pure function of Facts, which reads no clock and no store.
//
// It is asked when a message is made, and again in the transaction that starts it (section 6.1 of the design); only the
// second answer counts. Its decision is stored with the message, so that `belfry why` shows what was decided then.
//
// # The order
//
// Reasons are tried in one fixed order, the strongest no first; the order of Reasons is that order.
//
//  1. A message of an unknown kind does not go.
//  2. Nobody who is suppressed is written to. A confirmation goes in spite of every suppression but "never write to me
//     again", since a fresh act of the person is what lifts the others. The one answer to what a person wrote is under
//     no other rule than that what they wrote is fresh.
//  3. Without an active grant of this person, purpose and medium nothing goes, nor what was made for a grant that ended:
//     who leaves and comes back starts anew. Where the platform wants people to write first, nothing goes to who has not.
//  4. What is withdrawn, replaced, already had, empty or old does not go.
//  5. What the person did not choose does not go: topics, languages, and on a platform that forbids impersonal bulk
//     whatever no choice of theirs selects. Who chose digests gets posts in them.
//  6. What waits for somebody's act: the bulk guard, the brake on new audiences, a pause without an end, a closed reply
//     window.
//  7. What goes into the next digest instead: posts during the person's own pause, and posts beyond the caps.
//  8. What waits for a time: pauses with an end, caps on notices, the gap between messages, quiet hours of the law and of
//     the person. Until is the first instant at which none of them holds any more. News that would be old by then does
//     not go.
//
// # Corrections
//
// A correction waits for quiet hours as a post does, and counts towards caps as one: what is wrong on a telephone at 23:00
// is read at 07:00, and the page says the truth at once. Only an urgent one, to a person who ticked breaking, does not
// wait. It is under no choice of topics, since it goes to those who had the wrong version, and under no brake.
// A retraction is a correction here.
//
// # Breaking
//
// An urgent post to a person who ticked breaking passes that person's own quiet hours, and their choice of digests.
// It passes nothing else: not the law's hours, not a pause, not a cap. Such a decision has Override set, and each is
// recorded.
package policy
