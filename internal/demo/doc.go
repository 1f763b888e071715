// Package demo shows Belfry at work on one machine, and its promise is that nothing of it is played: an invented newsroom
// writes a real feed, the daemon is a process of its own that is really killed, the receivers and the mail relay are strict
// stand-ins that keep a journal, every time shown was measured, and every count is made against what the newsroom wrote.
//
// A supervisor owns the public address. It serves the newsroom, the receivers and /demo, and hands everything else on to
// the daemon, which it starts, kills and starts again.
package demo

//go:generate go run ./illustrate -into newsroom/pictures
