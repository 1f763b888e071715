// Package plugintest runs the suites of package conformance against a finished plugin, in whatever language, over the real
// protocol. Its one promise: what it calls held was asked of the program itself, started as the daemon starts it, and what it
// calls broken comes with the calls that show it.
//
// # Way of a test
//
//	suites ──▶ pluginhost ──calls, recorded──▶ plugin ──▶ proxy ──▶ fake
//	                                                       ▲
//	                                          faults ──────┘
//
// Without a fake the plugin talks to whatever its configuration names, and the checks that need faults are left out, which
// is said. The checks of one test share a process, as instances in the daemon do; those about the process itself start more.
package plugintest
