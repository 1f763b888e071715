package calendar

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
)

func (s *Source) fetchCollection(_ context.Context, _ sdk.FetchRequest, _ *cursor) (sdk.Batch, error) {
	return sdk.Batch{}, failf(sdk.CodeUnsupported, "CalDAV is not read yet")
}
