package people

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/permit"
	"github.com/belfry-news/belfry/sdk"
)

// AddressDomain is where every address ends that a test can write to. RFC 2606 keeps it from being anybody's.
const AddressDomain = "@example.invalid"

// FirstNobody is the least number that a permit of a test may name, on media whose addresses are numbers. Platforms number
// people with at most 52 bits, so it and the numbers above it are nobody's.
const FirstNobody = int64(1) << 52

// CheckNobody reports why an address could be somebody's.
func CheckNobody(address string) error {
	n, err := strconv.ParseInt(address, 10, 64)
	if err == nil && n >= FirstNobody && strconv.FormatInt(n, 10) == address {
		return nil
	}
	if local, ok := strings.CutSuffix(address, AddressDomain); ok && local != "" && !strings.ContainsAny(local, "@, \r\n<>") {
		return nil
	}
	return fmt.Errorf("%q is no address of a test; write somebody%s, or a number from %d on", address, AddressDomain, FirstNobody)
}

// Mint makes a permit for a test. It is the only one there is for tests, and it names nobody: any other address is refused.
func Mint(id, medium, address string, purpose sdk.Purpose, notAfter time.Time) (sdk.Permit, error) {
	if err := CheckNobody(address); err != nil {
		return sdk.Permit{}, err
	}
	return permit.Mint(id, medium, address, purpose, notAfter), nil
}
