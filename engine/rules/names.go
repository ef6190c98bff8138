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
	if s.Legacy {
		folded := feed.Fold(field)
		if folded == feed.UserID || folded == s.Key {
			targets = append(targets, TargetUser)
		}
		if i := s.ByID(folded); i >= 0 {
			targets = append(targets, i)
		}
	}
	for _, i := range s.forms().payload[field] {
		if !slices.Contains(targets, i) {
			targets = append(targets, i)
		}
	}
	return targets, s.forms().dropped[field] || s.forms().droppedIDs[s.Table.ID(field)]
}

// avroForms finds columns by what the Avro writer makes of the names by which they were
// delivered.
type avroForms struct {
	payload    map[string][]int // indexes in Payload
	dropped    map[string]bool
	droppedIDs map[string]bool // of the columns that are left out
}

// forms returns those of the schema; they are at hand once it is prepared.
func (s *Schema) forms() *avroForms {
	if s.avro != nil {
		return s.avro
	}
	out := &avroForms{payload: map[string][]int{}, dropped: map[string]bool{}, droppedIDs: map[string]bool{}}
	for i := range s.Payload[:s.Rescued()] {
		for _, form := range s.Payload[i].avroForms() {
			out.payload[form] = append(out.payload[form], i)
		}
	}
	for i := range s.Dropped {
		c := &s.Dropped[i]
		out.droppedIDs[s.Table.ID(c.Delivered)] = true
		for _, form := range c.avroForms() {
			out.dropped[form] = true
		}
	}
	return out
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
