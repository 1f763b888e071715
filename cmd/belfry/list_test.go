package main

import (
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// TestMessengersSayTheirRules holds that what writes to people says what its platform wants, even where that is nothing.
func TestMessengersSayTheirRules(t *testing.T) {
	t.Parallel()
	for _, s := range builtIn() {
		if writes := s.Has(sdk.RoleMessenger) || s.Has(sdk.RoleStreamer); writes != (s.Medium != nil) {
			t.Errorf("%s writes to people: %t, but says %+v", s.Type, writes, s.Medium)
		}
	}
	if m := specOf("telegram").Medium; m == nil || !m.TheyBegin {
		t.Errorf("a bot that nobody started may write: %+v", m)
	}
}
