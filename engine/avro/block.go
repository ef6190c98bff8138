package avro

import "sync"

// Block is a block as it is stored. The Block's owner keeps it, and its memory
// is used again when it is passed to Next again.
type Block struct {
	Index  int    // counted from 0
	Offset int64  // of the block's first byte in the file
	Count  int    // records, as the file claims
	Data   []byte // compressed

	turn    sync.Locker // of a large block, which has it
	decoder *Decoder    // that has it unpacked, of a large one
}

// take waits for the turn of a large block, which ends with Free.
func (b *Block) take(turn sync.Locker) {
	if b.turn == nil && turn != nil {
		turn.Lock()
		b.turn = turn
	}
}

// Shrink gives up the memory of a large block, whose records are not needed any more; of
// other blocks it does nothing.
func (b *Block) Shrink() {
	if b.turn == nil {
		return
	}
	b.Data = nil
	if b.decoder != nil {
		b.decoder.shrink()
	}
	b.decoder = nil
}

// Free gives up the memory of a large block, and the turn. Its owner calls it when what
// became of the records does not take much memory any more, also after an error; of other
// blocks it does nothing.
func (b *Block) Free() {
	if b.turn == nil {
		return
	}
	b.Shrink()
	turn := b.turn
	b.turn = nil
	turn.Unlock()
}
