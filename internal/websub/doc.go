// Package websub has hubs tell at once what is new in feeds (W3C WebSub). Its one promise: a feed is never worse off with a hub
// than without one. What a hub says is taken only with its signature, it is read as a fetch of the feed would be, and whenever
// a hub refuses, falls silent, lets its lease end or misses something, the feed is fetched as often as before.
//
// A subscription is a row: pending (being asked for), active (verified, until its lease ends), denied (asked for again a day
// later) or leaving (no longer wanted, until the hub was told). The address that a hub calls ends with 32 random bytes, one
// address for each subscription; who knows it is the hub, and its signature says that it is.
//
//	the feed names a hub     -> pending, asked at once; the one of before leaves when the new one is active
//	the hub asks back        -> active for the lease it grants, asked for again after two thirds of that
//	the hub refuses, or does
//	not ask back in time     -> asked again, ever more slowly; an active one stays so until its lease ends
//	the lease ends           -> pending
//	the hub denies           -> denied
//	the feed names no hub    -> leaving
//
// A source is fetched slowly (Slow) while its subscription is active and the hub has told of something since a fetch last found
// what it had not told.
package websub
