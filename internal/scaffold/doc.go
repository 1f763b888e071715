// Package scaffold writes the projects of new plugins. Its one promise: what it writes builds and passes its tests at once,
// without the network.
//
// The projects below project/ are packages of this module and are tested as such, with the type's name sampleplugin. Writing
// one replaces this name and the path of the module, and adds a go.mod with the SDK's sources beside it (package bundle).
//
// The two projects say some things twice, such as how an address is checked. Each is read alone, by somebody who gets nothing of
// the other: what they would share would be one more file to understand before the first change.
package scaffold
