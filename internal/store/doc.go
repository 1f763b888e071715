// Package store keeps everything in SQL: one text for all engines, with numbered parameters, and the few statements that
// engines need in their own words beside their drivers. The packages of the core declare what they need of it; nothing
// of the core imports it.
//
// All writes go through one writer, which puts what waits into one transaction: a commit that reaches the disk serves
// every stage that had something to write. Each caller's part stands alone: it happens whole or not at all, and the
// failure of one does not touch the others.
package store
