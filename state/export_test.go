package state

// NewTx returns a transaction that changes nothing yet.
func NewTx(serial uint64, h Head) *Tx { return newTx(serial, h) }

// NewSmall returns a small object as its writer makes it.
func NewSmall(ref Ref, payload []byte) *Sealed { return &Sealed{Ref: ref, payload: payload} }
