// Package compose turns items into posts: it selects, paces, holds back, renders and collects, and gives every item that
// a channel does not use a named reason. A post, its outbox rows and its occurrence are one transaction.
//
// Deciding is pure: EvaluateItem, DecideEach, DecideDigest and Recompose look at rows and a clock and say what is to be
// committed; the Engine reads, decides and commits, again when something changed in between.
package compose
