// Package definition is what a table is by its configuration: plain data, and what
// follows from it for a delivered column. It promises that a Table encodes to JSON or
// CBOR and decodes from it equal, and that its methods give the same answers then. It
// holds no secret, knows no configuration language, and reads and writes nothing.
package definition

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// What a table does with a delivered column that it does not know.
const (
	Evolve = "evolve" // takes it
	Freeze = "freeze" // is held
	Ignore = "ignore" // leaves it out
)

// What Parquet encodings a sink's files have.
const (
	Plain   = "plain"   // those that every reader knows
	Compact = "compact" // those that take least
)

// What a table does with a value that does not cast.
const (
	Rescue = "rescue" // keeps it in _rescued_data
	Fail   = "fail"   // is held
)

// HalfEven is how a decimal can be rounded: to its scale, halves to the even digit.
const HalfEven = "half_even"

// Sink is a place that a table is written to, and how.
type Sink struct {
	Kind        string // "parquet"
	Label       string
	Path        string // folder, absolute, or URL
	Compression string // "zstd", "snappy" or "none"
	Encodings   string // Plain or Compact; empty for what a table has, Plain of a new one
}

// Address returns the sink as a configuration refers to it, "sink.parquet.lake".
func (s *Sink) Address() string { return "sink." + s.Kind + "." + s.Label }

// Unit is the finest level of a partitioning.
type Unit uint8

// The units of partitioning. UnitDate is one level of days, "date=2026-01-05";
// the others nest: year=/month=/day=/hour=.
const (
	UnitNone Unit = iota
	UnitYear
	UnitMonth
	UnitDay
	UnitHour
	UnitDate
)

// Partition says how the rows of a table are spread over folders. Column is
// a delivered name; it is empty when Unit is UnitNone.
type Partition struct {
	Column string
	Unit   Unit
}

// Levels returns the names of the folder levels of a partitioning, outermost
// first: "year", "month", "day", "hour", or "date"; none without partitions.
func (p Partition) Levels() []string {
	nest := []string{"year", "month", "day", "hour"}
	switch p.Unit {
	case UnitYear, UnitMonth, UnitDay, UnitHour:
		return nest[:p.Unit]
	case UnitDate:
		return []string{"date"}
	}
	return nil
}

// Table is what one real table is by its configuration. It is not changed once it is
// made, so that several goroutines can use it.
type Table struct {
	Name           string   // as delivered
	Kind           string   // feed.KindEvents, feed.KindUsers or feed.KindMapping
	Key            string   // the delivered column that identifies a row, of events beside user_id
	Folder         string   // its folder in a sink: "as" or Name, percent-encoded where need be
	Exact          bool     // a block names it exactly (not by a glob only)
	TableBlocks    []string // labels of the table blocks that it is made of, the most specific first
	Sinks          []Sink
	Partition      Partition
	PartitionBy    string   // the canonical text of Partition, "year(time), month(time)"; empty without partitions
	OnSchemaChange string   // Evolve, Freeze or Ignore
	Columns        []string // the explicit list of Freeze and Ignore, else nil
	OnCastError    string   // Rescue or Fail
	TimeUnit       column.TimeUnit
	Blocks         []Block  // the more specific first
	Renamed        []string // the names of the blocks with As, each once, sorted
	Masks          []Mask   // those that match the table
	Guard          Guard
	Checks         []Check // in the order of their declaration

	names *nameIndex // nil before Prepare
}

// Block is what one column block says; what is empty or nil it says nothing of.
type Block struct {
	Name  string // the column, as the block has it
	Level int    // of its table block among those that the table is made of, 0 the most specific
	As    string // the new name of the column, the same in all blocks of one Name
	Type  *column.Type
	Mask  *BlockMask
	Merge string // "min", "max" or "latest"
	Unit  *column.TimeUnit
	Round string // HalfEven
}

// BlockMask is the mask of a column block.
type BlockMask struct {
	Method   MaskMethod
	Verifier string // as in Mask
}

// Column is what takes effect for one delivered column of a table.
type Column struct {
	As       string // published name: renamed, or the delivered one, with one more "_" where the table uses that otherwise
	Type     column.Type
	Rule     column.Rule // how its values become those of Type
	Typed    bool        // a type was declared; else Type is the natural one of the name
	Mask     MaskMethod
	Verifier string // of MaskHMAC, as in Mask
	Merge    string // "", "min", "max" or "latest"; of users only
}

// WithoutKeys returns a copy of the table that does not tell keys of masks apart.
func (t *Table) WithoutKeys() Table {
	out := *t
	out.Masks, out.Blocks = slices.Clone(t.Masks), slices.Clone(t.Blocks)
	for i := range out.Masks {
		out.Masks[i].Verifier = ""
	}
	for i, b := range out.Blocks {
		if b.Mask != nil {
			out.Blocks[i].Mask = &BlockMask{Method: b.Mask.Method}
		}
	}
	return out
}

// KeyUnknown reports whether the column has a mask whose key has no value here.
func (c Column) KeyUnknown() bool { return c.Mask == MaskHMAC && c.Verifier == "" }

// MaskMethod is how a masked value is replaced.
type MaskMethod string

// The mask methods. MaskNull keeps the column and empties it, MaskDrop leaves
// the column out, MaskHMAC puts the lower-case hex of HMAC-SHA256 in its place.
const (
	MaskNone MaskMethod = ""
	MaskNull MaskMethod = "null"
	MaskDrop MaskMethod = "drop"
	MaskHMAC MaskMethod = "hmac-sha256"
)

// strength orders methods: what a stronger one leaves tells less.
func (m MaskMethod) strength() int {
	switch m {
	case MaskDrop:
		return 3
	case MaskNull:
		return 2
	case MaskHMAC:
		return 1
	}
	return 0
}

// Mask replaces the values of the columns that it takes. The key of MaskHMAC is no
// part of it: Verifier tells keys apart, and whoever has the configuration finds the
// key by it.
type Mask struct {
	Method   MaskMethod
	Verifier string         // of the key; empty for methods without one
	Columns  []glob.Pattern // folded

	takes *glob.Set // Columns; nil before Prepare
}

// Prepare makes matching fast. Nobody else may use the mask meanwhile.
func (m *Mask) Prepare() {
	if m.takes == nil {
		m.takes = glob.NewSet(m.Columns)
	}
}

// TakesColumn reports whether the mask is for a column, by its delivered name, by
// what the Avro writer makes of that, or by its published name. It passes over keys
// and timestamps.
func (m *Mask) TakesColumn(delivered, published string) bool {
	if len(m.Columns) == 0 {
		return false
	}
	takes := m.takes
	if takes == nil {
		takes = glob.NewSet(m.Columns)
	}
	return slices.ContainsFunc(MaskedNames(delivered, published), takes.Match)
}

// MaskedNames are the names by which masks match a delivered column, none of a key or
// a timestamp.
func MaskedNames(delivered, published string) []string {
	if feed.IsExact(delivered) {
		return nil
	}
	return []string{feed.Fold(delivered), feed.Fold(feed.AvroForm(delivered)), feed.Fold(published)}
}
