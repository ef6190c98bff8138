// Package peak holds the program to its memory_limit: each test makes an export that once
// took far more, applies it with the real program in a process of its own, and compares
// what that process had resident at most with what docs/configuration.md promises.
package peak
