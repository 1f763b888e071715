package sqlite_test

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
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
var growing = []string{"items", "channel_items", "posts", "post_items", "post_revisions", "publications", "parts", "deliveries", "occurrences", "item_aliases", "media", "folded", "streams", "messages", "notices", "inbox", "tokens", "acts", "subscribers", "person_keys", "grants", "addresses", "suppressions", "sent_days", "raw_webhooks", "webhook_ids", "ledger_events", "media"}

var (
	statement = regexp.MustCompile(`^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b`)
	// By an index of its own it reads a part, or in an order; by the beginning of a key, all of a channel, source or destination.
	scanned  = regexp.MustCompile(`^(?:SCAN (\w+)(?: LEFT-JOIN)?|SEARCH (\w+) USING (?:PRIMARY KEY|(?:COVERING )?INDEX sqlite_autoindex_\w+) \((?:channel|source|destination)=\?\))$`)
	numbered = regexp.MustCompile(`\?(\d+)`)
)

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

// TestNoStatementReadsAll plans every statement of the store. One that reads a whole table that grows takes longer with each post: a
// daemon that is well for an hour falls behind in the second.
func TestNoStatementReadsAll(t *testing.T) {
	t.Parallel()
	db := plainly(t)
	planned, needless := 0, maps.Clone(seldom)
	statements(t, func(at, in, query string) {
		tables, err := readsAll(db, store.SQLite(query))
		if err != nil {
			return // a part of a statement
		}
		planned++
		if len(tables) == 0 {
			return
		}
		if delete(needless, in); seldom[in] == "" {
			t.Errorf("%s: %s reads all of %s: %s", at, in, strings.Join(tables, ", "), strings.Join(strings.Fields(query), " "))
		}
	})
	if planned < 550 {
		t.Errorf("only %d statements were planned", planned)
	}
	for in := range needless {
		t.Errorf("%s reads nothing whole any more", in)
	}
}

// seldom are the methods that may read the whole of a table, and why.
var seldom = map[string]string{
	"ClockSetBack": "after the clock was set back, once",
	"Recover":      "at a start: what a node that ended had under way",
	"Rename":       "after a name of the configuration was changed, once",
	"Held":         "after the configuration was changed, to find what it holds no more",
	"ReleaseHeld":  "a person lets go what a blackout held", "ReleasePost": "the same, of one post",
	"PostsBefore": "a list, the newest first, as long as it is asked for", "Posts": "the same", "DeliveriesBefore": "the same", "Occurrences": "the same",
	"FindItem": "a person looks for an item by a part of its address", "CountText": "a person looks for what is left of a text",
	"MessagesOf":  "a person asks what somebody got: all streams, and of each one row",
	"NewestStamp": "the newest hundred rows of each", "MediaUsers": "the newest items of a bounded number",
}

// statements gives the statements of the store, those that are put together of constants too, with the functions they stand in.
func statements(t *testing.T, each func(at, in, query string)) {
	t.Helper()
	names, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	constants := map[string]ast.Expr{}
	var decls []ast.Decl
	for _, name := range names {
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, f.Decls...)
	}
	for _, d := range decls {
		g, is := d.(*ast.GenDecl)
		if !is || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			if v, is := s.(*ast.ValueSpec); is {
				for i, value := range v.Values {
					constants[v.Names[i].Name] = value
				}
			}
		}
	}
	for _, d := range decls {
		in := ""
		if f, is := d.(*ast.FuncDecl); is {
			in = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			e, is := n.(ast.Expr)
			if !is {
				return true
			}
			query, is := text(e, constants)
			if !is || !statement.MatchString(query) {
				return true
			}
			each(files.Position(e.Pos()).String(), in, query)
			return false
		})
	}
}

// text is what an expression of constants says.
func text(e ast.Expr, constants map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, isX := text(e.X, constants)
		y, isY := text(e.Y, constants)
		return x + y, isX && isY && e.Op == token.ADD
	case *ast.Ident:
		if c, is := constants[e.Name]; is {
			return text(c, constants)
		}
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
