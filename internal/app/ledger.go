package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/ledger"
)

// LedgerSeal is what signs the checkpoints of the ledger, and what tells its signature.
type LedgerSeal struct {
	Signer note.Signer
	// Verifier is public: an auditor needs it, and the checkpoints.
	Verifier string
	Keys     note.Verifiers
}

// OpenLedgerSeal gives the key that signs the ledger, or makes it: it is kept sealed in the store. Its name, the origin of the log,
// is that of the site when it was made.
func OpenLedgerSeal(ctx context.Context, db consent.KeyStore, keys *consent.Keys, l *configs.Loaded) (s LedgerSeal, err error) {
	secret, err := keys.Secret(ctx, db, "ledger", func() ([]byte, error) {
		origin := "belfry"
		if u, err := url.Parse(l.Site.URL); err == nil && u.Hostname() != "" {
			origin = "belfry." + u.Hostname()
		}
		private, public, err := note.GenerateKey(rand.Reader, origin)
		return []byte(private + "\n" + public), err
	})
	if err != nil {
		return s, err
	}
	private, public, _ := strings.Cut(string(secret), "\n")
	if s.Signer, err = note.NewSigner(private); err != nil {
		return s, fmt.Errorf("the key that signs the ledger cannot be used: %w", err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return s, fmt.Errorf("the key that signs the ledger cannot be used: %w", err)
	}
	s.Verifier, s.Keys = public, note.VerifierList(verifier)
	return s, nil
}

// startLedger starts what seals the ledger.
func (a *App) startLedger(ctx context.Context, keys *consent.Keys) error {
	l := a.Config()
	seal, err := OpenLedgerSeal(ctx, a.db, keys, l)
	if err != nil {
		return err
	}
	o := ledger.Settings{Store: a.db.Ledger(), Node: "daemon", Signer: seal.Signer, Logger: a.log}
	if dir := l.Privacy.Checkpoints; dir != "" {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(l.Dir, dir)
		}
		o.Sinks = append(o.Sinks, ledger.Folder(dir))
	}
	key, told := alert.Key{Code: alert.LedgerTrouble, Subject: "ledger"}, false
	o.Trouble = func(trouble error) {
		var err error
		switch {
		case trouble != nil:
			told = true
			err = a.db.Raise(context.Background(), alert.Alert{Code: key.Code, Subject: key.Subject,
				Sentence: fmt.Sprintf("the record of consent cannot be sealed: %s", trouble), Mend: "look at what differs: belfry consent verify"}, time.Now())
		case told:
			told = false
			err = a.db.ResolveAlerts(context.Background(), []alert.Key{key}, time.Now())
		}
		if err != nil {
			a.log.Error("an alert cannot be kept", "err", err)
		}
	}
	sealer := ledger.NewSealer(o)
	if err := sealer.Start(ctx); err != nil {
		return err
	}
	a.onStop("ledger", sealer.Stop)
	return nil
}
