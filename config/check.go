package config

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// check looks for mistakes in one resolved table.
type check struct {
	t          *definition.Table
	m          *tableBlock  // the merged block that t was built from: its columns are t's blocks
	maskBlocks []*maskBlock // those that match the table
	delivered  []string     // nil while the real table is not known
	checks     []checkBlock // of the table
	diags      hcl.Diagnostics
}

func (k *check) add(d *hcl.Diagnostic) { k.diags = append(k.diags, d) }

func (k *check) all() hcl.Diagnostics {
	k.sinks()
	k.folder()
	k.schemaChange()
	k.partition()
	k.fixedTables()
	k.masks()
	k.readings()
	k.names()
	k.checked()
	return k.diags
}

func (k *check) sinks() {
	if len(k.t.Sinks) > 0 || k.m.sinks != nil && k.m.sinks.wrong {
		return
	}
	at := k.m.rng
	if k.m.sinks != nil {
		at = k.m.sinks.rng
	}
	k.add(errorAt(at, "Table without a sink", "The table %q goes nowhere. Set sinks = [sink.parquet.lake] in its block, or in a more general one that it inherits from; to leave the table out, use ignore %q {}.", k.t.Name, k.t.Name))
}

func (k *check) folder() {
	if isReservedFolder(k.t.Folder) && k.m.as == nil {
		k.add(deliveredAt(k.m.rng, "Reserved name", "The folder %q belongs to reconcile. Rename the table with as = \"...\" in a block of its own.", k.t.Folder))
	} else if strings.HasPrefix(k.t.Folder, "_") {
		k.add(warnAt(k.m.rng, "Hidden folder", "Spark and Hive do not read folders that begin with \"_\", as %q does. as = \"...\" renames it.", k.t.Folder))
	}
}

func (k *check) schemaChange() {
	if k.m.listed != nil && k.m.listed.wrong || k.m.onSchema != nil && k.m.onSchema.wrong {
		return
	}
	if k.t.OnSchemaChange == definition.Evolve {
		if k.m.listed != nil && k.m.onSchema == nil {
			k.add(warnAt(k.m.listed.rng, "List without effect", "\"columns\" is used with on_schema_change = \"freeze\" or \"ignore\" only."))
		}
		return
	}
	if k.m.listed == nil || len(k.m.listed.value) == 0 {
		k.add(errorAt(k.m.onSchema.rng, "Missing list of columns", "on_schema_change = %q needs columns = [...] with the columns that the table %q is to have; what happened to arrive first is no list.", k.t.OnSchemaChange, k.t.Name))
		return
	}
	if c := k.t.Partition.Column; c != "" && !k.t.Takes(c) {
		k.add(errorAt(k.m.listed.rng, "Partition column not in the list", "The table %q is partitioned by %q, so \"columns\" must name it.", k.t.Name, c))
	}
}

// partition checks that the partition column has a time.
func (k *check) partition() {
	p := k.t.Partition
	if p.Unit == definition.UnitNone {
		return
	}
	typ := k.t.Column(p.Column).Type.ID
	if typ != column.Timestamp && typ != column.Date {
		hint := didYouMean(p.Column, append([]string{feed.Time, feed.JoinDate, feed.LastModified}, k.datedColumns()...))
		if len(k.delivered) > 0 && !k.isDelivered(p.Column) {
			k.add(errorAt(k.m.partition.rng, "Partition column not delivered", "The table %q has no column %q. A partition column is time, joindate, last_modified or one with column %q { type = \"timestamp\" } or \"date\".%s",
				k.t.Name, p.Column, p.Column, cmp.Or(hint, didYouMean(p.Column, k.delivered))))
			return
		}
		k.add(errorAt(k.m.partition.rng, "Partition column without a time", "In the table %q the column %q is %s. A partition column is time, joindate, last_modified or one with column %q { type = \"timestamp\" } or \"date\".%s",
			k.t.Name, p.Column, k.t.Column(p.Column).Type, p.Column, hint))
		return
	}
	if typ == column.Date && p.Unit == definition.UnitHour {
		k.add(errorAt(k.m.partition.rng, "Partition column without a time", "In the table %q the column %q is a date, which has no hours.", k.t.Name, p.Column))
	}
	if len(k.delivered) > 0 && !k.isDelivered(p.Column) {
		k.add(warnAt(k.m.partition.rng, "Partition column not delivered", "The table %q has no column %q: all its rows are in the default partition.%s", k.t.Name, p.Column, didYouMean(p.Column, k.delivered)))
	}
}

