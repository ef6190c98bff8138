package model

import "slices"

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
	// Renames returns the new names of columns, by the labels of their blocks.
	Renames() map[string]string
}

// Column is what is configured for one delivered column. The zero value is
// that of a column that nobody mentions.
type Column struct {
	As    string // new name, empty unless renamed; then only this spelling is meant
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
	Columns  map[string]Column // by label
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
func (p Plain) Column(delivered string) Column {
	if label := takenBy(p, delivered); label != "" {
		return p.Columns[label]
	}
	for label, c := range p.Columns {
		if c.As == "" && (sameName(label, delivered) || !isExact(delivered) && sameName(label, avroForm(delivered))) {
			return c
		}
	}
	return Column{}
}

// Renames is that of Settings.
func (p Plain) Renames() map[string]string {
	out := map[string]string{}
	for label, c := range p.Columns {
		if c.As != "" {
			out[label] = c.As
		}
	}
	return out
}

// reserved are the names of our own columns.
var reserved = []string{"_raw_user_id", "_dump_id", "_rescued_data", "canonical_user_id"}

// listed reports whether the configuration takes a delivered column: a list of
// freeze or ignore narrows, but never the keys away, nor what makes a row of
// users, whose only key is user_id, the latest.
func listed(s Settings, keys []string, delivered string) bool {
	mode, list := s.Schema()
	return mode == "" || mode == "evolve" || hasName(list, delivered) || slices.Contains(keys, delivered) ||
		!isExact(delivered) && takenBy(s, delivered) == "" && containsFold(list, published(s, delivered)) ||
		len(keys) == 1 && keys[0] == "user_id" && delivered == "last_modified"
}
