// Package rss is the source for feeds: RSS, Atom and JSON Feed. Its one promise: from any bytes that any server sends, at
// any speed and under any label, come either the feed's items, each under a key that stays, or one sentence that says
// what is wrong, and the feed's server is asked politely.
//
// # What a newsroom can say in its feed
//
// Beyond the formats' own elements, Belfry reads these, in XML in the namespace urn:belfry:feed:1 (any prefix), in JSON
// Feed as members with the same names of an object "_belfry" in the item:
//
//	<belfry:correction>   the note on what this revision corrects, shown beside the corrected post
//	<belfry:urgency>      1 (most urgent) to 9
//	<belfry:not-before>   embargo: before it the item appears nowhere; an unreadable one keeps the item out
//	<belfry:expires>      when the item loses its meaning
//	<belfry:translation-of> the guid of the item, in the same feed, that this one translates
//
// Embargoes are also read from dcterms:available and dcterms:valid. An item is withdrawn by a tombstone (RFC 6721:
// <at:deleted-entry ref="GUID" when="…"/> in the feed, Atom or RSS; in JSON Feed {"_belfry": {"removed": [{"id": …}]}} at
// the top), or by leaving a feed that declares itself complete (RFC 5005: <fh:complete/>).
//
// # When a feed is asked again
//
// Batch.Wait is the longest of what the server and the document ask for: Cache-Control max-age less Age, or else Expires
// less Date, Retry-After, ttl, sy:updatePeriod, moved out of skipHours and skipDays; at most a day. A feed that stays
// quiet asks for a 24th of the time since it last changed, at most an hour.
package rss
