package consent

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// keyBytes is how long every key is: AES-256 and HMAC-SHA-256.
const keyBytes = 32

// keyPrefix tells a master key from other secrets.
const keyPrefix = "belfry-key-"

// NewKey makes a master key, as it stands in its file.
func NewKey() string {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Master is a key that seals the keys of people. It is held in no store.
type Master struct {
	id   string
	key  []byte
	aead cipher.AEAD // of the key: making it costs more than opening with it
}

// ParseKey reads a master key as NewKey writes it.
func ParseKey(text string) (Master, error) {
	body, found := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	key, err := base64.RawURLEncoding.DecodeString(body)
	if !found || err != nil || len(key) != keyBytes {
		return Master{}, errors.New("this is no key of Belfry; make one with: belfry keys new FILE")
	}
	sum := sha256.Sum256(append([]byte("belfry master\x00"), key...))
	return Master{id: hex.EncodeToString(sum[:4]), key: key, aead: box(key)}, nil
}

// ID names the key without telling it.
func (m Master) ID() string { return m.id }

// Sealed is a key that a master key sealed.
type Sealed struct {
	Master string
	Data   []byte
}

// Keys are the master keys of an installation and the pepper of its hashes.
type Keys struct {
	current Master
	all     map[string]Master
	pepper  []byte
	// links are HMACs with the key of links, used again: making one anew costs as much as a link.
	links sync.Pool
}

// KeyStore holds the pepper, sealed, and knows which master keys are in use.
type KeyStore interface {
	Pepper(ctx context.Context) (Sealed, bool, error)
	SetPepper(ctx context.Context, s Sealed, was string) error
	// SealedSecret and SetSealedSecret keep other secrets by their names; the latter replaces only what was sealed by the master key was,
	// or what is not there when that is empty.
	SealedSecret(ctx context.Context, name string) (Sealed, bool, error)
	SetSealedSecret(ctx context.Context, name string, s Sealed, was string) error
	// Masters lists the ids of the master keys that sealed a person's key.
	Masters(ctx context.Context) ([]string, error)
}

// MissingKeyError says that rows are sealed by a master key that is not configured.
type MissingKeyError struct{ ID string }

func (e *MissingKeyError) Error() string {
	return fmt.Sprintf("people's addresses are sealed with the key %s, which is not configured; put its file into privacy.key or privacy.previous_keys, or take it from a backup made by: belfry keys backup", e.ID)
}

// OpenKeys checks that every key that sealed something is there, and reads the pepper or makes it. current seals from now
// on; previous only open.
func OpenKeys(ctx context.Context, store KeyStore, current Master, previous ...Master) (*Keys, error) {
	k := &Keys{current: current, all: map[string]Master{current.id: current}}
	for _, m := range previous {
		k.all[m.id] = m
	}
	used, err := store.Masters(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range used {
		if _, known := k.all[id]; !known {
			return nil, &MissingKeyError{id}
		}
	}
	sealed, found, err := store.Pepper(ctx)
	if err != nil {
		return nil, err
	}
	if !found {
		k.pepper = make([]byte, keyBytes)
		_, _ = rand.Read(k.pepper)
		if err := store.SetPepper(ctx, k.sealKey(k.pepper, "pepper"), ""); err != nil {
			return nil, err
		}
		if sealed, _, err = store.Pepper(ctx); err != nil { // another node may have been faster
			return nil, err
		}
	}
	if k.pepper, err = k.openKey(sealed, "pepper"); err != nil {
		return nil, err
	}
	if sealed.Master != current.id {
		if err := store.SetPepper(ctx, k.sealKey(k.pepper, "pepper"), sealed.Master); err != nil {
			return nil, err
		}
	}
	link, err := hkdf.Key(sha256.New, k.pepper, nil, "belfry links", keyBytes)
	if err != nil {
		return nil, err
	}
	k.links.New = func() any { return hmac.New(sha256.New, link) }
	return k, nil
}

// Secret gives a secret of the installation, such as the key that signs the ledger, or keeps the one that create gives. It is
// sealed by the master key.
func (k *Keys) Secret(ctx context.Context, store KeyStore, name string, create func() ([]byte, error)) ([]byte, error) {
	sealed, found, err := store.SealedSecret(ctx, name)
	if err != nil {
		return nil, err
	}
	if !found {
		made, err := create()
		if err != nil {
			return nil, err
		}
		if err := store.SetSealedSecret(ctx, name, k.sealKey(made, name), ""); err != nil {
			return nil, err
		}
		if sealed, _, err = store.SealedSecret(ctx, name); err != nil { // another node may have been faster
			return nil, err
		}
	}
	secret, err := k.openKey(sealed, name)
	if err == nil && sealed.Master != k.current.id {
		err = store.SetSealedSecret(ctx, name, k.sealKey(secret, name), sealed.Master)
	}
	return secret, err
}

// Current is the id of the key that seals.
func (k *Keys) Current() string { return k.current.id }

// box seals with a key of ours, which has the right length.
func box(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("consent: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("consent: " + err.Error())
	}
	return aead
}

func (k *Keys) sealKey(key []byte, what string) Sealed {
	return Sealed{Master: k.current.id, Data: k.current.aead.Seal(nil, nil, key, []byte("key of "+what))} //nolint:gosec // the AEAD makes its own random nonce
}

func (k *Keys) openKey(s Sealed, what string) ([]byte, error) {
	m, known := k.all[s.Master]
	if !known {
		return nil, &MissingKeyError{s.Master}
	}
	key, err := m.aead.Open(nil, nil, s.Data, []byte("key of "+what))
	if err != nil {
		return nil, fmt.Errorf("the key of %s cannot be opened with the key %s; the database was altered", what, s.Master)
	}
	return key, nil
}

// personKey is what seals everything about one person.
type personKey struct {
	aead cipher.AEAD
	ref  string
}

// newPersonKey makes the key of a person, sealed for the store.
func (k *Keys) newPersonKey(ref string) (personKey, Sealed) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)
	return personKey{box(key), ref}, k.sealKey(key, "person "+ref)
}

