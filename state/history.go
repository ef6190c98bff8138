package state

import (
	"fmt"
	"slices"
	"time"

	"reconcile/state/internal/kv"
)

// The history of a table is in its record, as items one behind the other that are only
// decoded for who asks: a record is read by every command, and written by every commit.

const (
	// maxHistory is the size from which on the oldest quarter of a history goes. It has
	// room for about 400 commits.
	maxHistory = 16 << 10
	// maxColumnLog is the same of what became of the columns, of which there is much less.
	maxColumnLog = 64 << 10
	// maxCommitDumps is how many dumps of a commit are listed one by one.
	maxCommitDumps = 16
)

// CommitKind says what a commit of a table was about.
type CommitKind uint8

// The kinds of commits. They are stored: the numbers stay.
const (
	CommitCreate   CommitKind = iota + 1 // the table came
	CommitTake                           // dumps, and the mapping with them
	CommitMapping                        // the mapping alone
	CommitMetadata                       // the configuration changed: nothing was rewritten
	CommitRewrite                        // likewise, from what sink and state hold
	CommitRebuild                        // likewise, or for damage, from the source
	CommitRepair                         // -repair
	CommitAnew                           // a lost state was made anew
)

var commitKinds = []string{"", "create", "take", "mapping", "metadata", "rewrite", "rebuild", "repair", "state rebuild"}

// String names the kind.
func (k CommitKind) String() string {
	if int(k) < len(commitKinds) {
		return commitKinds[k]
	}
	return "another" // of a newer program
}

// Commit is what is remembered of one commit of a table.
type Commit struct {
	Serial uint64     `cbor:"1,keyasint"`
	At     int64      `cbor:"2,keyasint,omitempty"` // ms since the epoch
	Kind   CommitKind `cbor:"3,keyasint,omitempty"`
	// Dumps are those that it took: all of a few, the first and the last of Count.
	Dumps []int64 `cbor:"4,keyasint,omitempty"`
	Count int     `cbor:"5,keyasint,omitempty"` // 0 if Dumps are all
	// Mapping is the dump of the mapping that the table stands at since, nil for none.
	Mapping     *int64 `cbor:"6,keyasint,omitempty"`
	Added       int64  `cbor:"7,keyasint,omitempty"`
	Replaced    int64  `cbor:"8,keyasint,omitempty"`
	Rekeyed     int64  `cbor:"9,keyasint,omitempty"`
	Collapsed   int64  `cbor:"10,keyasint,omitempty"`
	Revived     int64  `cbor:"11,keyasint,omitempty"`
	Removed     int64  `cbor:"12,keyasint,omitempty"`
	Quarantined int64  `cbor:"13,keyasint,omitempty"`
	Rescued     int64  `cbor:"14,keyasint,omitempty"`
	Rows        int64  `cbor:"15,keyasint,omitempty"` // of the table afterwards
}

// SetDumps notes which dumps the commit took, sorted.
func (c *Commit) SetDumps(ids []int64) {
	c.Dumps, c.Count = slices.Clone(ids), 0
	if n := len(ids); n > maxCommitDumps {
		c.Dumps, c.Count = []int64{ids[0], ids[n-1]}, n
	}
}

// ColumnEvent says what became of a column.
type ColumnEvent uint8

// The events. They are stored: the numbers stay.
const (
	ColumnCame ColumnEvent = iota + 1
	ColumnWent
	ColumnRetyped
	ColumnMasked // its mask came, went or changed
)

var columnEvents = []string{"", "came", "went", "type", "mask"}

// String names the event.
func (e ColumnEvent) String() string {
	if int(e) < len(columnEvents) {
		return columnEvents[e]
	}
	return "another"
}

