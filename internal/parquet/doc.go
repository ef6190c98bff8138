// Package parquet writes column batches as Parquet files and reads them back.
//
// It promises that what it writes is plain Parquet that every common engine
// reads (flat schema, optional columns, data pages v1, page checksums, exact
// statistics, page indexes), that a batch read back has the same values, nulls
// and types, and that damaged input gives an error that names what is damaged:
// never a panic, never other values, never memory out of proportion to the
// file.
//
// It costs no allocation, map look-up or interface value per row or value:
// dictionary pages are built from the dictionary of the batch and its codes
// are packed straight into pages.
//
// It never opens, names, syncs or closes files and starts no goroutine that
// outlives the call that needed it.
package parquet
