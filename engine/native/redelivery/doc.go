// Package redelivery finds out whether a delivery repeats another one byte for byte, and
// makes the stored rows of that one those of the repeating dump, without decoding their
// other columns. It never takes a delivery for a repetition that it has not read.
package redelivery
