package wire

import (
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"pgregory.net/rapid"
)

func TestPeopleRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip(t, "medium", func(t *rapid.T, v *sdk.Medium) sdk.Medium { return *fromMedium(onTheWire(t, toMedium(v))) })
	roundTrip(t, "common", func(t *rapid.T, v *sdk.Common) sdk.Common { return *fromCommon(onTheWire(t, toCommon(v))) },
		func(v *sdk.Common) {
			media := make([]sdk.Media, len(v.Media))
			for i := range media {
				media[i] = v.Media[i]
				media[i].File.Data = nil
			}
			v.Media = media
		})
	roundTrip(t, "content", func(t *rapid.T, v *sdk.MessageContent) sdk.MessageContent {
		v.Common = nil // it has its own test
		m := sdk.NewDirectMessage(sdk.Permit{}, *v)
		return fromContent(onTheWire(t, toMessage(&m, "sms", "+1")), nil)
	}, func(v *sdk.MessageContent) { v.Common = nil })
}
