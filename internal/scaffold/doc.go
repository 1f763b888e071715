// Package scaffold writes the projects of new plugins. Its one promise: what it writes builds and passes its tests at once,
// without the network.
//
// The projects below project/ are packages of this module and are tested as such, with the type's name sampleplugin. Writing
// one replaces this name and the path of the module, and adds a go.mod with the SDK's sources beside it (package bundle).
package scaffold
