// Package app is the daemon as a value: New reads and checks, Start serves, Reload puts another configuration in force or
// changes nothing, Stop drains within a bound. Commands and tests use the same one.
package app
