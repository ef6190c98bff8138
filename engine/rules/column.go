package rules

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Column is one column of a table beside its keys and those that reconcile adds.
type Column struct {
	Name      string // as published
	Delivered string // spelling at its creation
	ID        string // what tells it apart: definition.Table.ID of its names
	Type      column.Type
	Rule      column.Rule // what values are cast by; of users, when they are merged
	Mask      definition.MaskMethod
	Verifier  string   // of the mask's key
	Merge     string   // "min", "max" or "latest"; empty for what the name says
	Since     int64    // dump that brought it
	Listed    bool     // some manifest lists it
	Seen      int64    // the greatest dump that brought it without listing it
	Spellings []string // other names under which it was delivered
}

// names returns all names under which the column was delivered.
func (c *Column) names() []string { return append([]string{c.Delivered}, c.Spellings...) }

// MayFeed reports whether a field of that name may have fed the column: by the same
// name in whatever case, or by the Avro form of one of its names.
func (c *Column) MayFeed(field string) bool {
	return feed.Key(c.Delivered) == feed.Key(field) || c.isAvroForm(field)
}

// isAvroForm reports whether a field is what the Avro writer makes of a name that
// the column was delivered by.
func (c *Column) isAvroForm(field string) bool { return slices.Contains(c.avroForms(), field) }

// avroForms are what the Avro writer makes of names that the column was delivered by and
// that Avro does not allow.
func (c *Column) avroForms() []string {
	var out []string
	add := func(name string) {
		if form := feed.AvroForm(name); form != name && !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	add(c.Delivered)
	for _, name := range c.Spellings {
		add(name)
	}
	return out
}

// Spell notes a name under which the column was delivered, and reports whether it is new.
func (c *Column) Spell(name string) bool {
	if c.Delivered == name || slices.Contains(c.Spellings, name) {
		return false
	}
	c.Spellings = append(c.Spellings, name)
	return true
}

// Delivered is a name of a column and the dump that brought it.
type Delivered struct {
	Name   string
	Dump   int64
	Listed bool // by the manifest; otherwise found in a file
}
