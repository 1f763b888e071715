package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// backupMedia is the media type of a backup (IANA).
	backupMedia = "application/vnd.sqlite3"
	// backupTime is how long making a backup may take, and pieceTime how long a megabyte of it may take to be read.
	backupTime = time.Hour
	pieceTime  = 30 * time.Second
	piece      = 1 << 20
	// madeFor begins the names of the folders in which files are made.
	madeFor = ".taken-along-"
)

// download is an answer that is a file, which goes afterwards.
type download struct {
	name, media string
	// done is called at the end.
	done func()

	folder string
	file   string
	size   int64
}

// make makes the file in a folder of its own inside dir. Folders that a fall left there go first.
func (d *download) make(dir string, write func(file string) error) error {
	left, err := filepath.Glob(filepath.Join(dir, madeFor+"*"))
	for _, old := range left {
		err = errors.Join(err, os.RemoveAll(old))
	}
	if err != nil {
		return err
	}
	if d.folder, err = os.MkdirTemp(dir, madeFor); err != nil {
		return err
	}
	d.file = filepath.Join(d.folder, "backup.db")
	if err := write(d.file); err != nil {
		return err
	}
	info, err := os.Stat(d.file)
	if err == nil {
		d.size = info.Size()
	}
	return err
}

// end removes the file.
func (d *download) end() {
	if d.folder != "" {
		_ = os.RemoveAll(d.folder) // the next one removes what is left
	}
	d.done()
}

// answer sends the file. Who reads it too slowly is cut off, and notices by the length.
func (d *download) answer(w http.ResponseWriter) {
	defer d.end()
	f, err := os.Open(d.file)
	if err != nil {
		Fail(w, nil, http.StatusInternalServerError)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", d.media)
	h.Set("Content-Length", strconv.FormatInt(d.size, 10))
	h.Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	control := http.NewResponseController(w)
	for left := d.size; left > 0; left -= piece {
		_ = control.SetWriteDeadline(time.Now().Add(pieceTime)) // a recorder in a test has none
		if _, err := io.CopyN(w, f, min(piece, left)); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
