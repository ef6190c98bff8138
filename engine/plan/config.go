package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ConfigEntry is what the configuration changes about one table, compared with what the
// table was last applied under. It depends on the configuration, and on which tables and
// columns the state has: not on dumps, commits, sizes or counts, so that a night leaves it
// as it is unless it brought a table or column that the change touches.
type ConfigEntry struct {
	Table string `cbor:"1,keyasint,omitempty"`
	// Action is Update, Rebuild, Destroy or Forget.
	Action   Action    `cbor:"2,keyasint,omitempty"`
	Class    Class     `cbor:"3,keyasint,omitempty"`
	Settings []Setting `cbor:"4,keyasint,omitempty"` // each once, sorted
	Destroys []string  `cbor:"5,keyasint,omitempty"`
	// Flags are those without which an apply refuses it.
	Flags []string `cbor:"6,keyasint,omitempty"`
	// Definition is the digest of the table's configuration without keys of masks, empty
	// where no block takes it. It is no part of the entry's digest: it tells a table that
	// was changed since from one that the configuration does not change any more.
	Definition string `cbor:"7,keyasint,omitempty"`
	// Keys identifies the keys of masks that are known to have changed.
	Keys string `cbor:"8,keyasint,omitempty"`
}

// Setting is one setting of a table that is another one than the table was applied under.
type Setting struct {
	Name   string `cbor:"1,keyasint,omitempty"` // of the attribute or block
	Column string `cbor:"2,keyasint,omitempty"` // that it is of, as delivered
	Sink   string `cbor:"3,keyasint,omitempty"` // that it is of
	Before string `cbor:"4,keyasint,omitempty"`
	After  string `cbor:"5,keyasint,omitempty"`
}

func (s Setting) compare(o Setting) int {
	return cmp.Or(strings.Compare(s.Name, o.Name), strings.Compare(s.Column, o.Column), strings.Compare(s.Sink, o.Sink),
		strings.Compare(s.Before, o.Before), strings.Compare(s.After, o.After))
}

// SortSettings brings settings into their order, each once.
func SortSettings(list []Setting) []Setting {
	out := slices.Clone(list)
	slices.SortFunc(out, Setting.compare)
	return slices.Compact(out)
}

// Unchecked is something that a plan could not find out.
type Unchecked struct {
	Table string `cbor:"1,keyasint,omitempty"` // empty if it is not of one table
	What  string `cbor:"2,keyasint,omitempty"`
	Why   string `cbor:"3,keyasint,omitempty"`
}

// Digest identifies what an entry says.
func (e *ConfigEntry) Digest() (string, error) {
	said := *e
	said.Definition = ""
	d, err := DigestValue(said)
	if err != nil {
		return "", fmt.Errorf("table %s: %w", e.Table, err)
	}
	return d, nil
}

// ConfigDigest identifies what all entries say, whatever their order.
func ConfigDigest(entries []ConfigEntry) (string, error) {
	digests := make([]string, 0, len(entries))
	for i := range entries {
		d, err := entries[i].Digest()
		if err != nil {
			return "", err
		}
		digests = append(digests, d)
	}
	slices.Sort(digests)
	return DigestValue(digests)
}

// CompareConfig says of which tables entries differ from earlier ones, by name, and in
// which settings.
func CompareConfig(was, now []ConfigEntry) []Difference {
	var out []Difference
	for name, e := range pairs(was, now, func(e *ConfigEntry) string { return e.Table }) {
		if what := compareEntries(e); len(what) > 0 {
			out = append(out, Difference{name, what})
		}
	}
	return out
}

func compareEntries(e pair[ConfigEntry]) (what []string) {
	switch {
	case e.was == nil:
		return []string{"the configuration changes it now, and did not"}
	case e.now == nil:
		return []string{"the configuration does not change it any more"}
	}
	for _, s := range e.now.Settings {
		if !slices.Contains(e.was.Settings, s) {
			what = append(what, s.String())
		}
	}
	for _, s := range e.was.Settings {
		if !slices.Contains(e.now.Settings, s) {
			what = append(what, "no longer: "+s.String())
		}
	}
	if e.was.Keys != e.now.Keys {
		what = append(what, "the key of a mask")
	}
	if e.was.Class != e.now.Class || e.was.Action != e.now.Action {
		what = append(what, fmt.Sprintf("it is a %s, it was a %s", e.now.Class, e.was.Class))
	}
	if !slices.Equal(e.was.Destroys, e.now.Destroys) || !slices.Equal(e.was.Flags, e.now.Flags) {
		what = append(what, "what it destroys, or needs")
	}
	return what
}

// String shows a setting in one line.
func (s Setting) String() string {
	of := s.Name
	if s.Column != "" {
		of = fmt.Sprintf("column %s: %s", s.Column, s.Name)
	}
	if s.Sink != "" {
		of += " of " + s.Sink
	}
	switch {
	case s.Before == "":
		return fmt.Sprintf("%s: %s", of, s.After)
	case s.After == "":
		return fmt.Sprintf("%s: none, it was %s", of, s.Before)
	}
	return fmt.Sprintf("%s: %s, it was %s", of, s.After, s.Before)
}
