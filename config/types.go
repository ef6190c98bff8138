package config

import (
	"fmt"

	"reconcile/internal/column"
	"reconcile/internal/definition"
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
	MemoryLimit int64  // bytes, for the whole process: what is configured, and what the machine allows
	ScratchDir  string // absolute
	Source      Source
	Sinks       []*Sink // in the order of their declaration
	OnConflict  string  // identity { on_conflict }: "warn" or "fail"
	// MaxMappingsRemoved is how many of the users of a mapping the next one may leave out,
	// by identity { guard { } }; nil for the default guard.
	MaxMappingsRemoved *definition.Share
	Skips              []Skip
	Ignores            []string // names and globs of ignore blocks
	Removed            []Removed
	Moves              []Move   // of moved blocks, in their order
	Metrics            *Metrics // nil for none
	Notify             []Notify
	// Unset are the sensitive variables without a value, on which keys of masks depend.
	// Masks with such a key have no verifier.
	Unset []string
	// PlainInputs are the values that the command line gave to variables that are not
	// sensitive, one by one and in its order: given again, they give the same.
	PlainInputs []Input
	masks       []*maskBlock
	tables      []*tableBlock
	ignores     []ignoreBlock
	skips       []skipBlock
	removals    []removedBlock
	checks      []checkBlock
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
	// ManifestPrefix is the folder that addresses in manifests begin with, and that is
	// left out of them.
	ManifestPrefix string
}

// Sink is one declared sink: what its tables know of it, and how it is reached.
type Sink struct {
	definition.Sink
	S3     *S3  // nil of a local sink
	Shared bool // its folder is one of a network, which every machine that applies sees
}

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
