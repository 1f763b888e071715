package sdk

import (
	"fmt"
	"log/slog"
)

// Secret is a credential in a configuration. It masks itself wherever it is printed, logged or marshalled; Reveal gives
// it to the call that needs it.
type Secret struct{ value string }

// NewSecret wraps a credential.
func NewSecret(value string) Secret { return Secret{value} }

const maskedSecret = "[secret]"

// Reveal gives the credential itself.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no credential.
func (s Secret) Empty() bool { return s.value == "" }

// Hidden implements Hider.
func (s Secret) Hidden() (string, bool) { return s.value, s.value != "" }

// String masks the secret.
func (s Secret) String() string { return maskedSecret }

// GoString masks the secret in %#v.
func (s Secret) GoString() string { return maskedSecret }

// Format masks the secret under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(maskedSecret)) }

// LogValue masks the secret in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(maskedSecret) }

// MarshalText masks the secret in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(maskedSecret), nil }

// UnmarshalText reads the credential.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}
