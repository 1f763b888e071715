// Package outbox carries posts to destinations: every delivery row ends in exactly one recorded outcome, and none is sent
// again while it may have arrived, unless a person or the configuration says so.
//
// A publication is one post on one destination: a desired state (the newest revision, or its absence) against the state
// there. Its next platform call is decided when it starts, never earlier: ten revisions become one edit, and what was
// withdrawn before its start never leaves. There is no queue of edits.
//
// # The protocol
//
//	claim    a batch of rows of one channel on the destination, with a node, a fencing id and a lease. Claimed rows never left.
//	prepare  read the publication, render it, decide the one call that brings it nearer to its desired state. Nothing is written.
//	start    one transaction: the fence still holds, the publication is as it was read, nothing is paused, the rates allow
//	         it; then the row says what is being sent. From here on the call may have left.
//	send     the connector's call, with a deadline shorter than what is left of the lease.
//	settle   one transaction: the outcome, the part's reference, and the next row if the publication is not there yet.
//	         While a call is under way the next row of the batch is prepared, and the outcome of the one and the start of the
//	         other are one transaction; the writer puts what many lanes have to record into one commit.
//	recover  rows of a batch whose lease is over: started ones are unknown, the others are pending again.
//
// Authority is the row: a node that lost its lease finds its fence refused at start, and stops; of what it settles later,
// only an accepted call counts. An unknown outcome is resolved by the platform (a key it recognises, a look-up) or else by
// a person. While it is unknown, nothing else happens to its publication; other posts go on. A call that is certainly
// missing is forgotten, and what to do is decided anew: what was taken back meanwhile does not leave.
//
// A delivery that cannot even be worked on is put off for a minute at a time and ends as failed; a connector that ignores
// its deadline is left alone with its call. Neither blocks the posts behind it.
package outbox
