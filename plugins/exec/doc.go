// Package exec is the source for what no other source reads: a command of the newsroom's own, in any language, that is
// given one JSON object and prints items, one JSON object a line. Its one promise: either everything that a run printed is
// taken, with the cursor that belongs to it, or nothing of it is, and one sentence says which line or which end was wrong.
//
// # A run
//
//	stdin   {"version":1,"source":"cms","fetch":"new","cursor":…,"config":{…},"now":"…","deadline":"…","limits":{…}}
//	stdout  {"item":{"key":"1","title":"…","html":"<p>…</p>"}}        any number, in any order
//	        {"removed":{"key":"2","reason":"unpublished"}}
//	        {"cursor":"2026-11-20T06:00:00Z"}                          the last line, which says that this is all
//	stderr  lines for the log
//	exit    0
//
// The last line is the evidence that nothing was cut off: an output without it counts as no output at all. The cursor is
// any JSON value of the command's own; the next run gets it back.
//
// # Who reads what
//
// HTML of an item becomes a sdk.Body here, in the process of the source; nothing behind it ever sees markup. The command
// itself runs in a sandbox of its own, which the program that declares the source hands in (see Sandbox), under limits of
// time, memory, lines and bytes, and ends with everything that it started.
package exec