// person opens the key of a person.
func (k *Keys) person(ref string, s Sealed) (personKey, error) {
	key, err := k.openKey(s, "person "+ref)
	if err != nil {
		return personKey{}, err
	}
	return personKey{box(key), ref}, nil
}

// reseal seals a person's key with the current master key.
func (k *Keys) reseal(ref string, s Sealed) (Sealed, error) {
	key, err := k.openKey(s, "person "+ref)
	if err != nil {
		return Sealed{}, err
	}
	return k.sealKey(key, "person "+ref), nil
}

// seal and open bind a text to the person and to what it is, so that a row moved elsewhere cannot be opened.
func (p personKey) seal(what string, text []byte) []byte {
	return p.aead.Seal(nil, nil, text, []byte(p.ref+"\x00"+what)) //nolint:gosec // the AEAD makes its own random nonce
}

func (p personKey) open(what string, sealed []byte) ([]byte, error) {
	text, err := p.aead.Open(nil, nil, sealed, []byte(p.ref+"\x00"+what))
	if err != nil {
		return nil, fmt.Errorf("the %s of person %s cannot be opened; the database was altered", what, p.ref)
	}
	return text, nil
}

// desk seals what belongs to nobody yet: wishes of anybody.
func (k *Keys) desk() personKey {
	key, err := hkdf.Key(sha256.New, k.pepper, nil, "belfry sign-ups", keyBytes)
	if err != nil {
		panic("consent: " + err.Error())
	}
	return personKey{box(key), "desk"}
}

// Hash is the keyed hash of an address in its normal form, by which it is found and suppressed (facts sheet, 5.4).
func (k *Keys) Hash(medium, address string) string { return keyedHash(k.pepper, medium, address) }

func keyedHash(key []byte, kind, value string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(kind + "\x00" + value))
	return hex.EncodeToString(m.Sum(nil))
}
