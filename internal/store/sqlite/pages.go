package sqlite

import (
	"encoding/binary"
	"sync"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// pooled is how many pages of all caches together have places of their own, side by side. The others get theirs from the
// allocator, where a page of 4 KiB with its header takes 9, and where the pages of the writer, which stay, hold those blocks of
// 64 KiB of which readers' pages, which go with the next commit, had the rest.
const pooled = 640

// pool sets these places apart (https://sqlite.org/malloc.html, section 3.3). It must come before the first connection of the
// process; where something else has opened one, caches stay as they were.
var pool = sync.OnceFunc(func() {
	const pageSize = 4096 // what SQLite gives to a new database
	tls := libc.NewTLS()
	defer tls.Close()
	args, header := libc.Xmalloc(tls, 64), libc.Xcalloc(tls, 1, 4)
	defer libc.Xfree(tls, args)
	defer libc.Xfree(tls, header)
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PCACHE_HDRSZ, libc.VaList(args, header)) != sqlite3.SQLITE_OK {
		return
	}
	size := (pageSize + int32(binary.NativeEndian.Uint32(libc.GoBytes(header, 4))) + 7) &^ 7
	places := libc.Xmalloc(tls, uint64(size)*pooled)
	if places != 0 && sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(args, places, size, int32(pooled))) != sqlite3.SQLITE_OK {
		libc.Xfree(tls, places)
	}
})
