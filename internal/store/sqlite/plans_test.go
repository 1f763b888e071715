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
var growing = []string{"items", "channel_items", "posts", "post_items", "post_revisions", "publications", "parts", "deliveries", "occurrences", "item_aliases", "media", "folded", "streams", "messages", "notices", "inbox", "tokens", "acts"}

var (
	statement = regexp.MustCompile(`^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b`)
	// By an index of its own it reads a part, or in an order; by the beginning of a key, all of a channel, source or destination.
	scanned  = regexp.MustCompile(`^(?:SCAN (\w+)(?: LEFT-JOIN)?|SEARCH (\w+) USING (?:PRIMARY KEY|(?:COVERING )?INDEX sqlite_autoindex_\w+) \((?:channel|source|destination)=\?\))$`)
	numbered = regexp.MustCompile(`\?(\d+)`)
)

// asked are the files of what a person asks for or does, or that comes with a start, a reload or a clock that jumps: these may
// take a second in a big store.
var asked = map[string]bool{"clock.go": true, "desk.go": true, "health.go": true, "holds.go": true, "inbox.go": true, "media.go": true, "message_record.go": true, "names.go": true,
	"posts.go": true, "release_post.go": true, "report.go": true, "retract.go": true}

// plainly opens a new database without the store.
func plainly(t *testing.T) *sql.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "belfry.db")
	if err := sqlitetest.Open(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestNoStatementReadsAll plans the statements of what happens by itself. One that reads a whole table that
// grows takes longer with each post: a daemon that is well for an hour falls behind in the second.
func TestNoStatementReadsAll(t *testing.T) {
	t.Parallel()
	db := plainly(t)
	planned, constants := 0, constantsOf(t)
	all, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "_test.go") || asked[name] {
			continue
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			text, is := n.(ast.Expr)
			if !is {
				return true
			}
			query, known := constant(text, constants)
			if !known || !statement.MatchString(query) {
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
			return false
		})
	}
	if planned < 300 {
		t.Errorf("only %d statements were planned", planned)
	}
}

// constantsOf are the texts of the store's constants, by name.
func constantsOf(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	out := map[string]string{}
	for more := true; more; { // some are made of others
		more = false
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				v, is := n.(*ast.ValueSpec)
				if !is || len(v.Values) != 1 {
					return true
				}
				text, known := constant(v.Values[0], out)
				if _, had := out[v.Names[0].Name]; known && !had {
					out[v.Names[0].Name], more = text, true
				}
				return true
			})
		}
	}
	return out
}

// constant is the text of an expression that is put together of literals and constants.
func constant(e ast.Expr, known map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.Ident:
		text, is := known[e.Name]
		return text, is
	case *ast.BinaryExpr:
		a, first := constant(e.X, known)
		b, second := constant(e.Y, known)
		return a + b, first && second && e.Op == token.ADD
	}
	return "", false
}

// TestEveryReferenceIsFound asks of every reference to a table whose rows go, or change their number, that who refers to such a
// row is found by an index. SQLite looks for them with each row that goes.
func TestEveryReferenceIsFound(t *testing.T) {
	t.Parallel()
	db := plainly(t)
	// An index of a part serves where that part is of the rows that refer to something at all, or where the others never do.
	rows, err := db.Query(`SELECT m.name || '.' || f."from", f."table", EXISTS (SELECT 1 FROM pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i ON i.seqno = 0 AND i.name = f."from"
		LEFT JOIN sqlite_schema x ON x.name = l.name WHERE l.partial = 0 OR x.sql LIKE '% WHERE ' || f."from" || ' IS NOT NULL')
		FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var from, to string
		var found bool
		if err := rows.Scan(&from, &to, &found); err != nil {
			t.Fatal(err)
		}
		n++
		stay := to == "subscribers" || to == "grants" // forgotten in place
		few := from == "held_removals.item" || from == "message_batches.stream"
		if !found && !stay && !few {
			t.Errorf("%s refers to %s, and has no index", from, to)
		}
	}
	if err := rows.Err(); err != nil || n < 20 {
		t.Errorf("%d references were looked at: %v", n, err)
	}
}

// readsAll names the growing tables of which a statement reads every row.
func readsAll(db *sql.DB, query string) (tables []string, err error) {
	args := make([]any, strings.Count(numbered.ReplaceAllString(query, ""), "?"))
	for _, m := range numbered.FindAllStringSubmatch(query, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		args = append(args, make([]any, max(0, n-len(args)))...)
	}
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
