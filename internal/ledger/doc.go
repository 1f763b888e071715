// Package ledger is the sealed record of every consent event, and its promise is that no event in it can be changed,
// removed, added or moved afterwards without Verify naming where.
//
// # States
//
//	committed  The event is a row, written in the transaction of what it tells. Its content is ciphertext under the
//	           person's own key, or says nothing of a person; so destroying a key erases the person and no byte of the log.
//	sealed     The one leased Sealer has given it a sequence, and its hash is a leaf of a Merkle tree (RFC 6962). This
//	           happens within a second. What is not sealed yet is the tail, and nothing protects it.
//	signed     A checkpoint covers it: origin, size and root of the tree, signed with Ed25519 (the text of C2SP's
//	           tlog-checkpoint, in a signed note). From then on a change shows.
//	kept       The checkpoint lies elsewhere: in a folder of another machine, in an auditor's mail. Only this shows that
//	           the whole log was written anew, or its end cut off, by somebody who has the database and the key.
//
// # Authority
//
// The sequence is the order, whatever the clocks said; both times of an event are kept. IDs rise in the order of commits.
// The lease only saves work: a seal names the size of the tree that it begins at, and the store refuses it when that is
// not the size any more, so that two sealers cannot make two logs. Before it signs, the sealer proves that the tree
// extends the one it signed last, and refuses when it does not.
//
// # Bytes
//
// A leaf is SHA-256(0x00 ‖ bytes), and the bytes are fixed: a tag, then ID, both times, person, kind and data, all numbers
// in 8 bytes big-endian and what varies in length after its length (see Event.Bytes). Inner nodes are
// SHA-256(0x01 ‖ left ‖ right). The hashes are kept in the order of golang.org/x/mod/sumdb/tlog, by their index.
package ledger
