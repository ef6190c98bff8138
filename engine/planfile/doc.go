// Package planfile keeps a plan in a file, with what has to be the same where it is
// applied: the program, the configuration and what the command was asked for.
//
// A file holds no secret: configurations are known by a digest, keys of masks by
// verifiers. It never decides whether a plan may be applied.
package planfile
