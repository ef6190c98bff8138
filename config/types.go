package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/column"
)

// Config is a checked configuration: all *.hcl files of one folder, evaluated.
// It holds secrets (mask keys) and must never be printed or stored whole. It is
// immutable: all its methods can be used by several goroutines at once.
type Config struct {
	Dir         string // the configuration's folder, absolute
	StatePath   string // of the bbolt file, absolute; of a state on S3 its URL
	StateS3     *S3    // where it is in a bucket; nil for a file
	CacheDir    string // for copies of a state on S3, absolute
	Backup      *Place // where an apply backs the state up to; nil for nowhere
	MemoryLimit int64  // bytes, for the whole process
	ScratchDir  string // absolute
	Source      Source
	Sinks       []*Sink // in the order of their declaration
	OnConflict  string  // identity { on_conflict }: "warn" or "fail"
	Skips       []Skip
	Ignores     []string // names and globs of ignore blocks
	Removed     []Removed
	Moves       []Move // of moved blocks, in their order
	masks       []*maskBlock
	tables      []*tableBlock
	ignores     []ignoreBlock
	skips       []skipBlock
	removals    []removedBlock
}

// String names the configuration without its content, which holds secrets.
func (c *Config) String() string { return "configuration in " + c.Dir }

// GoString is String, so that no verb of fmt shows the content.
func (c *Config) GoString() string { return c.String() }

// Source says where the export lies.
type Source struct {
	Kind      string          // "local" or "s3"
	Path      string          // folder, absolute, or URL
	Manifests string          // glob over the names in manifests/, "*.json" by default
	S3        *S3             // nil of a local source
	TimeUnit  column.TimeUnit // of plain numbers that are points in time
	// UntilDump is the greatest dump that counts as there; nil without such.
	UntilDump *int64
	// ManifestBucket is the one bucket that manifests may name; empty for any.
	ManifestBucket string
}

// Sink is one declared sink.
type Sink struct {
	Kind        string // "parquet"
	Label       string
	Path        string // folder, absolute, or URL
	S3          *S3    // nil of a local sink
	Shared      bool   // its folder is one of a network, which every machine that applies sees
	Compression string // "zstd", "snappy" or "none"
	Encodings   string // Plain or Compact; empty for what a table has, Plain of a new one
}

// What Parquet encodings a sink's files have.
const (
	Plain   = "plain"   // those that every reader knows
	Compact = "compact" // those that take least
)

// Address returns the sink as a configuration refers to it, "sink.parquet.lake".
func (s *Sink) Address() string { return "sink." + s.Kind + "." + s.Label }

// Skip is a reviewed decision to treat a dump as if it did not list some tables.
type Skip struct {
	Dump   int64
	Tables []string
	Reason string
}

// Removed says what becomes of the data of a table that left the configuration.
type Removed struct {
	Table   string
	Destroy bool
}

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

// What a table does with a delivered column that it does not know.
const (
	Evolve = "evolve"
	Freeze = "freeze"
	Ignore = "ignore"
)

// Table is the configuration of one real table, inheritance resolved.
type Table struct {
	Name           string // as delivered
	Folder         string // its folder in a sink: "as" or Name, percent-encoded where need be
	Exact          bool   // a block names it exactly (not by a glob only)
	Block          string // label of the most specific block, for messages
	Sinks          []*Sink
	Partition      Partition
	OnSchemaChange string          // Evolve, Freeze or Ignore
	Columns        []string        // the explicit list of Freeze and Ignore, else nil
	OnCastError    string          // "rescue" or "fail"
	columns        []*columnBlock  // the more specific first
	renamed        []string        // labels of those with "as", sorted
	masks          []*maskBlock    // those that match the table
	chain          []*tableBlock   // the blocks that it is made of
	TimeUnit       column.TimeUnit // of plain numbers in the source that are points in time
	key            string          // the column that identifies a row beside user_id
	decl           hcl.Range       // of the most specific block, for messages
}

// String names the table without its settings, which hold secrets.
func (t *Table) String() string { return "table." + t.Name }

// GoString is String, so that no verb of fmt shows the settings.
func (t *Table) GoString() string { return t.String() }

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

// Secret is the key of a mask. It prints as "(sensitive)" and refuses to be
// encoded; convert it to []byte to use it.
type Secret []byte

// Format writes a fixed text for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(sensitive)")) }

// MarshalText refuses, so that no encoder stores the key.
func (Secret) MarshalText() ([]byte, error) {
	return nil, fmt.Errorf("a mask key must not be stored or sent")
}

// MarshalBinary refuses, so that no encoder stores the key.
func (s Secret) MarshalBinary() ([]byte, error) { return s.MarshalText() }

// Column is the configuration of one delivered column of a table.
type Column struct {
	As    string // published name: renamed, or the delivered one, with one more "_" where the table uses that otherwise
	Type  column.Type
	Rule  column.Rule // how its values become those of Type
	Typed bool        // a type was declared; else Type is the natural one of the name
	Mask  MaskMethod
	Key   Secret // of MaskHMAC
	Merge string // "", "min", "max" or "latest"; of users only
}
