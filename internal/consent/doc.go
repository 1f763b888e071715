// Package consent keeps who asked for what, and is the only one that can address a person.
//
// A person is a number. What reaches them (an address) lies apart, sealed under a key of their own. What they agreed to is
// a grant per purpose and medium, with its evidence. Every change is an event of the ledger, written in the same
// transaction. Permits are minted only here, from what Start's transaction read: a live grant, or the sign-up or inbound
// event that a fixed text answers (promises 1 and 2 of the design).
package consent
