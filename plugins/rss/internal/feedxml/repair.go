package feedxml

import "fmt"

// repairs counts what was broken.
type repairs struct {
	ampersand, entity, control, latin, less, tag, cut int
	junk, half                                        bool
}

func (r repairs) sentences(d *Document) []string {
	var out []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	if r.junk {
		out = append(out, "text in front of the feed was skipped")
	}
	add(r.ampersand, "bare & signs were read as text (%d)", r.ampersand)
	add(r.entity, "names of HTML characters, which XML does not know, were resolved (%d)", r.entity)
	add(r.control, "control characters, which XML forbids, were left out (%d)", r.control)
	add(r.latin, "characters of windows-1252 that had been mistaken for ISO-8859-1 were restored (%d)", r.latin)
	add(r.less, "bare < signs were read as text (%d)", r.less)
	add(r.tag, "start and end tags that do not match were matched (%d)", r.tag)
	add(r.cut, "texts longer than the limit were cut (%d)", r.cut)
	if d.Truncated {
		end := "the end tags are missing"
		if r.half {
			end = "what it broke off in was left out"
		}
		out = append(out, fmt.Sprintf("the document ends early: %s; complete items: %d", end, d.Total))
	}
	return out
}
