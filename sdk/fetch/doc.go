// Package fetch reads documents of strangers over HTTP for sources: under the guard, within bounds of time, size and speed,
// and politely. Its one promise: whatever a server does, a fetch ends within its timeout, holds no more than its size, dials
// no address that the guard refuses, sends credentials to their own origin alone, and asks a public host at most once a
// second. Instances of one process share a Network, and with it connections and manners.
package fetch
