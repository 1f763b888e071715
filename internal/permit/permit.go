// Package permit holds the sealed permission to write to one person.
//
// A Permit is minted in the transaction that starts a send window, from a live grant or from the sign-up or inbound
// event that it answers; it is never stored. Outside the module nothing can make one that names somebody: the fields
// are unexported, the package is internal, and a zero value names nobody. A dependency test in internal/deptest names
// the packages that may call Mint.
//
// The package imports nothing of ours.
package permit

import (
	"fmt"
	"log/slog"
	"time"
)

// Purpose says why a person is written to. Only three exist (promise 1 of the design).
type Purpose string

const (
	// Delivery is a message made from a post or digest of a channel the person follows.
	Delivery Purpose = "delivery"
	// Confirm is the one fixed text that a sign-up asks for.
	Confirm Purpose = "confirm"
	// Answer is the one answer to an inbox event.
	Answer Purpose = "answer"
)

// Valid reports whether p is one of the three purposes.
func (p Purpose) Valid() bool { return p == Delivery || p == Confirm || p == Answer }

// Address is where one person is reached over one medium. It exists only inside a Permit, and a connector reads it with
// Reveal at the moment of sending. It masks itself wherever it is printed, logged or marshalled.
type Address struct{ at *address }

type address struct{ medium, value string }

// Medium is the medium's name ("email", "telegram"…); empty for an address of nobody.
func (a Address) Medium() string {
	if a.at == nil {
		return ""
	}
	return a.at.medium
}

// Reveal gives the platform's own form of the address. It is false for an address of nobody.
func (a Address) Reveal() (value string, ok bool) {
	if a.at == nil {
		return "", false
	}
	return a.at.value, true
}

const masked = "[address]"

// String masks the address.
func (a Address) String() string { return masked }

// GoString masks the address in %#v.
func (a Address) GoString() string { return masked }

// Format masks the address under every verb.
func (a Address) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue masks the address in slog.
func (a Address) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText masks the address in JSON and YAML.
func (a Address) MarshalText() ([]byte, error) { return []byte(masked), nil }

// Permit is the permission to write to one person once, for one purpose.
type Permit struct{ p *permission }

type permission struct {
	id       string
	address  Address
	purpose  Purpose
	notAfter time.Time
}

// ID is the delivery that the permit was minted for; empty for a zero Permit.
func (p Permit) ID() string {
	if p.p == nil {
		return ""
	}
	return p.p.id
}

// Address is where the person is reached; an address of nobody for a zero Permit.
func (p Permit) Address() Address {
	if p.p == nil {
		return Address{}
	}
	return p.p.address
}

// Purpose is empty for a zero Permit.
func (p Permit) Purpose() Purpose {
	if p.p == nil {
		return ""
	}
	return p.p.purpose
}

// NotAfter is the end of the permit in UTC. A message whose first byte has not left by then must not leave.
func (p Permit) NotAfter() time.Time {
	if p.p == nil {
		return time.Time{}
	}
	return p.p.notAfter
}

// Names reports whether the permit names somebody.
func (p Permit) Names() bool { return p.p != nil }

// Mint makes a permit. It panics on an unnamed person or an unknown purpose: both are faults of ours, and a permit that
// nobody granted must not exist for a moment.
func Mint(id, medium, value string, purpose Purpose, notAfter time.Time) Permit {
	if id == "" || medium == "" || value == "" || !purpose.Valid() || notAfter.IsZero() {
		panic("permit: minted for nobody, for no purpose or without an end")
	}
	return Permit{&permission{id: id, address: Address{&address{medium, value}}, purpose: purpose, notAfter: notAfter.UTC()}}
}
