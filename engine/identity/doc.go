// Package identity turns the vendor's user_migrations rows into the answer to
// one question: which user is this raw user id today?
//
// A Builder takes the delivered rows and chooses one target per source: a
// Mapping. A Mapping is stored in a compact form (Encode, Decode) and resolved into a
// Closure, in which every chain is followed to its end and every cycle, with
// the tails that lead into it, stands for its smallest id. Diff and Expand
// compare two closures.
//
// It promises results that depend on the rows and their versions only, not on
// the order in which they were added; linear time without recursion; about 24
// bytes of memory per entry of a Mapping, and per pair of a Closure 19, or 24
// once its members were asked for; and that damaged bytes are an error
// (ErrDamaged), never a wrong mapping. It never reads a source, never logs, and
// never decides whether a conflict is fatal: the Report says what was found.
package identity
