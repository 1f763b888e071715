package sdktest

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/permit"
	"github.com/belfry-news/belfry/sdk"
)

// AddressDomain is where every address ends that a test can write to. RFC 2606 keeps it from being anybody's.
const AddressDomain = "@example.invalid"

// Permit mints a permit for a test: for one delivery over a medium to an address that ends with AddressDomain, good for
// an hour. Any other address fails the test.
func Permit(tb testing.TB, id, medium, address string) sdk.Permit {
	tb.Helper()
	return PermitFor(tb, id, medium, address, sdk.PurposeDelivery, time.Now().Add(time.Hour))
}

// PermitFor is Permit with a purpose and an end of its own.
func PermitFor(tb testing.TB, id, medium, address string, purpose sdk.Purpose, notAfter time.Time) sdk.Permit {
	tb.Helper()
	local, ok := strings.CutSuffix(address, AddressDomain)
	if !ok || local == "" || strings.ContainsAny(local, "@, \r\n<>") {
		tb.Fatalf("sdktest: %q is no address of a test; write somebody%s", address, AddressDomain)
	}
	return permit.Mint(id, medium, address, purpose, notAfter)
}
