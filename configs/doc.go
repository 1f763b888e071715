// Package configs reads Belfry's configuration: one YAML file or a folder of them, its conf.d, the environment and
// flags, merged in that order, decoded strictly. Every problem is reported at once, with file, line and column; a bad
// configuration never replaces a good one.
//
// Values are taken from the source text, so that nothing is altered on the way (1.10 stays 1.10), and no message repeats
// a value that could be a secret.
package configs
