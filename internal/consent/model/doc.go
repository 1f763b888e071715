// Package model is the protocol between consent and delivery in small, and its promise is that every order of its steps
// has been tried: within stated bounds, no attempt starts after an acknowledged withdrawal, nothing is sent twice while it
// may have arrived unless somebody said so, and every message ends in one recorded outcome.
//
// It follows section 6.1 and the first promise of the design word for word, so that it can be laid beside the code. Each
// act is one transaction, or one thing that happens outside of the database:
//
//	grant        the person follows, by an act of their own: the grant becomes active, with a new version.
//	import       rows with evidence become grants where there was none. Nothing else does: it never revives.
//	withdraw     one transaction ends the grant. The request now waits for its acknowledgement.
//	log          the withdrawal stands in withdrawals.log with its moment, for each address of the person, and is on the
//	             disk. This may come before the transaction, which may then fail: what is logged and not recorded is no
//	             acknowledgement, and a restore honours it.
//	acknowledge  allowed once it is logged and no message of the ended grant is started: each is settled or unknown.
//	give up      the deadline of 15 s is over. The person is told that it is recorded, and that is no acknowledgement.
//	merge        two people are one: withdrawn beats active, and is logged for every address as a withdrawal is; of two
//	             active grants that of the one who remains stays, and rows follow their person. It waits until nothing of
//	             either is started: what one of them was told about leaving holds for both from then on.
//	enqueue      a row for an active grant, and the version of the grant that it was made for.
//	claim        a batch with a fence and a lease. Claimed rows never left.
//	start        a window of the batch: the fence and the lease hold; the grant is read again, and must be active and of the
//	             version that the row was made for; others become suppressed.
//	send         the first byte may leave: this is the attempt. Only inside a started window, and not when the lease is over.
//	answer       the platform's: accepted, or refused for now. No answer before the deadline is silence.
//	settle       the outcome becomes the row's: sent, pending again after a refusal, unknown after silence. What a node
//	             settles after its lease counts only where it was accepted, and nothing else happened to the row meanwhile.
//	crash        a worker forgets everything. What is on the wire may arrive.
//	lapse        a lease ends under a worker that lives on, which stops pulling before that (its rule 7).
//	recover      rows whose lease is over: started ones are unknown, the others pending.
//	resend       an unknown or held row is pending again, because the configuration or somebody says so. It takes the same
//	             start as any other.
//	judge        somebody says what became of an unknown or held row, and that is its outcome.
//	backup, restore
//	             the rows of then; everything that has not ended is held, since it may have left, and so is what is made
//	             from then on, until somebody releases it. Grants that are no newer than what withdrawals.log holds for
//	             the address are withdrawn; where the backup knows of no grant, the address counts as one that left, so
//	             that no import brings it back.
//
// # Versions
//
// A person who leaves and comes back is not written to with what was made for them before: the version of a grant is the
// moment at which it became active, and a row is started only for the version it was made for. The model's clock never
// goes back, not even by a restore; a program must take care that its versions do not, either.
//
// # Flaws
//
// The same model with one step done wrong is a Flaw, and for each there is a shortest run that breaks a promise. So the
// model can fail, and each line of the protocol is there for a reason.
package model
