// Package dump says what the source is: which dumps exist, in which order, what
// each delivers, and which of them cannot be taken as they are.
//
// It promises that every manifest is either a usable dump, or named in a
// Problem, that ids are exact and order the dumps, that two manifests with one
// id are told apart by what they mean, and that no key leads out of the source.
// It never decides which dumps a table applies, never reads a file that no
// manifest lists unless asked for by key, and never writes.
package dump
