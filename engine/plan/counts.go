package plan

// Counts says what becomes of the rows of a table.
type Counts struct {
	Read        int64 `cbor:"1,keyasint,omitempty"`  // rows that are decoded
	Bytes       int64 `cbor:"2,keyasint,omitempty"`  // of part files, that are read
	Added       int64 `cbor:"3,keyasint,omitempty"`  // rows that were not there
	Replaced    int64 `cbor:"4,keyasint,omitempty"`  // by a newer row of their key and raw user
	Rekeyed     int64 `cbor:"5,keyasint,omitempty"`  // published rows that change their user
	Collapsed   int64 `cbor:"6,keyasint,omitempty"`  // rows that another one of the same event and person hides
	Revived     int64 `cbor:"7,keyasint,omitempty"`  // hidden rows that are back
	Removed     int64 `cbor:"8,keyasint,omitempty"`  // rows that a resync or the configuration makes void
	Quarantined int64 `cbor:"9,keyasint,omitempty"`  // rows that lack their keys
	Rescued     int64 `cbor:"10,keyasint,omitempty"` // rows with something in _rescued_data
	Rounded     int64 `cbor:"11,keyasint,omitempty"` // values
	Partitions  int64 `cbor:"12,keyasint,omitempty"` // that get a new file
	Written     int64 `cbor:"13,keyasint,omitempty"` // bytes of staged files
	Rows        int64 `cbor:"14,keyasint,omitempty"` // of the table afterwards
}
