package identity

// ordered maps an id to an unsigned number of the same order.
func ordered(id int64) uint64 { return uint64(id) ^ 1<<63 }
