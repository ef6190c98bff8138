// Package column holds rows as columns: the one in-memory form that the Avro
// decoder fills, the merge sorts and gathers, and the Parquet writer encodes.
//
// It promises that text is held once per distinct value of a dictionary, that
// a row costs no allocation and no interface value, and that casts mean what
// the contract says whoever calls them. It never does I/O.
package column
