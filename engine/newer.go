package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/sinks"
	"reconcile/state"
)

// Before the files of a sink are compared with the state it is judged which of the two
// is newer: a state from a backup would take what newer applies wrote for drift, and
// rebuild tables from a source that may no longer have all of it.

// sinkSays is what the current.json of a sink says.
type sinkSays struct {
	current *sinks.Current // nil if there is none, or it cannot be read
	damage  error          // why it cannot be read
}

// readSays reads the current.json of a sink.
func (e *Engine) readSays(ctx context.Context, root string) (sinkSays, error) {
	sk, err := e.openSink(root, "")
	if err != nil {
		return sinkSays{}, err
	}
	cur, err := sk.Current(ctx)
	if errors.Is(err, sinks.ErrCurrentDamaged) {
		return sinkSays{damage: err}, nil
	}
	return sinkSays{current: cur}, err
}

// currentOf returns what a sink says of a table.
func (p *Plan) currentOf(root, table string) (sinks.CurrentTable, bool) {
	cur := p.says[root].current
	if cur == nil {
		return sinks.CurrentTable{}, false
	}
	entry, ok := cur.Tables[table]
	return entry, ok
}

// topCommit is the greatest commit that any sink names: the next one exceeds it.
func (p *Plan) topCommit() uint64 {
	top := uint64(0)
	for _, s := range p.says {
		if s.current == nil {
			continue
		}
		for _, t := range s.current.Tables {
			top = max(top, t.Commit)
		}
	}
	return top
}

// appliedInSinks lists the dumps that the sinks of a table name as applied, in their
// order, as far as the state is not newer. A full resync that was lost before still makes
// smaller dumps void.
func (p *Plan) appliedInSinks(table string) []state.Applied {
	var out []state.Applied
	add := func(a state.Applied) {
		i, had := slices.BinarySearchFunc(out, a.Dump, func(x state.Applied, id int64) int { return cmp.Compare(x.Dump, id) })
		if !had {
			out = slices.Insert(out, i, a)
		}
	}
	for _, root := range sortedKeys(p.says) {
		cur, ok := p.currentOf(root, table)
		if !ok || cur.Commit < p.commitOf(table) {
			continue
		}
		for _, d := range cur.Dumps {
			add(state.Applied{Dump: d, Incremental: cur.Resync == nil || d != *cur.Resync})
		}
		if cur.Resync != nil && !slices.Contains(cur.Dumps, *cur.Resync) {
			add(state.Applied{Dump: *cur.Resync, Lost: true})
		}
	}
	return out
}

// mappingInSinks is the newest mapping that a table stands at by a sink that is newer
// than the state; nil if there is none.
func (p *Plan) mappingInSinks(table string) *int64 {
	var newest *int64
	for _, root := range sortedKeys(p.says) {
		cur, ok := p.currentOf(root, table)
		if ok && cur.Commit >= p.commitOf(table) && cur.Mapping != nil && (newest == nil || *cur.Mapping > *newest) {
			newest = cur.Mapping
		}
	}
	return newest
}

// mappingBeyond reports whether a sink has a table at the mapping of a dump of which the
// state, being older, does not know that it was applied.
func (p *Plan) mappingBeyond(dump int64) bool {
	for _, says := range p.says {
		if says.current == nil {
			continue
		}
		for _, t := range says.current.Tables {
			if t.Mapping != nil && *t.Mapping == dump {
				return true
			}
		}
	}
	return false
}

func (p *Plan) commitOf(table string) uint64 {
	if t := p.snap.Tables[table]; t != nil {
		return t.Commit
	}
	return 0
}

// doubt is a sink whose current.json does not say of a table what the state does, and
// whose files decide.
type doubt struct {
	root string
	sink int    // as in old.Sinks
	why  string // that the table is held if files differ; empty: they are drift
}

// judgeNewer judges for each sink of a table whether the state or the sink is newer.
// An older state is a distrustError; doubts are for the files to settle.
func (e *Engine) judgeNewer(ctx context.Context, p *Plan, t *TablePlan) ([]doubt, error) {
	if p.blind && !p.locked {
		return nil, nil
	}
	var doubts []doubt
	for _, root := range rootsOf(t) {
		if err := e.readDeparted(ctx, p, root); err != nil {
			return nil, err
		}
		if why := e.stateOlder(p, t, root); why != "" {
			return nil, &distrustError{why: why}
		}
		if d := t.doubtIn(p, root); d != nil {
			doubts = append(doubts, *d)
		}
	}
	return doubts, nil
}

