package events

// A Loc of the bulk path: the segment's number above a row's position in it. Stored rows
// come behind all delivered ones, and have the greater one here, too.
const locBits = 40

// A Loc of the delta path: a stored row's partition ordinal, whether it is a
// shadow, and its position; or, for a delivered row, its segment and position. A
// stored row has the greater one: where its dump is read again it stays what it is.
const (
	locStored = 1 << 63
	locShadow = 1 << 31
)
