package sinks

// Form is how the files of a table are kept in a sink.
type Form struct {
	Folder      string // of the table, below the root
	Compression string // "zstd", "snappy" or "none"
	Encodings   string // definition.Plain or definition.Compact
}

// TableSpec is a table as a sink is asked to describe its form.
type TableSpec struct {
	Folder string // that the configuration gives the table
	// Compression and Encodings are what the configuration asks for; empty where it leaves
	// them to the sink.
	Compression, Encodings string
	// Stored is the form of the files that the table has in the sink or, if it is new there,
	// in another one; nil if it has none.
	Stored *Form
}