// leavingOlder holds a table that leaves the configuration, if the state is older than
// one of its sinks. With -repair it goes, and all files in its folders with it.
func (e *Engine) leavingOlder(ctx context.Context, p *Plan, t *TablePlan) (held bool, err error) {
	_, err = e.judgeNewer(ctx, p, t)
	d := distrusted(err)
	switch {
	case d == nil:
		if e.stopsTable(ctx, err) {
			p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: err.Error()})
			return true, nil
		}
		return false, err
	case e.repairs(t.Name):
		t.repair = d.why
		return false, e.findFiles(ctx, p, t)
	}
	p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: d.why + "; the table stays as it is; -repair -target=table." + t.Name + " goes on"})
	return true, nil
}

// strays lists the tables that only sinks know: a newer state made them.
func (p *Plan) strays() []string {
	if p.blind && !p.locked {
		return nil
	}
	out := map[string]bool{}
	for root, says := range p.says {
		if _, forgotten := p.snap.Settings[forgottenSetting(root)]; says.current == nil || forgotten {
			continue
		}
		for name := range says.current.Tables {
			if p.snap.Tables[name] == nil {
				out[name] = true
			}
		}
	}
	return sortedKeys(out)
}

// planStrays plans the tables that only sinks know: neither the state nor, by what
// is delivered, the source.
func (e *Engine) planStrays(ctx context.Context, p *Plan, delivered map[string][]delivery) error {
	for _, name := range p.strays() {
		if _, ok := delivered[name]; ok {
			continue
		}
		t := &TablePlan{Name: name}
		if err := e.planStray(ctx, p, t); err != nil {
			return err
		}
		p.Tables = append(p.Tables, t)
	}
	return nil
}

// planStray holds a table that only sinks know and that no block takes, or whose
// columns nothing tells. With -repair it goes, if the loss of its rows is accepted.
func (e *Engine) planStray(ctx context.Context, p *Plan, t *TablePlan) error {
	why, record := "", &state.Table{Name: t.Name}
	for _, root := range sortedKeys(p.says) {
		if cur, ok := p.currentOf(root, t.Name); ok {
			record.Sinks = append(record.Sinks, state.SinkTable{Root: root, Folder: cur.Folder})
			why = e.olderText(root, cur.Commit, 0)
		}
	}
	switch {
	case !e.repairs(t.Name):
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: why + "; the table stays as it is; -repair -accept-loss=" + t.Name + " -target=table." + t.Name + " removes it"})
		return nil
	case !e.acceptsLoss(t.Name):
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: "nothing in the source or the configuration makes this table, which a newer state made; it stays as it is; -accept-loss=" + t.Name + " removes it"})
		return nil
	}
	t.old, t.repair, t.Action = record, why, Destroy
	return e.findFiles(ctx, p, t)
}

// readDeparted reads what a sink says that only the state names.
func (e *Engine) readDeparted(ctx context.Context, p *Plan, root string) error {
	if _, ok := p.says[root]; ok {
		return nil
	}
	says, err := e.readSays(ctx, root)
	if err != nil {
		return err
	}
	if says.current != nil && says.current.Lineage != p.Lineage {
		says.current = nil
	}
	p.says[root] = says
	return nil
}

// rootsOf lists the sinks where a table is and is to be.
func rootsOf(t *TablePlan) []string {
	var out []string
	for _, at := range foldersOf(t) {
		if !slices.Contains(out, at.root) {
			out = append(out, at.root)
		}
	}
	return out
}

// stateOlder says why a sink is newer than the state; empty if it is not.
func (e *Engine) stateOlder(p *Plan, t *TablePlan, root string) string {
	cur, ok := p.currentOf(root, t.Name)
	have := p.commitOf(t.Name)
	if !ok || cur.Commit < have {
		return ""
	}
	if cur.Commit > have {
		return e.olderText(root, cur.Commit, have)
	}
	known, ok := currentTable(root, &state.Publish{Commit: have}, t.old, true)
	if !ok || slices.Equal(known.Dumps, cur.Dumps) && sameDump(known.Mapping, cur.Mapping) {
		return ""
	}
	return fmt.Sprintf("the state %s is not the one that wrote the sink at %s: both have the table at commit %d, but with other dumps or another user mapping; bring back the state that wrote it, or go on from this one",
		e.cfg.StatePath, root, have)
}

