package dump

// MostManifest is how many bytes a manifest may have at most, whatever memory there is.
const MostManifest = 256 << 20

const (
	// MostTables is how many entries a manifest may have.
	MostTables = 20_000
	// MostFiles is how many files a manifest may list for a table.
	MostFiles = 1 << 16
)
