package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// AdminNone as admin_listen serves nothing to operators.
const AdminNone = "none"

// Admin says who may use the admin address from elsewhere.
type Admin struct {
	Tokens map[string]Token `yaml:"tokens" doc:"Tokens for the API, and for metrics and profiles from other machines, by a name of your choice; belfry token makes one."`
}

// Token is one token, under its name. The token itself is nowhere.
type Token struct {
	Hash   string   `yaml:"hash" required:"true" doc:"The SHA-256 of the token, as sha256: and 64 hexadecimal digits." example:"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Scopes []string `yaml:"scopes" required:"true" enum:"read|post|people|operate" doc:"What it may do: read what commands show; post, which is to write, correct and retract posts; people, which is to ask people to confirm, to take their withdrawals and to send notices; operate, which is everything else."`
}

// HashFix says how to get the hash of a token.
const HashFix = "make both: belfry token NAME"

// Validate checks the shape of the hash, and that there is a scope.
func (t *Token) Validate() error {
	var ps sdk.Problems
	if _, err := t.Sum(); err != nil {
		ps.Add("/hash", err.Error(), HashFix)
	}
	if len(t.Scopes) == 0 {
		ps.Add("/scopes", "the token may do nothing", "give it scopes: [read], or take it out")
	}
	return ps.Err()
}

// Sum is the SHA-256 of the token.
func (t *Token) Sum() (sum [sha256.Size]byte, err error) {
	digits, ok := strings.CutPrefix(t.Hash, "sha256:")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(sum) {
		return sum, errors.New("the hash is not sha256: and 64 hexadecimal digits")
	}
	return [sha256.Size]byte(b), nil
}
