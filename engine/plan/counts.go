package plan

// Counts says what becomes of the rows of a table.
type Counts struct {
	Read        int64 // rows that are decoded
	Bytes       int64 // of part files, that are read
	Added       int64 // rows that were not there
	Replaced    int64 // by a newer row of their key and raw user
	Rekeyed     int64 // published rows that change their user
	Collapsed   int64 // rows that another one of the same event and person hides
	Revived     int64 // hidden rows that are back
	Removed     int64 // rows that a resync or the configuration makes void
	Quarantined int64 // rows that lack their keys
	Rescued     int64 // rows with something in _rescued_data
	Rounded     int64 // values
	Partitions  int64 // that get a new file
	Written     int64 // bytes of staged files
	Rows        int64 // of the table afterwards
}
