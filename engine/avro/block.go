package avro

// Block is a block as it is stored. The Block's owner keeps it, and its memory
// is used again when it is passed to Next again.
type Block struct {
	Index  int    // counted from 0
	Offset int64  // of the block's first byte in the file
	Count  int    // records, as the file claims
	Data   []byte // compressed
}
