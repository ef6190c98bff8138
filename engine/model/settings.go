package model

import (
	"slices"
	"strings"
)

// Settings is what the model must know of a table's configuration.
type Settings interface {
	// Schema returns "evolve", "freeze" or "ignore" (empty is evolve) and the
	// explicit list that the latter two need.
	Schema() (mode string, columns []string)
	// Partition returns the delivered name of the partition column and the
	// levels of folders: a beginning of year, month, day, hour, or date.
	Partition() (column string, levels []string)
	// CastErrorFails says that a value that does not cast holds the table.
	CastErrorFails() bool
	// TimeUnit returns what plain numbers of the source count that are points in
	// time: "s", "ms", "us", "ns", or "auto" (also empty) by their magnitude.
	TimeUnit() string
	// Column returns the settings of a delivered column.
	Column(delivered string) Column
}

// Column is what is configured for one delivered column. The zero value is
// that of a column that nobody mentions.
type Column struct {
	As    string // new name, empty unless renamed
	Type  string // declared type, empty unless declared
	Mask  string // "", "null", "drop" or "hmac-sha256"
	Key   []byte // of hmac-sha256
	Merge string // "", "min", "max" or "latest"
	Unit  string // that of TimeUnit, empty for the source's
	Round string // "half_even", empty if decimals must be exact
}

// Plain is a literal Settings. The zero value is that of a bare table block.
type Plain struct {
	Mode     string
	List     []string
	By       string   // partition column
	Levels   []string // partition levels
	FailCast bool
	Unit     string
	Columns  map[string]Column // by delivered name in lower case
}

// Schema is that of Settings.
func (p Plain) Schema() (string, []string) { return p.Mode, p.List }

// Partition is that of Settings.
func (p Plain) Partition() (string, []string) { return p.By, p.Levels }

// CastErrorFails is that of Settings.
func (p Plain) CastErrorFails() bool { return p.FailCast }

// TimeUnit is that of Settings.
func (p Plain) TimeUnit() string { return p.Unit }

// Column is that of Settings.
func (p Plain) Column(delivered string) Column { return p.Columns[fold(delivered)] }

// reserved are the names of our own columns.
var reserved = []string{"_raw_user_id", "_dump_id", "_rescued_data", "canonical_user_id"}

// published returns the name under which a delivered column is published, in
// lower case, as names are compared without it.
func published(s Settings, delivered string) string {
	if as := s.Column(delivered).As; as != "" {
		return fold(as)
	}
	name := fold(delivered)
	_, levels := s.Partition()
	if base := strings.TrimRight(name, "_"); slices.Contains(levels, base) || slices.Contains(reserved, base) {
		return name + "_"
	}
	return name
}

// listed reports whether the configuration takes a delivered column: a list of
// freeze or ignore narrows, but never the keys away, nor what makes a row of
// users, whose only key is user_id, the latest.
func listed(s Settings, keys []string, delivered string) bool {
	mode, list := s.Schema()
	return mode == "" || mode == "evolve" || containsFold(list, delivered) || containsFold(keys, delivered) ||
		len(keys) == 1 && keys[0] == "user_id" && fold(delivered) == "last_modified"
}
