// Package avro decodes Avro Object Container Files block by block straight
// into columns.
//
// A Scanner walks a file and hands out its blocks as they are stored; any
// number of Decoders, one a goroutine, decompress and decode them. Every value
// has a text form, which is a function of the value and its schema alone:
//
//   - strings, bytes and fixed: their bytes, whether valid UTF-8 or not;
//     enums: the symbol; fixed(16) of logical type uuid: the canonical text
//   - int, long, boolean: digits, true and false; double as ECMAScript writes
//     it, float likewise by its own 32 bits; decimals: all their digits
//   - timestamps, local ones as UTC, dates and times of day: ISO 8601 as package
//     column writes it; duration: ISO 8601, for example P1M2DT3.004S
//   - records, arrays and maps: compact JSON with record fields in schema order
//     and map keys sorted, the last of equal keys winning; in it numbers and
//     decimals are bare, NaN and infinities strings, and invalid UTF-8 stays
//   - unions: the text of their branch
//
// Records can be kept encoded, smaller than they were delivered, and decoded later
// in any order: see RecordCodec.
//
// What it promises: a block is decoded wholly or not at all, every malformed
// byte is a DamageError and never a panic, and what is allocated is bounded by
// what the file really holds and by its Limits, not by what it claims. Neither a
// row nor a value costs an allocation, decimals of more than 16 bytes aside. It
// never opens files, never starts a goroutine and never casts to declared
// types.
package avro
