// Package ics reads iCalendar documents (RFC 5545) of strangers and plans their occurrences. Its one promise: whatever the
// bytes are, reading ends soon, holds a bounded number of events, and gives the instants that the document's authors meant,
// or says in a notice which event it could not read. No time is ever taken for UTC because its zone is unknown.
//
// Parse cleans the text line by line, because one bad line makes the decoder give up the whole, and hands it to go-ical.
// Calendar.Between plans: the rules run in wall time, by rrule-go from daily rules upwards and by a loop of its own below,
// where that library would count seconds for minutes; zones are resolved afterwards, a wall time in a gap by the offset
// before it and a repeated one as the first.
package ics
