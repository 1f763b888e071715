package consent_test

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// BenchmarkImport imports b.N rows with evidence of people whom nobody knew. A million rows, as the figures ask for:
// go test ./internal/consent -run - -bench Import -benchtime 1000000x
func BenchmarkImport(b *testing.B) {
	o := newOffice(b)
	must(b, o.db.Close())
	var err error
	o.db, err = sqlite.OpenToImport(b.Context(), filepath.Join(o.dir, "belfry.db"))
	must(b, err)
	b.Cleanup(func() { _ = o.db.Close() })
	o.open(o.master)
	reader, err := o.reg.NewImportReader("readers.csv", &madeRows{n: b.N}, o.defaults())
	must(b, err)
	i, err := o.reg.StartImport(b.Context(), o.db, "readers.csv", fmt.Sprint("rows ", b.N), "", "test", false)
	must(b, err)
	var most uint64
	run := &consent.ImportRun{Store: o.db, Import: i, Reader: reader, Told: func(consent.ImportRow, consent.Fate, error) error { return nil }, Progress: func(int64) {
		if i.Rows%50_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse+m.StackInuse)
		}
	}}
	b.ResetTimer()
	must(b, o.reg.RunImport(b.Context(), run))
	if b.StopTimer(); i.Fates[consent.FateGranted] != b.N {
		b.Fatalf("%v", i.Fates)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(most)/(1<<20), "MiB")
}

// madeRows is a file with rows that are made as they are read.
type madeRows struct {
	n, at int
	buf   bytes.Buffer
}

func (m *madeRows) Read(p []byte) (int, error) {
	if m.buf.Len() == 0 {
		if m.at > m.n {
			return 0, io.EOF
		}
		if m.at == 0 {
			m.buf.WriteString("address,consented_at,source,wording_version,lang,zone\n")
			m.at++
		}
		for end := min(m.n, m.at+99); m.at <= end; m.at++ {
			fmt.Fprintf(&m.buf, "reader%07d@example.org,2024-03-01T08:00:00Z,form on the site,2024-01,fr,Europe/Paris\n", m.at)
		}
	}
	return m.buf.Read(p)
}
