// Package media fetches the images of posts under the guard, decodes them within bounds, turns them upright, strips what
// they carry besides the picture, and keeps them in files of our own, so that no reader's address reaches a third party.
package media
