package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
)

type tokenCmd struct {
	Name   string   `arg:"" help:"Who is to have it: small letters, digits, - and _."`
	Scopes []string `default:"read" placeholder:"SCOPE" help:"What it may do: read, post, people, operate; several with commas."`
}

// Help is the long help.
func (*tokenCmd) Help() string {
	return `Prints a new token, and the lines that make the daemon know it. The token is shown once and kept nowhere; the configuration
holds its hash. read sees what commands show, post writes, corrects and retracts posts, people asks people to confirm and sends notices,
operate does everything else; none includes another.

Examples:

    belfry token prometheus
    belfry token phone --scopes read,post,operate

Exit codes: 0 made, 2 the command line cannot be used. With --json: {name, token, hash, scopes}.`
}

type tokenJSON struct {
	Name   string   `json:"name"`
	Token  string   `json:"token"`
	Hash   string   `json:"hash"`
	Scopes []string `json:"scopes"`
}

// Run makes a token.
func (c *tokenCmd) Run(g *global, std streams) error {
	made := tokenJSON{Name: c.Name, Token: "belfry_" + rand.Text() + rand.Text(), Scopes: c.Scopes}
	made.Hash = api.Hash(made.Token)
	for _, s := range c.Scopes {
		if !slices.Contains([]string{api.ScopeRead, api.ScopePost, api.ScopePeople, api.ScopeOperate}, s) {
			return unusable("there is no scope %q; known are read, post, people and operate", s)
		}
	}
	if err := api.NewTokens(nil).Use(map[string]configs.Token{c.Name: {Hash: made.Hash, Scopes: c.Scopes}}); err != nil {
		return unusable("%q is no name for a token; use small letters, digits, - and _", c.Name)
	}
	if g.JSON {
		return writeJSON(std.out, made)
	}
	_, err := fmt.Fprintf(std.out, "The token, which is shown only now:\n\n    %s\n\nThe lines for the configuration:\n\nadmin:\n  tokens:\n    %s: {hash: %q, scopes: [%s]}\n",
		made.Token, c.Name, made.Hash, strings.Join(c.Scopes, ", "))
	return err
}
