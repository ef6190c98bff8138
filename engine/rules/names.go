package rules

import (
	"slices"

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
	case name == feed.UserID && s.Kind != feed.KindMapping:
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
