package rules

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// What a delivered name feeds that is no payload column.
const (
	TargetUser = -1
	TargetKey  = -2
)

// Target returns what a delivered name feeds: an index in Payload, TargetUser or
// TargetKey. It reports false for a name that feeds nothing.
func (s *Schema) Target(name string) (int, bool) {
	switch {
	case name == feed.UserID:
		return TargetUser, true
	case name == s.Key && s.Kind == feed.KindEvents:
		return TargetKey, true
	}
	i := s.ByID(s.Table.ID(name))
	return i, i >= 0
}

// drops reports whether a mask leaves a delivered column out.
func (s *Schema) drops(name string) bool { return s.Table.Column(name).Mask == definition.MaskDrop }

// Places reports whether a target's column says where a row belongs: its user, its key,
// its partition, and of users which of them is the latest.
func (s *Schema) Places(target int) bool {
	if target < 0 || target == s.PartitionColumn {
		return true
	}
	return s.Kind == feed.KindUsers && s.Payload[target].ID == feed.LastModified
}

// Feeds returns the targets that a field of that name may have fed, and reports
// whether one of its columns is left out.
func (s *Schema) Feeds(field string) (targets []int, dropped bool) {
	if t, ok := s.Target(field); ok {
		targets = append(targets, t)
	}
	if s.Legacy && (feed.Fold(field) == feed.UserID || feed.Fold(field) == s.Key) {
		targets = append(targets, TargetUser)
	}
	for i := range s.Payload[:s.Rescued()] {
		if c := &s.Payload[i]; s.Legacy && feed.Fold(field) == c.ID || c.isAvroForm(field) {
			targets = append(targets, i)
		}
	}
	id := s.Table.ID(field)
	return targets, slices.ContainsFunc(s.Dropped, func(c Column) bool {
		return s.Table.ID(c.Delivered) == id || c.isAvroForm(field)
	})
}

// Rescues reports whether a rescued value of that name belongs to the rows.
func (s *Schema) Rescues(name string) bool {
	targets, dropped := s.Feeds(name)
	masked := slices.ContainsFunc(targets, func(t int) bool { return t >= 0 && s.Payload[t].Mask != definition.MaskNone })
	return len(targets) > 0 && !dropped && !masked
}

// sameColumn reports whether two delivered names feed one column.
func (s *Schema) sameColumn(a, b string) bool {
	x, _ := s.Feeds(a)
	y, _ := s.Feeds(b)
	return slices.ContainsFunc(x, func(t int) bool { return slices.Contains(y, t) })
}

// AddRescued adds values that did not cast, unless the row holds one of that
// column already.
func (s *Schema) AddRescued(keep, items []column.Rescued) []column.Rescued {
	for _, it := range items {
		known := func(k column.Rescued) bool { return k.Name == it.Name || s.sameColumn(k.Name, it.Name) }
		if !slices.ContainsFunc(keep, known) {
			keep = append(keep, it)
		}
	}
	return keep
}

// NoteOf returns the index in Payload of the column that a note of a delivered name is
// about, -1 if there is none.
func (s *Schema) NoteOf(name string) int {
	if s.Legacy && feed.IsExact(feed.Fold(name)) {
		if i := s.ByID(feed.Fold(name)); i >= 0 {
			return i
		}
	}
	return s.ByID(s.Table.ID(name))
}
