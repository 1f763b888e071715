package consent_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/consent"
)

// Every column of the store is either said to be about people, with its purpose, or said not to be. A new one has to be put
// where it belongs before anything can be kept in it.
func TestEveryColumnIsClassified(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	raw, err := sql.Open("sqlite", filepath.Join(o.dir, "belfry.db"))
	must(t, err)
	defer raw.Close()
	rows, err := raw.Query(`SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`)
	must(t, err)
	defer rows.Close()
	var have []string
	for rows.Next() {
		var table, column string
		must(t, rows.Scan(&table, &column))
		have = append(have, table+"."+column)
	}
	must(t, rows.Err())
	var said []string
	add := func(table, columns string) {
		for c := range strings.FieldsSeq(columns) {
			said = append(said, table+"."+c)
		}
	}
	for _, k := range consent.Personal() {
		if k.Name == "" || k.Basis == "" || k.Until == "" {
			t.Errorf("%+v is not said whole", k)
		}
		for table, columns := range k.Columns {
			add(table, columns)
		}
	}
	for table, columns := range consent.NotPersonal() {
		add(table, columns)
	}
	slices.Sort(have)
	slices.Sort(said)
	if diff := cmp.Diff(have, said); diff != "" {
		t.Errorf("say in privacy_report.go what these columns are (-schema +said):\n%s", diff)
	}
	// Whatever points to a person is about people.
	for table, columns := range consent.NotPersonal() {
		for _, name := range []string{"person", "address", "sealed"} {
			if slices.Contains(strings.Fields(columns), name) {
				t.Errorf("%s.%s is about a person", table, name)
			}
		}
	}
}