// ColumnChange is what a commit did to a column of a table that was there before.
type ColumnChange struct {
	Serial uint64      `cbor:"1,keyasint"`
	At     int64       `cbor:"2,keyasint,omitempty"` // ms since the epoch
	Event  ColumnEvent `cbor:"3,keyasint"`
	Column string      `cbor:"4,keyasint"` // as published
	// Dump is the one that brought the column, else the newest that the table had then.
	Dump int64 `cbor:"5,keyasint,omitempty"`
	// From and To are types or methods of masks, of what came or went the one that it has.
	From string `cbor:"6,keyasint,omitempty"`
	To   string `cbor:"7,keyasint,omitempty"`
	// Since is, of a column that went, the dump that had brought it.
	Since int64 `cbor:"8,keyasint,omitempty"`
}

// Commits returns what is remembered of the commits of the table, the oldest first.
func (t *Table) Commits() ([]Commit, error) { return decodeItems[Commit](t.Name, t.History) }

// ColumnChanges returns what became of the columns of the table, the oldest first.
func (t *Table) ColumnChanges() ([]ColumnChange, error) {
	return decodeItems[ColumnChange](t.Name, t.ColumnLog)
}

// Follow makes the history of the table that of the one before, nil for none, and the
// commit.
func (t *Table) Follow(before *Table, c Commit) error {
	t.Committed, t.History, t.ColumnLog = c.At, nil, nil
	if before != nil {
		t.History, t.ColumnLog = slices.Clone(before.History), slices.Clone(before.ColumnLog)
	}
	var err error
	if t.History, err = appendItems(t.Name, t.History, maxHistory, []Commit{c}); err != nil || before == nil {
		return err
	}
	t.ColumnLog, err = appendItems(t.Name, t.ColumnLog, maxColumnLog, columnChanges(before, t, c))
	return err
}

// columnChanges finds out what a commit did to the columns of a table. One without a name
// is delivered, and dropped.
func columnChanges(before, after *Table, c Commit) []ColumnChange {
	had := map[string]*Column{}
	for i := range before.Columns {
		had[before.Columns[i].Name] = &before.Columns[i]
	}
	delete(had, "")
	var out []ColumnChange
	note := func(e ColumnEvent, column string, dump int64, from, to string) *ColumnChange {
		out = append(out, ColumnChange{Serial: c.Serial, At: c.At, Event: e, Column: column, Dump: dump, From: from, To: to})
		return &out[len(out)-1]
	}
	for i := range after.Columns {
		now := &after.Columns[i]
		was := had[now.Name]
		delete(had, now.Name)
		switch {
		case now.Name == "":
			continue
		case was == nil:
			note(ColumnCame, now.Name, now.Since, "", now.Type)
			continue
		case was.Type != now.Type:
			note(ColumnRetyped, now.Name, after.LastDelivery, was.Type, now.Type)
		}
		if was.Mask != now.Mask {
			note(ColumnMasked, now.Name, after.LastDelivery, was.Mask, now.Mask)
		}
	}
	for i := range before.Columns {
		if was := &before.Columns[i]; had[was.Name] != nil {
			note(ColumnWent, was.Name, after.LastDelivery, was.Type, "").Since = was.Since
		}
	}
	return out
}

// Time is one that a record has, zero for none.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func decodeItems[T any](table string, data []byte) ([]T, error) {
	mode, err := kv.DecMode()
	if err != nil {
		return nil, err
	}
	var out []T
	for len(data) > 0 {
		var item T
		if data, err = mode.UnmarshalFirst(data, &item); err != nil {
			return nil, fmt.Errorf("the history of table %s: %w", table, err)
		}
		out = append(out, item)
	}
	return out, nil
}

// appendItems adds items to encoded ones. From a size on the oldest quarter goes.
func appendItems[T any](table string, data []byte, most int, items []T) ([]byte, error) {
	for _, item := range items {
		b, err := kv.Encode(item)
		if err != nil {
			return nil, fmt.Errorf("the history of table %s: %w", table, err)
		}
		data = append(data, b...)
	}
	if len(data) <= most {
		return data, nil
	}
	all, err := decodeItems[T](table, data)
	if err != nil {
		return nil, err
	}
	return appendItems(table, nil, len(data), all[(len(all)+3)/4:])
}
