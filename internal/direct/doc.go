// Package direct writes messages to people: it makes them from posts, claims them, starts them in windows, hands them to
// connectors and records what became of each.
//
// # The protocol
//
//	fan out  a stream is one text for everybody who follows a purpose over a medium. Its messages are made in chunks, and the
//	         first leave before the last are made.
//	claim    a batch of one stream, with a node, a fencing id and a lease. Claimed messages never left.
//	start    one transaction for a window of them: what decides about each is read again (grant, suppression, preferences,
//	         caps), the policy is asked, and those that may go are counted as started. Permits and addresses come only from
//	         here. What became of the window before is settled in the same transaction.
//	send     connectors pull messages; nothing that is not started can be pulled. The next window is started meanwhile.
//	recover  of a batch whose lease is over, what was started and has no outcome is unknown; the rest is claimed again.
//
// A window is as many messages as leave in 50 ms, between 1 and 32 for each connection; no more than two of these are
// without an outcome at any moment, which is what a kill can make unknown. Nothing is pulled when less than the deadline of a
// call is left of the lease.
package direct