// datedColumns are the columns that blocks give a type with a time.
func (k *check) datedColumns() []string {
	var out []string
	for _, b := range k.m.columns {
		if t := b.typ; t != nil && (t.value.ID == column.Timestamp || t.value.ID == column.Date) {
			out = append(out, b.name)
		}
	}
	return out
}

func (k *check) isDelivered(name string) bool {
	id := k.t.ID(name)
	return slices.ContainsFunc(k.delivered, func(d string) bool { return k.t.ID(d) == id })
}

// fixedTables checks users and user_migrations, whose shape is given.
func (k *check) fixedTables() {
	if k.t.Kind == feed.KindEvents {
		return
	}
	if k.m.partition != nil && k.t.Partition.Unit != definition.UnitNone {
		k.add(errorAt(k.m.partition.rng, "Table that cannot be partitioned", "%q has a row per user, not per event: its rows change, and a partition of them would mean nothing. Remove partition_by or write [].", k.t.Name))
	}
	if k.t.Kind == feed.KindUsers {
		return
	}
	const fixed = "\"user_migrations\" always has the columns from_user_id, to_user_id, time, canonical_user_id and _dump_id."
	for _, b := range k.m.columns {
		k.add(errorAt(b.rng, "Table with fixed columns", "%s", fixed+" Remove the column block."))
	}
	if k.t.OnSchemaChange != definition.Evolve {
		k.add(errorAt(k.m.onSchema.rng, "Table with fixed columns", "%s", fixed+" Remove on_schema_change."))
	}
}

// masks checks how masks and column blocks of the table meet.
func (k *check) masks() {
	for _, name := range k.columnNames() {
		if feed.IsExact(name) {
			continue
		}
		b := k.settings(name)
		b.name = name
		if b.typ != nil && b.mask != nil {
			k.add(typeOnMasked(&b, "its own mask"))
		}
		var keyed *maskBlock
		if b.mask != nil && b.mask.value.method == definition.MaskHMAC {
			keyed = b.mask.value.of
		}
		for _, m := range k.maskBlocks {
			if !m.takesColumn(name, k.t.Published(name)) {
				continue
			}
			if b.typ != nil {
				k.add(typeOnMasked(&b, "mask \""+m.name+"\" ("+place(m.rng)+")"))
			}
			if m.mask.Method == definition.MaskHMAC {
				k.oneKey(name, keyed, m)
				keyed = m
			}
		}
	}
}

// settings is what the column blocks together say of a delivered column, with where
// they say it.
func (k *check) settings(delivered string) columnBlock {
	var out columnBlock
	for _, i := range k.t.BlocksOf(delivered) {
		b := k.m.columns[i]
		out.as, out.typ, out.merge, out.mask = first(out.as, b.as), first(out.typ, b.typ), first(out.merge, b.merge), first(out.mask, b.mask)
		out.unit, out.round = first(out.unit, b.unit), first(out.round, b.round)
		out.mistyped = out.mistyped || b.mistyped
	}
	return out
}

// readings checks that what column blocks say of reading values fits their types.
func (k *check) readings() {
	seen := map[string]bool{}
	for _, c := range k.m.columns {
		if seen[c.name] {
			continue
		}
		seen[c.name] = true
		b := k.settings(c.name)
		b.name = c.name
		k.diags = append(k.diags, b.readAs(k.t.Column(c.name).Type)...)
	}
}

