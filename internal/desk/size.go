package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// StoreSize is what takes room. Sizes are in bytes.
type StoreSize struct {
	File   string      `json:"file"`
	Bytes  int64       `json:"bytes"`
	Log    int64       `json:"log_bytes"`
	Free   int64       `json:"free_bytes"`
	Parts  []StorePart `json:"parts"`
	Images StoreFiles  `json:"images"`
	// Copies are backups and databases that were moved aside, which nothing deletes but a person.
	Copies []StoreCopy `json:"copies"`
	// Reserve is what a file beside the database holds for a full disk.
	Reserve   int64  `json:"reserve_bytes"`
	DiskFree  *int64 `json:"disk_free"`
	DiskFloor int64  `json:"disk_floor"`
}

// StorePart is one part of the database.
type StorePart struct {
	Name  string `json:"name"`
	Rows  int    `json:"rows"`
	Bytes int64  `json:"bytes"`
	// Kept is how long, as retention: says it; 0s is for ever, and empty is as long as what it belongs to.
	Kept string `json:"kept"`
}

// StoreFiles are the stored images.
type StoreFiles struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// StoreCopy is a copy of the database beside it.
type StoreCopy struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

// StoreSize tells what takes room. It reads the whole database.
func (d *Desk) StoreSize(ctx context.Context) (*StoreSize, error) {
	s := &StoreSize{File: filepath.Join(d.Dir, sqlite.FileName), DiskFloor: int64(d.Config.DiskFloor), Copies: []StoreCopy{}, Parts: []StorePart{}}
	rooms, free, err := d.Store.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	s.Free = free
	r := d.Config.Retention
	kept := map[string]fmt.Stringer{"items": r.Items, "posts": r.Posts, "deliveries": r.Deliveries, "images": r.Media, "alerts": r.Alerts, "acts": r.Acts}
	for _, room := range rooms {
		p := StorePart{Name: room.Name, Rows: room.Rows, Bytes: room.Bytes}
		if k, ok := kept[room.Name]; ok {
			p.Kept = k.String()
		}
		s.Parts = append(s.Parts, p)
	}
	s.Bytes, s.Log = fileSize(s.File), fileSize(s.File+"-wal")
	if s.Images.Bytes, s.Images.Files, err = sqlite.FolderSize(filepath.Join(d.Dir, "media")); err != nil {
		return nil, err
	}
	copies, err := sqlite.Copies(s.File)
	if err != nil {
		return nil, err
	}
	for _, file := range copies {
		s.Copies = append(s.Copies, StoreCopy{file, fileSize(file)})
	}
	s.Reserve = disk.Reserved(d.Dir)
	if room, known := disk.Free(d.Dir); known {
		s.DiskFree = &room
	}
	return s, nil
}

func fileSize(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}
