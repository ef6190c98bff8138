package rules

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Schema is what the rows of a table look like: plain data, which encodes and decodes
// equal. It is not changed once it is made, so that several goroutines can use it.
type Schema struct {
	Kind     string // feed.KindEvents, feed.KindUsers or feed.KindMapping
	Key      string // delivered name of the key column
	KeyName  string // as published
	UserName string // user_id as published
	// Payload is what is published beside keys and what reconcile adds, but that it ends
	// with _rescued_data.
	Payload   []Column
	Dropped   []Column // delivered, and left out by a mask
	Table     *definition.Table
	Legacy    bool // the table's columns were named before keys and timestamps were exact names
	Partition definition.Partition
	// PartitionColumn is the index of the partition column in Payload, -1 without one.
	PartitionColumn int
	// Computed are columns that are computed of the others, in their order.
	Computed []ComputedColumn

	byID map[string]int // index in Payload; nil before Prepare
	avro *avroForms     // likewise
}

// NewSchema resolves the columns of a table: those it has (in their order and
// spelling) and those that are newly delivered.
//
// What only the files of dumps brought that are void by the floor is no column. legacy
// says that an older program named those it has.
func NewSchema(t *definition.Table, kind, key string, have []Column, delivered []Delivered, floor Floor, legacy bool) *Schema {
	s := &Schema{Kind: kind, Key: key, KeyName: key, UserName: feed.UserID, Table: t, Legacy: legacy, Partition: t.Partition, PartitionColumn: -1}
	known := NewColumnRegistry(t, legacy)
	for _, c := range have {
		known.Has(c)
	}
	wanted := map[string]bool{} // the configuration lists it, delivered or not
	for _, name := range t.Columns {
		if !t.Yields(name) {
			wanted[t.ID(name)] = true
			known.noteColumn(Column{Delivered: name})
		}
	}
	for _, d := range delivered {
		c := Column{Delivered: d.Name, Since: d.Dump, Listed: d.Listed}
		if !d.Listed {
			c.Seen = d.Dump
		}
		known.noteColumn(c)
	}
	for _, id := range known.order {
		k := known.byID[id]
		name := AskedName(t, legacy, k.Delivered, k.Name)
		if id == feed.UserID || id == key && kind == feed.KindEvents || !t.Takes(name) || !wanted[id] && !k.Listed && (k.Seen == 0 || !floor.Live(k.Seen)) {
			continue
		}
		if c := known.resolve(id, t.Column(name)); c.Mask == definition.MaskDrop {
			s.Dropped = append(s.Dropped, c)
		} else {
			s.Payload = append(s.Payload, c)
		}
	}
	s.Payload = append(s.Payload, Column{Name: feed.RescuedData, ID: feed.RescuedData})
	s.Prepare()
	if t.Partition.Unit != definition.UnitNone {
		s.PartitionColumn = s.ByID(t.ID(t.Partition.Column))
	}
	return s
}

// DeliveredMapping is the schema under which files of user_migrations are read, whose
// plain numbers count a unit of time: fields are its columns by their exact names, listed
// or not.
func DeliveredMapping(unit column.TimeUnit) *Schema {
	s := &Schema{Kind: feed.KindMapping, Key: feed.FromUserID, Table: &definition.Table{}, PartitionColumn: -1, Payload: []Column{
		KeyColumn(feed.FromUserID), KeyColumn(feed.ToUserID), timeColumn(feed.Time, unit), {Name: feed.RescuedData, ID: feed.RescuedData}}}
	s.Prepare()
	return s
}

// DeliveredKeys is the schema under which no more is read of a table's files than raw users
// and, if it is not empty, the key: of users there is none.
func DeliveredKeys(key string) *Schema {
	kind := feed.KindEvents
	if key == "" {
		kind = feed.KindUsers
	}
	return &Schema{Kind: kind, Key: key, Table: &definition.Table{}, PartitionColumn: -1, Payload: []Column{{Name: feed.RescuedData, ID: feed.RescuedData}}}
}

// Prepare makes look-ups fast in a schema that was decoded.
func (s *Schema) Prepare() {
	s.byID = make(map[string]int, len(s.Payload))
	for i, c := range s.Payload[:s.Rescued()] {
		s.byID[c.ID] = i
	}
	s.Table, s.avro = s.Table.Prepared(), nil
	s.avro = s.forms()
}

// ByID returns the index in Payload of the delivered column with an ID, -1 if there is
// none.
func (s *Schema) ByID(id string) int {
	if s.byID == nil {
		return slices.IndexFunc(s.Payload[:s.Rescued()], func(c Column) bool { return c.ID == id })
	}
	if i, ok := s.byID[id]; ok {
		return i
	}
	return -1
}

// Required lists the delivered names of the columns without which there is no row.
func (s *Schema) Required() []string {
	switch s.Kind {
	case feed.KindMapping:
		return []string{feed.FromUserID, feed.ToUserID}
	case feed.KindUsers:
		return []string{feed.UserID}
	}
	return []string{feed.UserID, s.Key}
}

// Rescued returns the index in Payload of _rescued_data.
func (s *Schema) Rescued() int { return len(s.Payload) - 1 }

// Columns returns what the record of the table keeps: the payload without
// _rescued_data, and what masks leave out.
func (s *Schema) Columns() []Column { return slices.Concat(s.Payload[:s.Rescued()], s.Dropped) }

// Masks reports whether delivered rows hold what must not be stored.
func (s *Schema) Masks() bool {
	return len(s.Dropped) > 0 || slices.ContainsFunc(s.Payload, func(c Column) bool { return c.Mask != definition.MaskNone })
}

// EmptyPayload returns the payload columns without rows.
func (s *Schema) EmptyPayload() []column.Column {
	out := make([]column.Column, len(s.Payload))
	for i, c := range s.Payload {
		out[i] = column.Column{Name: c.Name, Type: c.Type}
		out[i].Reset()
	}
	return out
}
