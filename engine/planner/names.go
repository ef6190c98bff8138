package planner

import (
	"context"
	"maps"
	"slices"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/internal/feed"
)

// note keeps what is delivered of a table. What it returns holds until the next one.
func (n *named) note(t *Table) *config.DeliveredTable {
	listed, unknown := len(t.Known) > 0, false
	for _, d := range t.All {
		listed = listed || d.Entry.HasColumns
		unknown = unknown || !d.Entry.HasColumns && (t.unread != nil || d.Entry.Problem != "")
	}
	unknown = (unknown || !listed) && !t.passedBy // of what is passed by readBare finds out where it matters
	n.tables = append(n.tables, config.DeliveredTable{Name: t.Name, Columns: unique(append(stateNames(t.Old), t.Known...)), Unknown: unknown && t.Name != feed.TableMapping})
	return &n.tables[len(n.tables)-1]
}

// checkNames judges the names in the configuration against all that was ever
// delivered. Headers of files that are applied are read only where that could save a
// new mask from being an error.
func checkNames(ctx context.Context, p *Session) error {
	d := EverDelivered(p)
	diags, judged := p.Ask.Config.CheckNames(d)
	if diags.HasErrors() {
		more, err := readBare(ctx, p, d.Tables)
		if err != nil {
			return err
		}
		if more {
			diags, judged = p.Ask.Config.CheckNames(d)
		}
	}
	p.Diags, p.Names.Judged = append(p.Diags, diags...), judged
	return nil
}

// EverDelivered gathers what was delivered: by manifests that are there, held and
// left out ones too, and by what the state has.
func EverDelivered(p *Session) config.Delivered {
	d := config.Delivered{Tables: p.Names.tables, InState: slices.Sorted(maps.Keys(p.Snap.Tables)), Judged: p.Snap.JudgedMasks,
		Removed: slices.Sorted(maps.Keys(p.Snap.RemovedTables))}
	if len(p.Ask.Config.Skips) > 0 {
		d.Dumps = p.deliveredDumps()
	}
	at := placesOf(d.Tables)
	for _, dm := range p.Listing.Dumps {
		if !p.Ask.Later(dm.ID) && !slices.ContainsFunc(p.Ask.Config.Skips, func(s config.Skip) bool { return s.Dump == dm.ID }) {
			continue
		}
		for _, en := range dm.Entries {
			if p.Ask.LeftOut(dm.ID, en.Name) {
				d.Tables = addEntry(d.Tables, at, en)
			}
		}
	}
	for _, dm := range p.Names.held {
		for _, en := range dm.Entries {
			d.Tables = addEntry(d.Tables, at, en)
		}
	}
	return d
}

// placesOf are the indexes of tables by their names.
func placesOf(tables []config.DeliveredTable) map[string]int {
	at := make(map[string]int, len(tables))
	for i, t := range tables {
		at[t.Name] = i
	}
	return at
}

// addEntry adds what one manifest says of a table; at says where tables are.
func addEntry(tables []config.DeliveredTable, at map[string]int, en *dump.Entry) []config.DeliveredTable {
	i, ok := at[en.Name]
	if !ok {
		at[en.Name] = len(tables)
		return append(tables, config.DeliveredTable{Name: en.Name, Columns: slices.Clip(en.Columns), Unknown: !en.HasColumns && en.Name != feed.TableMapping})
	}
	if len(en.Columns) > 0 {
		tables[i].Columns = unique(slices.Concat(tables[i].Columns, en.Columns))
	}
	return tables
}

// deliveredDumps lists all dumps that are known, with their tables where the
// manifests are there.
func (p *Session) deliveredDumps() []config.DeliveredDump {
	all := map[int64][]string{}
	for id := range dumpsIn(p.Snap) {
		all[id] = nil
	}
	for _, pr := range p.Listing.Problems {
		if pr.HasDump {
			all[pr.Dump] = nil
		}
	}
	for _, d := range slices.Concat(p.Listing.Dumps, p.Names.held) {
		tables := make([]string, len(d.Entries))
		for i, en := range d.Entries {
			tables[i] = en.Name
		}
		all[d.ID] = tables
	}
	out := make([]config.DeliveredDump, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, config.DeliveredDump{ID: id, Tables: all[id]})
	}
	return out
}

// readBare adds the fields of all files whose manifests list no columns, and reports
// whether there are any. A file that is gone or bad adds nothing, but that nobody knows what
// a table which is passed by has.
func readBare(ctx context.Context, p *Session, tables []config.DeliveredTable) (more bool, err error) {
	at := placesOf(tables)
	for _, d := range slices.Concat(p.Listing.Dumps, p.Names.held) {
		for _, en := range d.Entries {
			i, ok := at[en.Name]
			if en.HasColumns || !ok {
				continue
			}
			passed := passesBy(p, en.Name)
			var fields []string
			for key, err := range en.Files.All() {
				if err != nil {
					return false, err
				}
				h, err := partfile.Header(ctx, p.Source, key)
				if dump.Unavailable(err) {
					return false, err
				}
				more = true
				if err != nil {
					tables[i].Unknown = tables[i].Unknown || passed
					continue
				}
				fields = append(fields, partfile.FieldNames(h)...)
			}
			if passed && !tables[i].Unknown && len(fields) > 0 {
				p.Listing.NoteFields(en, unique(fields))
			}
			tables[i].Columns = append(tables[i].Columns, fields...)
			tables[i].Columns = unique(tables[i].Columns)
		}
	}
	return more, nil
}
