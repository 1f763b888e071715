package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type keysCmd struct {
	New    keysNewCmd    `cmd:"" help:"Make a key that seals the addresses of people."`
	Backup keysBackupCmd `cmd:"" help:"Write the keys into one file, to be kept apart from the database."`
	Status keysStatusCmd `cmd:"" help:"Which key sealed how many people, and which may go."`
}

type keysNewCmd struct {
	File string `arg:"" help:"The file to write."`
}

// Help is the long help.
func (*keysNewCmd) Help() string {
	return `Addresses are sealed under a key of each person's own, and those under this one. Whoever has the database without it reads no
address; who loses it loses all of them. The file can be read by its owner alone, and is never replaced.

To change the key, make a new one, put it into privacy.key, and the one of before into privacy.previous_keys. The daemon then
seals everything anew, little by little; belfry keys status says when the earlier one may go.

Example:

    belfry keys new people.key

Exit codes: 0 written, 1 it could not be, 2 the file is there already. With --json: {file, id}.`
}

// Run makes a key.
func (c *keysNewCmd) Run(_ context.Context, g *global, std streams) error {
	text := consent.NewKey()
	key, err := consent.ParseKey(text)
	if err != nil {
		return err
	}
	if err := writeSecret(c.File, overwrittenKey, []byte(text+"\n")); err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, map[string]string{"file": c.File, "id": key.ID()})
	}
	_, err = fmt.Fprintf(std.out, "%s holds the key %s, which only you can read. The lines for the configuration:\n\nprivacy:\n  key: \"${file:%s}\"\n\nKeep a copy of it apart from the database and its backups: belfry keys backup FILE\n",
		c.File, key.ID(), c.File)
	return err
}

const overwrittenKey = "a key that is overwritten is lost"

// writeSecret writes a new file that its owner alone can read.
func writeSecret(file, lost string, data []byte) error {
	f, err := newPrivate(file, lost)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, closeWhole(f, err == nil)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// keyRow is a master key.
type keyRow struct {
	ID    string `json:"id"`
	State string `json:"state"` // current, previous or missing
	// People whose key it sealed.
	People int `json:"people"`
	// May says that it may be taken out of the configuration.
	May bool `json:"may_go"`
}

// keyRows lists the configured keys, and those that are missing.
func keyRows(ctx context.Context, d *clerk) ([]keyRow, []consent.Master, error) {
	if err := needsKey(d.Config); err != nil {
		return nil, nil, err
	}
	var masters []consent.Master
	for i, s := range append([]sdk.Secret{d.Config.Privacy.Key}, d.Config.Privacy.Previous...) {
		m, err := consent.ParseKey(s.Reveal())
		if err != nil && i == 0 {
			return nil, nil, fmt.Errorf("privacy.key: %w", err)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("privacy.previous_keys, entry %d: %w", i, err)
		}
		masters = append(masters, m)
	}
	counts, err := d.Store.KeyCounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := d.Store.SecretMasters(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []keyRow
	for i, m := range masters {
		row := keyRow{ID: m.ID(), State: "previous", People: counts[m.ID()]}
		if i == 0 {
			row.State = "current"
		}
		row.May = i > 0 && row.People == 0 && !slices.Contains(secrets, m.ID())
		delete(counts, m.ID())
		out = append(out, row)
	}
	for _, id := range secrets {
		if !slices.ContainsFunc(out, func(r keyRow) bool { return r.ID == id }) {
			counts[id] += 0
		}
	}
	for id, n := range counts {
		out = append(out, keyRow{ID: id, State: "missing", People: n})
	}
	slices.SortStableFunc(out[len(masters):], func(a, b keyRow) int { return strings.Compare(a.ID, b.ID) })
	return out, masters, nil
}

type keysStatusCmd struct{}

// Help is the long help.
func (*keysStatusCmd) Help() string {
	return `Keys are named by a short digest, never shown. A previous key may go when nothing in the database needs it any more; backups
of before still do, so keep it as long as them.

Example:

    belfry keys status

Exit codes: 0 all keys are there, 1 one is missing, so that some people cannot be written to, or there is no store. With --json
a list of {id, state, people, may_go}.`
}

// Run prints the keys.
func (c *keysStatusCmd) Run(ctx context.Context, g *global, std streams) error {
	if _, err := g.load(); err != nil {
		return err
	}
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	rows, _, err := keyRows(ctx, d)
	if err != nil {
		return err
	}
	missing := 0
	t := newTable("KEY", "STATE", "PEOPLE", "")
	for _, r := range rows {
		note := ""
		switch {
		case r.State == "missing":
			missing++
			note = "not configured: put its file into privacy.previous_keys, or take it from a backup of the keys"
		case r.May:
			note = "may be taken out of privacy.previous_keys; keep it as long as backups of before"
		case r.State == "previous" && r.People > 0:
			note = "still needed: the daemon seals them anew"
		case r.State == "previous":
			note = "still needed until the daemon was started once"
		}
		t.add(r.ID, r.State, desk.Thousands(r.People), note)
	}
	if g.JSON {
		err = writeJSON(std.out, rows)
	} else {
		t.write(std.out)
	}
	if err == nil && missing > 0 {
		return &exitError{code: exitFailed}
	}
	return err
}

type keysBackupCmd struct {
	File string `arg:"" help:"The file to write."`
}

// Help is the long help.
func (*keysBackupCmd) Help() string {
	return `One file with every key that the configuration names. With it, and with a backup of the database (belfry store backup),
everything can be read again; each alone is worth nothing to a thief. What the keys seal, the keys of people among it, lies in
the database. So keep this file apart from the database and its backups, such as printed, in a safe, or in a password manager.

Make a new one after each change of the keys. The file is written in the form of the configuration.

Example:

    belfry keys backup /media/usb/belfry-keys.yaml

Exit codes: 0 written, 1 it could not be, or a key that the database needs is not configured, 2 the file is there already. With
--json: {file, keys: [{id, state, people, may_go}]}.`
}

// Run writes the keys.
func (c *keysBackupCmd) Run(ctx context.Context, g *global, std streams) error {
	if _, err := g.load(); err != nil {
		return err
	}
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	rows, masters, err := keyRows(ctx, d)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.State == "missing" {
			return &consent.MissingKeyError{ID: r.ID}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The keys of the people of %s, written %s.\n# Keep this file apart from the database and its backups: together they show every address.\n# They open %s, and every backup of it.\nprivacy:\n",
		orThis(d.Config.Site.Title), time.Now().UTC().Format(time.RFC3339), app.Database(d.Config))
	for i, m := range masters {
		switch i {
		case 0:
			fmt.Fprintf(&b, "  key: %s  # %s, sealed %s\n", m.Text(), m.ID(), people(rows[i].People))
		case 1:
			b.WriteString("  previous_keys:\n")
			fallthrough
		default:
			fmt.Fprintf(&b, "    - %s  # %s, sealed %s\n", m.Text(), m.ID(), people(rows[i].People))
		}
	}
	if err := writeSecret(c.File, overwrittenKey, []byte(b.String())); err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, map[string]any{"file": c.File, "keys": rows})
	}
	d.print("%s holds %s, which only you can read", c.File, count(len(masters), "key"))
	d.print("  take it away from this machine, and keep it apart from the database and its backups: together they show every address")
	return nil
}

func orThis(title string) string {
	if title == "" {
		return "this Belfry"
	}
	return desk.Plain(title)
}

// people counts them.
func people(n int) string { return beVerb(n, "person", "people") }
