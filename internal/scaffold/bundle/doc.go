// Package bundle carries the sources of Belfry's SDK, with those of everything that it imports, as one compressed file. Its
// one promise: a plugin's module that has them beside it builds without the network and with an empty module cache.
//
// A bundle is made of the sources of this repository and of the modules in go.mod, and is the same for the same sources. It
// holds the packages that the SDK imports on the systems Belfry is released for, without tests, with a go.mod and the licence
// of every module. The modules of a bundle require nothing: the plugin's own go.mod names all of them.
package bundle
