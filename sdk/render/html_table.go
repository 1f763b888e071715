package render

import "github.com/belfry-news/belfry/sdk"

// tableBlocks makes text of a table.
func tableBlocks(table block) []block {
	var out, rows []block
	for _, bl := range table.blocks {
		if bl.kind == blockRow {
			rows = append(rows, bl)
		} else {
			out = append(out, bl) // a caption, or what stands between rows by mistake
		}
	}
	if !holdsData(rows) {
		for _, row := range rows {
			for _, bl := range row.blocks {
				if bl.kind == blockCell {
					out = append(out, bl.blocks...)
				} else {
					out = append(out, bl)
				}
			}
		}
		return out
	}
	var lines proseBuilder
	for _, row := range rows {
		rowLine(&lines, row)
	}
	for _, p := range lines.finish() {
		out = append(out, paragraph(p))
	}
	return out
}

// holdsData tells a table of data from one that only arranges a page: it has several columns of short texts.
func holdsData(rows []block) bool {
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row.blocks))
		for _, cell := range row.blocks {
			if cell.kind != blockCell || len(cell.blocks) > 1 {
				return false
			}
			for _, bl := range cell.blocks {
				if bl.kind != sdk.NodeParagraph || len(bl.text.text) > 300 {
					return false
				}
			}
		}
	}
	return columns > 1
}

// rowLine adds a row as a line, unless it is empty.
func rowLine(lines *proseBuilder, row block) {
	empty := true
	for _, cell := range row.blocks {
		empty = empty && len(cell.blocks) == 0
	}
	if empty {
		return
	}
	for i, cell := range row.blocks {
		if i > 0 {
			lines.flow(" | ", 0, nil)
		}
		for _, bl := range cell.blocks {
			for _, s := range bl.text.spans {
				if cell.ordered {
					s.marks |= strong
				}
				lines.flow(bl.text.text[s.start:s.end], s.marks, s.link)
			}
		}
	}
	lines.br(0, nil)
}
