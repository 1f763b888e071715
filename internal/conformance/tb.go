package conformance

import "context"

// T is what a check needs of the test that runs it. *testing.T has it, and so has a Record.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Errorf(format string, args ...any)
	Error(args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}