// oneKey diagnoses a column that two masks would turn into different texts.
func (k *check) oneKey(name string, a, b *maskBlock) {
	if a != nil && !bytes.Equal(a.key, b.key) && k.t.Column(name).Mask == definition.MaskHMAC {
		k.add(deliveredAt(b.rng, "Two keys for one column", "The column %q of the table %q is masked by %q (%s) and by %q with another key. Let one of them pass over it.", name, k.t.Name, a.name, place(a.rng), b.name))
	}
}

// columnNames are the delivered and the configured columns, sorted, each once.
func (k *check) columnNames() []string {
	names := slices.Clone(k.delivered)
	matched := map[int]bool{}
	for _, d := range k.delivered {
		for _, i := range k.t.BlocksOf(d) {
			matched[i] = true
		}
	}
	for i, b := range k.m.columns {
		if !matched[i] {
			names = append(names, b.name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(feed.Fold(a), feed.Fold(b)), strings.Compare(a, b))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(n string) bool {
		id := k.t.ID(n)
		had := seen[id]
		seen[id] = true
		return had
	})
}

// names checks that no two columns get the same new name.
func (k *check) names() {
	owner := map[string]string{} // label by new name
	for _, b := range k.m.columns {
		if b.as == nil || k.t.Column(b.name).Mask == definition.MaskDrop {
			continue
		}
		as := feed.Fold(b.as.value)
		other, taken := owner[as]
		if other == b.name && taken {
			continue // said in a more general block, too
		}
		if taken {
			k.add(errorAt(b.as.rng, "Name taken", "In the table %q the columns %q and %q would both be published as %q (names are compared without case). Rename one of them.", k.t.Name, other, b.name, b.as.value))
		}
		owner[as] = b.name
		if slices.Contains(k.t.Partition.Levels(), as) {
			k.add(errorAt(b.as.rng, "Reserved name", "The table %q is partitioned by %s, so %q is a column of its own. Choose another name.", k.t.Name, k.t.PartitionBy, b.as.value))
		}
	}
}

// CheckFolders diagnoses tables whose folders are the same but for case, on which
// some file systems could not tell them apart.
func (c *Config) CheckFolders(tables []*definition.Table) hcl.Diagnostics {
	sorted := slices.Clone(tables)
	slices.SortFunc(sorted, func(a, b *definition.Table) int { return strings.Compare(a.Name, b.Name) })
	var diags hcl.Diagnostics
	seen := map[string]*definition.Table{}
	for _, t := range sorted {
		folder := strings.ToLower(t.Folder)
		if old := seen[folder]; old != nil && old.Name != t.Name {
			what := "Folders that differ by case only"
			if old.Folder == t.Folder {
				what = "Two tables in one folder"
			}
			diags = append(diags, errorAt(c.declaration(t), what, "The tables %q (%s) and %q would both be in the folder %q. Give one of them a block of its own with another name: as = \"...\".",
				old.Name, place(c.declaration(old)), t.Name, t.Folder))
			continue
		}
		seen[folder] = t
	}
	return sortDiagnostics(diags)
}

// tableBlocks returns the blocks that a table is made of, the most specific first.
func (c *Config) tableBlocks(t *definition.Table) []*tableBlock {
	var out []*tableBlock
	for _, label := range t.TableBlocks {
		i := slices.IndexFunc(c.tables, func(b *tableBlock) bool { return string(b.pattern) == label })
		out = append(out, c.tables[i])
	}
	return out
}

// declaration is where the most specific block of a table stands.
func (c *Config) declaration(t *definition.Table) hcl.Range {
	return c.tableBlocks(t)[0].rng
}

// checkExactTables resolves the tables whose names are known, so that as much as
// possible is diagnosed before the first dump is seen.
func (l *loader) checkExactTables() {
	var tables []*definition.Table
	for _, name := range l.cfg.ExactTables() {
		chain, diags := l.cfg.chain(name, !feed.IsSpecial(name))
		t, more := l.cfg.resolve(name, chain, nil)
		l.add(diags...)
		l.add(more...)
		tables = append(tables, t)
	}
	l.add(l.cfg.CheckFolders(tables)...)
}
