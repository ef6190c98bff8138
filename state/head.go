package state

// Head is the newest transaction of a state.
type Head struct {
	Serial     uint64 // 0 where there is no state
	Lineage    string // that the state has or, with its first transaction, gets
	Generation uint64 // of the session that asked
	// Raise is what the next transaction does to the format; nil if it stays.
	Raise *Raise
}

// Base is what a transaction that replaces all comes over.
type Base struct {
	Serial     uint64 // that was reached; of what cannot be read, the greatest that is known
	Lineage    string // empty where there is no state, or it does not say
	Generation uint64 // of the session that asked
	Whole      bool   // there is a state, and it can be read
	Damage     error  // why it cannot; nil where there is none
}
