package exec

// Applied is a dump that a table is correct for.
type Applied struct {
	Dump        int64  `cbor:"1,keyasint"`
	Digest      string `cbor:"2,keyasint,omitempty"` // meaning of the manifest's entry
	Incremental bool   `cbor:"3,keyasint,omitempty"`
	Skipped     bool   `cbor:"4,keyasint,omitempty"` // a skip_dump block left it out
	Lost        bool   `cbor:"5,keyasint,omitempty"` // its rows are gone, what it voided stays void
	StoodIn     bool   `cbor:"6,keyasint,omitempty"` // published rows stand in for its rows
}

// Delivery is what one dump lists of a table, to be taken by a step.
type Delivery struct {
	Dump        int64  `cbor:"1,keyasint"`
	Digest      string `cbor:"2,keyasint,omitempty"`
	Incremental bool   `cbor:"3,keyasint,omitempty"`
	// Again says that the table has the dump, and that a file of it has grown since.
	Again bool `cbor:"5,keyasint,omitempty"`
	// Columns are those that the manifest lists, in its order; without HasColumns it
	// lists none and the files tell.
	Columns    []string `cbor:"6,keyasint,omitempty"`
	HasColumns bool     `cbor:"7,keyasint,omitempty"`
	// Claims are the fields of the files that the manifest lists by a name which Avro
	// does not allow: the listed name by the field's.
	Claims map[string]string `cbor:"8,keyasint,omitempty"`
	// Files are in the order of the manifest; one that is listed twice is there twice.
	Files Files `cbor:"9,keyasint"`
}

// Content tells whether another dump delivers of a table what one did, byte for byte.
type Content struct {
	Dump        int64  `cbor:"1,keyasint"`
	Fingerprint uint64 `cbor:"2,keyasint"` // hash of what is known without reading: columns and sizes of the files
	Digest      []byte `cbor:"3,keyasint"` // of the files, in their order
}

// Read is what was read of a dump: its part files, in the order of the manifest.
type Read struct {
	Dump  int64      `cbor:"1,keyasint"`
	Files []ReadFile `cbor:"2,keyasint,omitempty"`
}

// ReadFile is a part file as it was when it was read.
type ReadFile struct {
	Size int64  `cbor:"1,keyasint"`
	Tag  string `cbor:"2,keyasint,omitempty"` // its ETag on S3
	Sum  []byte `cbor:"3,keyasint,omitempty"` // 128 bits of XXH3
}

// Redelivery is what a delivery may repeat, judged by what is known without reading.
type Redelivery struct {
	Of   int64 `cbor:"1,keyasint"` // the greatest applied dump
	Dump int64 `cbor:"2,keyasint"` // the delivery
	// Content is that of both if it is confirmed.
	Content Content `cbor:"3,keyasint"`
	// Files are the keys of the first one's files; with Known false the source does not
	// say any more what these were.
	Files []string `cbor:"4,keyasint,omitempty"`
	Known bool     `cbor:"5,keyasint,omitempty"`
}
