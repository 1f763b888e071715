package sdktest

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/sdk"
)

// AddressDomain is where every address ends that a test can write to. RFC 2606 keeps it from being anybody's.
const AddressDomain = people.AddressDomain

// FirstNobody is the least number that a permit of a test may name, on media whose addresses are numbers. Platforms number
// people with at most 52 bits (Telegram's Bot API), so it and the numbers above it are nobody's.
const FirstNobody = people.FirstNobody

// Permit mints a permit for a test: for one delivery over a medium to an address that ends with AddressDomain, or to a
// number from FirstNobody on, good for an hour. Any other address fails the test.
func Permit(tb testing.TB, id, medium, address string) sdk.Permit {
	tb.Helper()
	return PermitFor(tb, id, medium, address, sdk.PurposeDelivery, time.Now().Add(time.Hour))
}

// PermitFor is Permit with a purpose and an end of its own.
func PermitFor(tb testing.TB, id, medium, address string, purpose sdk.Purpose, notAfter time.Time) sdk.Permit {
	tb.Helper()
	p, err := people.Mint(id, medium, address, purpose, notAfter)
	if err != nil {
		tb.Fatalf("sdktest: %v", err)
	}
	return p
}
