package consent

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// importChunk is how many rows a transaction of an import holds.
const importChunk = 1000

// ImportRun does the rows of a file.
type ImportRun struct {
	Store ImportStore
	// Import is where it stands: of StartImport, or empty for a dry run.
	Import *Import
	Reader *ImportReader
	// Dry undoes each chunk.
	Dry bool
	// Told is told of each row in its order, after its chunk is on the disk; err is set for rows that cannot be used.
	Told func(row ImportRow, fate Fate, err error) error
	// Progress is told how many bytes of the file were read; nil tells nobody.
	Progress func(read int64)
	// Earlier counts the rows that a run before did.
	Earlier int64
}

// lot is a chunk on its way.
type lot struct {
	rows   []ImportRow
	errs   []error
	sealed ImportRows
	read   int64
	err    error
}

// RunImport does the rows of a file that are not done yet, a chunk in a transaction. The next chunk is read and sealed while
// one is written. What it did stays when it ends with an error, and the same file goes on from there.
func (r *Registry) RunImport(ctx context.Context, run *ImportRun) error {
	ctx, stop := context.WithCancel(ctx)
	lots := make(chan lot, 1)
	done := make(chan struct{})
	id, skip := run.Import.ID, run.Import.Rows // the rest of it changes with each chunk
	go func() {
		defer close(done)
		defer close(lots)
		r.readLots(ctx, run, id, skip, lots)
	}()
	defer func() { stop(); <-done }()
	for l := range lots {
		if len(l.rows) > 0 {
			fates, err := r.Import(ctx, run.Store, run.Import, l.sealed, run.Dry)
			if err != nil {
				return fmt.Errorf("the import stopped before row %d of the file; everything up to there is kept, and the same command goes on: %w", run.Import.Rows+1, err)
			}
			for i, fate := range fates {
				if err := run.Told(l.rows[i], fate, l.errs[i]); err != nil {
					return err
				}
			}
			if run.Progress != nil {
				run.Progress(l.read)
			}
		}
		if l.err != nil {
			return l.err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if run.Dry {
		return nil
	}
	return r.FinishImport(ctx, run.Store, run.Import)
}

// readLots reads and seals chunks until the file ends. Rows that are done already are only counted.
func (r *Registry) readLots(ctx context.Context, run *ImportRun, id, skip int64, lots chan<- lot) {
	for range skip {
		_, err := run.Reader.Next()
		var re *RowError
		if err != nil && !errors.As(err, &re) {
			lots <- lot{err: fmt.Errorf("%d rows of the file were done before, and it ends before them: %w", skip, err)}
			return
		}
		run.Earlier++
		if ctx.Err() != nil {
			return
		}
	}
	for end := false; !end; {
		l := lot{rows: make([]ImportRow, 0, importChunk), errs: make([]error, 0, importChunk)}
		for len(l.rows) < importChunk {
			row, err := run.Reader.Next()
			var re *RowError
			if err != nil && !errors.As(err, &re) {
				if end = true; !errors.Is(err, io.EOF) {
					l.err = err
				}
				break
			}
			l.rows, l.errs = append(l.rows, row), append(l.errs, err)
		}
		l.sealed, l.read = r.Prepare(id, l.rows), run.Reader.Bytes()
		select {
		case lots <- l:
		case <-ctx.Done():
			return
		}
	}
}
