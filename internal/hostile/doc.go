// Package hostile sends the real binary what nobody should send, and holds that each attack costs its own source and
// nothing else. It holds tests only.
package hostile