// olderText says that a sink has a greater commit of a table than the state.
func (e *Engine) olderText(root string, there, have uint64) string {
	return fmt.Sprintf("the state %s is older than the sink at %s: the table is there at commit %d, and the state has it at commit %d; bring back the newer state, or go on from this one",
		e.cfg.StatePath, root, there, have)
}

func sameDump(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// doubtIn is what the files of a sink have to settle, nil if its current.json says what
// the state does. While a commit is being made visible it need not.
func (t *TablePlan) doubtIn(p *Plan, root string) *doubt {
	if t.old == nil || p.publishing(t.Name) {
		return nil
	}
	i := t.old.SinkAt(root)
	if i < 0 {
		return nil
	}
	cur, ok := p.currentOf(root, t.Name)
	if ok && cur.Commit == t.old.Commit && cur.Complete && cur.Folder == t.old.Sinks[i].Folder {
		return nil
	}
	d := &doubt{root: root, sink: i}
	switch says := p.says[root]; {
	case ok: // a smaller commit: the files decide, as drift
	case says.damage != nil:
		d.why = says.damage.Error()
	case says.current != nil:
		d.why = fmt.Sprintf("_reconcile/current.json in %s does not name the table", root)
	default:
		d.why = fmt.Sprintf("_reconcile/current.json in %s is missing", root)
	}
	return d
}

// publishing reports whether a commit of a table is still being made visible, or was
// given up for lost.
func (p *Plan) publishing(table string) bool {
	_, lost := p.snap.Settings[rebuildSetting(table)]
	return lost || slices.Contains(p.Recover, table)
}

// planStanding compares what the state says of a table with what its sinks say and
// hold.
func (e *Engine) planStanding(ctx context.Context, p *Plan, t *TablePlan) error {
	doubts, err := e.judgeNewer(ctx, p, t)
	if err != nil {
		return err
	}
	err = e.planDrift(ctx, p, t, len(doubts) > 0 || p.locked && len(p.Moved) > 0)
	var foreign *foreignError
	if err != nil && !errors.As(err, &foreign) {
		return err
	}
	for _, d := range doubts {
		differs := foreign.in(d.root) || slices.Contains(t.partial, d.sink)
		switch {
		case !differs:
			p.restate(d.root, t)
		case d.why != "" && (foreign.in(d.root) || p.says[d.root] != sinkSays{} || !t.allGone(d.sink)):
			return &distrustError{why: d.why + ", and its files are not those that the state knows"}
		}
	}
	return err
}

// allGone reports whether a sink has none of the files of the table that the state
// lists there.
func (t *TablePlan) allGone(sink int) bool {
	listed := 0
	for _, p := range t.parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				listed++
			}
		}
	}
	for _, s := range t.missing {
		if s == sink {
			listed--
		}
	}
	return listed == 0
}

// restate notes that what a sink says of a table is to be written again.
func (p *Plan) restate(root string, t *TablePlan) {
	if !slices.Contains(p.Restated, root) {
		p.Restated = append(p.Restated, root)
		slices.Sort(p.Restated)
	}
	p.restated = append(p.restated, restated{root, t.old})
}

// restated is a table of which a sink is to say again what the state does.
type restated struct {
	root  string
	table *state.Table
}

// restateSinks writes current.json again where only that was wrong.
func (e *Engine) restateSinks(ctx context.Context, p *Plan) error {
	for _, root := range p.Restated {
		says, err := e.readSays(ctx, root) // a commit may have been finished since the plan
		if err != nil {
			if e.stopsTable(ctx, err) {
				continue
			}
			return err
		}
		cur := says.current
		if cur == nil {
			cur = &sinks.Current{Version: 1, Lineage: p.Lineage}
		}
		if cur.Tables == nil {
			cur.Tables = map[string]sinks.CurrentTable{}
		}
		for _, r := range p.restated {
			if r.root == root {
				cur.Tables[r.table.Name], _ = currentTable(root, &state.Publish{Commit: r.table.Commit}, r.table, true)
			}
		}
		if err := e.sinks[root].SetCurrent(ctx, cur); err != nil && !e.stopsTable(ctx, err) {
			return err
		}
	}
	return nil
}
