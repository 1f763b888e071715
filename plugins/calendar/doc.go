// Package calendar is the source of what is going to happen: iCalendar documents behind an address (http, https, webcal) and
// CalDAV collections. Its one promise: each occurrence within the horizon is an item for each lead of announce, under a key
// that stays while the event moves; what is moved is revised, what is called off is withdrawn, and what cannot be read is
// said and loses nothing.
//
// An item may be posted from its lead before the event on (its embargo) until the next lead's turn, or the event's end.
// What was already announced and is then moved is revised at once, wherever it was moved to. An event that is over is in no
// batch any more and is not withdrawn by that: calendars forget the past.
//
// Package ics reads the documents; caldav speaks with servers. All state is the cursor.
package calendar
