// Package intake takes what sources yield into the store: each item once, its revisions noticed, its withdrawals
// believed only on evidence, floods held for a person. Items, the source's cursor and everything that follows from them
// are one transaction.
//
// Deciding is a pure function (Decide) over what a batch holds and what is known; the Poller fetches, and commits what
// was decided if nothing else changed the source in between.
package intake
