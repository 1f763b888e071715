package sqlite_test

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

// growing are the tables that grow with every item, post and call.
var growing = []string{"items", "channel_items", "posts", "post_items", "post_revisions", "publications", "parts", "deliveries"}

var (
	statement = regexp.MustCompile(`^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b`)
	// By an index of its own it reads a part, or in an order; by the beginning of a key, all of a channel, source or destination.
	scanned  = regexp.MustCompile(`^(?:SCAN (\w+)(?: LEFT-JOIN)?|SEARCH (\w+) USING (?:PRIMARY KEY|(?:COVERING )?INDEX sqlite_autoindex_\w+) \((?:channel|source|destination)=\?\))$`)
	numbered = regexp.MustCompile(`\?(\d+)`)
)

// TestNoStatementReadsAll plans the statements of what happens with every item, post and call. One that reads a whole table that
// grows takes longer with each post: a daemon that is well for an hour falls behind in the second.
func TestNoStatementReadsAll(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "belfry.db")
	if err := sqlitetest.Open(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	planned := 0
	for _, name := range []string{"compose.go", "intake.go", "outbox.go", "webhooks.go"} {
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, filepath.Join("..", name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			text, is := n.(*ast.BasicLit)
			if !is || text.Kind != token.STRING {
				return true
			}
			query, err := strconv.Unquote(text.Value)
			if err != nil || !statement.MatchString(query) {
				return true
			}
			tables, err := readsAll(db, store.SQLite(query))
			if err != nil {
				return true // a part of a statement
			}
			planned++
			if len(tables) > 0 && !strings.Contains(query, "lease_until") { // what a node that ended had under way, at a start
				t.Errorf("%s: it reads all of %s: %s", files.Position(text.Pos()), strings.Join(tables, ", "), strings.Join(strings.Fields(query), " "))
			}
			return true
		})
	}
	if planned < 60 {
		t.Errorf("only %d statements were planned", planned)
	}
}

// readsAll names the growing tables of which a statement reads every row.
func readsAll(db *sql.DB, query string) (tables []string, err error) {
	n := strings.Count(numbered.ReplaceAllString(query, ""), "?")
	for _, m := range numbered.FindAllStringSubmatch(query, -1) {
		number, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		n = max(n, number)
	}
	args := make([]any, n)
	for i := range args {
		args[i] = 1
	}
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		m := scanned.FindStringSubmatch(detail)
		if m == nil {
			continue
		}
		name := m[1] + m[2]
		for _, table := range growing {
			if name == table || regexp.MustCompile(fmt.Sprintf(`\b%s (?:AS )?%s\b`, table, name)).MatchString(query) {
				tables = append(tables, table)
			}
		}
	}
	slices.Sort(tables)
	return slices.Compact(tables), rows.Err()
}
