// Package sdktest checks connectors against the contracts of package sdk. Its one promise: a connector that passes the
// suites of its roles, directly and over Loopback, behaves in Belfry.
//
// A connector's test is ten lines:
//
//	func TestConformance(t *testing.T) {
//		spec := lines.Spec()
//		for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
//			t.Run(name, func(t *testing.T) {
//				sdktest.Source(t, sdktest.SourceOptions{Options: sdktest.Options{Open: open, Config: config}})
//			})
//		}
//	}
//
// Loopback puts a connector behind the protocol that plugins speak, in the same process, with unknown fields, unknown
// words and empty messages thrown in on the way, as a peer of another version would send them.
//
// Newsroom and Platform are a source and a destination in memory, for tests of what stands on the SDK.
//
// Only addresses @example.invalid can be written to from tests: see Permit.
package sdktest
