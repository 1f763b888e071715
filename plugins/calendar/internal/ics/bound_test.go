package ics

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A document of as many events as there may be takes little more memory than its texts, once it is read.
func TestMostEvents(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("BEGIN:VCALENDAR\r\n")
	const text = 200
	for i := range MaxEvents {
		fmt.Fprintf(&doc, "BEGIN:VEVENT\r\nUID:%d@x\r\nSUMMARY:Event %d\r\nDTSTART:20261201T100000Z\r\nDESCRIPTION:%s\r\nEND:VEVENT\r\n", i, i, strings.Repeat("x", text))
	}
	doc.WriteString("END:VCALENDAR\r\n")
	body := []byte(doc.String())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, err := Parse(body, Options{Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := len(c.series); n != MaxEvents || c.Cut {
		t.Errorf("%d events of %d are kept, and it counts as whole: %v", n, MaxEvents, !c.Cut)
	}
	kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if most := int64(MaxEvents * (text + 2<<10)); kept > most {
		t.Errorf("%d KiB are kept of it, for %d at most", kept>>10, most>>10)
	}
	t.Logf("%d bytes an event", kept/MaxEvents)
	runtime.KeepAlive(c)
}
