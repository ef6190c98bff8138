package config

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/definition"
)

// skipBlock is where a skip_dump block and its tables stand.
type skipBlock struct {
	dump   int64
	rng    hcl.Range
	tables []setting[string]
}

// removedBlock is where a removed block stands.
type removedBlock struct {
	table string
	rng   hcl.Range
}

// tableBlocks judges the tables that blocks name, and what is said of their columns.
func (j *judge) tableBlocks() {
	takes := map[*tableBlock][]*DeliveredTable{}
	for i := range j.d.Tables {
		for _, b := range j.c.blocks(&j.d.Tables[i]) {
			takes[b] = append(takes[b], &j.d.Tables[i])
		}
	}
	for _, b := range j.c.tables {
		delivered := b.pattern.IsGlob() || slices.ContainsFunc(j.d.Tables, func(t DeliveredTable) bool { return t.Name == string(b.pattern) })
		if !delivered && len(j.d.Tables) > 0 {
			j.warn(b.rng, "Table not delivered", "No table %q was delivered so far.%s", string(b.pattern), takenBack(didYouMean(string(b.pattern), j.tableNames())))
		}
		tables := takes[b]
		for _, c := range b.columns {
			j.column(b, c, tables)
		}
		if b.listed != nil && slices.ContainsFunc(tables, func(t *DeliveredTable) bool { return t.Table != nil && t.Table.OnSchemaChange != definition.Evolve }) {
			for _, e := range b.listed.value {
				j.listed(b, e, tables)
			}
		}
	}
}

// column judges a column block. Where nothing is known of the tables that its block
// takes, only a mask matters.
func (j *judge) column(t *tableBlock, b *columnBlock, tables []*DeliveredTable) {
	var v verdict
	if b.mask != nil {
		v = j.verdictOf(b.digest(t), b.optional, tables)
	}
	if slices.ContainsFunc(tables, func(d *DeliveredTable) bool { return d.has(b) }) {
		return
	}
	s := newMaskable(tables)
	hint := s.hint(b.name)
	if near, _ := s.near(b.name); near != "" {
		hint = fmt.Sprintf(" Did you mean %q?", near)
	}
	switch {
	case b.mask != nil && len(j.d.Tables) == 0:
		v.add(b.mask.rng, matchesNothing, "Nothing was delivered so far, so that nobody can tell whether there is a column %q to mask.", b.name)
	case b.mask != nil:
		v.add(b.mask.rng, matchesNothing, "No table that the block %q takes has a delivered column %q, so that the mask masks nothing.%s"+optionalBlock, string(t.pattern), b.name, hint)
	case len(tables) > 0 && !anyUnknown(tables):
		j.warn(b.rng, "Column not delivered", "%s column %q so far.%s", takenBy(t), b.name, takenBack(hint))
	}
}

func anyUnknown(tables []*DeliveredTable) bool {
	return slices.ContainsFunc(tables, func(t *DeliveredTable) bool { return t.Unknown })
}

// takenBack adds to the hint at another name what a plan does of it.
func takenBack(hint string) string {
	if hint == "" {
		return ""
	}
	return hint + " If so, what this block sets does not hold there, and a plan undoes what it set before."
}

// takenBy begins a sentence on the tables that a block takes.
func takenBy(t *tableBlock) string {
	if t.pattern.IsGlob() {
		return fmt.Sprintf("No table that the block %q takes has a", string(t.pattern))
	}
	return fmt.Sprintf("The table %q has no", string(t.pattern))
}

// listed judges a name in columns = [...].
func (j *judge) listed(t *tableBlock, e setting[string], tables []*DeliveredTable) {
	if anyUnknown(tables) || slices.ContainsFunc(tables, func(d *DeliveredTable) bool { return d.lists(e.value) }) {
		return
	}
	j.warn(e.rng, "Column not delivered", "%s column %q so far, which \"columns\" lists.%s", takenBy(t), e.value, didYouMean(e.value, columnsOf(tables)))
}

// ignores judges the tables that ignore blocks name.
func (j *judge) ignores() {
	for _, b := range j.c.ignores {
		if !j.d.OnlyState && !b.pattern.IsGlob() && !slices.Contains(j.tableNames(), string(b.pattern)) {
			j.warn(b.rng, "Ignored table not delivered", "No table %q was delivered so far.%s", string(b.pattern), didYouMean(string(b.pattern), j.tableNames()))
		}
	}
}

// skips judges skip_dump blocks.
func (j *judge) skips() {
	for _, s := range j.c.skips {
		i := slices.IndexFunc(j.d.Dumps, func(d DeliveredDump) bool { return d.ID == s.dump })
		if i < 0 {
			j.warn(s.rng, "Skipped dump not delivered", "No dump %d was delivered so far.%s", s.dump, didYouMean(strconv.FormatInt(s.dump, 10), j.dumpNames()))
			for _, t := range s.tables {
				if !slices.Contains(j.tableNames(), t.value) {
					j.warn(t.rng, "Skipped table not delivered", "No table %q was delivered so far.%s", t.value, didYouMean(t.value, j.tableNames()))
				}
			}
			continue
		}
		for _, t := range s.tables {
			if d := j.d.Dumps[i]; d.Tables != nil && !slices.Contains(d.Tables, t.value) {
				j.warn(t.rng, "Skipped table not delivered", "The manifest of dump %d does not list the table %q.%s", s.dump, t.value, didYouMean(t.value, d.Tables))
			}
		}
	}
}

func (j *judge) dumpNames() []string {
	out := make([]string, len(j.d.Dumps))
	for i, d := range j.d.Dumps {
		out[i] = strconv.FormatInt(d.ID, 10)
	}
	return out
}

// removals judges removed blocks against the state. A table that was delivered and is
// not there needs no warning: it is gone, or never was taken.
func (j *judge) removals() {
	if len(j.d.InState) == 0 {
		return
	}
	for _, b := range j.c.removals {
		if !slices.Contains(j.d.InState, b.table) && !slices.Contains(j.d.Removed, b.table) && !slices.Contains(j.tableNames(), b.table) {
			j.warn(b.rng, "Removed table not known", "The state has no table %q, so that there is nothing to remove.%s", b.table, didYouMean(b.table, j.d.InState))
		}
	}
}
