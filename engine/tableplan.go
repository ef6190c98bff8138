package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planTables plans every table that the export delivers, the state knows or
// the configuration names.
func (e *Engine) planTables(ctx context.Context, p *Plan) error {
	tables := e.deliveries(p)
	for name := range p.snap.Tables {
		if _, ok := tables[name]; !ok {
			tables[name] = nil
		}
	}
	var resolved []*TablePlan
	for _, name := range sortedKeys(tables) {
		t, err := e.resolveTable(ctx, p, name, tables[name])
		if err != nil {
			return err
		}
		if t != nil {
			resolved = append(resolved, t)
		}
	}
	p.holdClashes(resolved)
	var foreign []error // of all tables: they are named at once
	for _, t := range resolved {
		t, err := e.planTable(ctx, p, t)
		if errors.As(err, new(*foreignError)) {
			foreign = append(foreign, err)
			continue
		}
		if err != nil {
			return err
		}
		if t != nil {
			p.Tables = append(p.Tables, t)
		}
	}
	if len(foreign) > 0 {
		return errors.Join(foreign...)
	}
	if err := e.planStrays(ctx, p, tables); err != nil {
		return err
	}
	return e.checkTargets(p)
}

// deliveries lists what the dumps list of each table, in their order, without what
// is skipped.
func (e *Engine) deliveries(p *Plan) map[string][]delivery {
	all := map[string][]delivery{}
	for i, d := range p.listing.Dumps {
		for _, en := range d.Entries {
			if e.skipped(d.ID, en.Name) {
				continue
			}
			list, ok := all[en.Name]
			if !ok { // most tables are in most dumps
				list = make([]delivery, 0, len(p.listing.Dumps)-i)
			}
			all[en.Name] = append(list, delivery{dump: d.ID, entry: en})
		}
	}
	return all
}

// checkTargets refuses a -target that names no table.
func (e *Engine) checkTargets(p *Plan) error {
	for _, t := range e.opts.Targets {
		if e.opts.Repair && t == "table."+tableMapping {
			continue // the mapping is there without a table of its own
		}
		if !slices.ContainsFunc(p.Tables, func(tp *TablePlan) bool { return "table."+tp.Name == t }) {
			return fmt.Errorf("-target=%s: no such table; targets are written table.NAME with the name of a real table", t)
		}
	}
	return nil
}

func (e *Engine) targeted(name string) bool {
	return len(e.opts.Targets) == 0 || slices.Contains(e.opts.Targets, "table."+name)
}

// resolveTable finds out what the configuration says of a table, of which all is
// delivered. It returns nil if nothing is to be planned for it.
func (e *Engine) resolveTable(ctx context.Context, p *Plan, name string, all []delivery) (*TablePlan, error) {
	t := &TablePlan{Name: name, old: p.snap.Tables[name], parts: p.snap.Partitions[name], all: all, outdated: outdatedBy(p.snap.Tables[name])}
	var err error
	if t.known, err = e.knownColumns(ctx, t); err != nil {
		return nil, err
	}
	delivered := p.names.note(t)
	if e.waitsForColumns(p, t, t.known) {
		return nil, nil
	}
	cfg, diags := e.cfg.Table(name, t.known)
	if e.broughtIn(t, diags) {
		return t.waits(p, e, diags), nil
	}
	p.diags = append(p.diags, diags...)
	if diags.HasErrors() {
		return nil, nil
	}
	t.cfg, delivered.Table = cfg, cfg
	return t, nil
}

// planTable plans one table. It returns no plan for a table that no block takes.
func (e *Engine) planTable(ctx context.Context, p *Plan, t *TablePlan) (*TablePlan, error) {
	if t.clash != "" {
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: t.clash})
		t.keep()
		return t.ifPublished(), nil
	}
	if held := e.unreachable(t); held != nil && distrusted(held) == nil {
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: held.Error()})
		t.keep()
		return t, nil
	}
	if t.cfg == nil {
		return e.planLeaving(ctx, p, t)
	}
	if !t.classify(t.known) {
		p.Holds = append(p.Holds, unidentified(t.Name, t.known))
		return nil, nil
	}
	if other := p.takenBy(t.cfg); other != "" {
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: fmt.Sprintf("its folder %s still holds the data of table %s, which has to leave it first; to swap two folders, move one table elsewhere by an apply of its own", t.cfg.Folder, other)})
		t.keep()
		return t, nil
	}
	if t.old != nil {
		t.RowsNow, t.PartitionsNow = t.old.Rows, len(t.parts)
	}
	if e.repairsOutdated(t) {
		t.repair = t.outdated
	}
	if p.unreadable != nil {
		p.Holds = append(p.Holds, p.unreadable.hold(t.Name))
		t.keep()
		return t, nil
	}
	holds, restated := len(p.Holds), len(p.restated)
	damage, err := e.knownDamage(ctx, p, t)
	if err == nil && len(damage) == 0 {
		err = e.planContent(ctx, p, t)
	}
	if bad := damagedObject(err); bad != nil {
		damage = append(damage, bad)
	}
	if d := distrusted(err); d != nil || len(damage) > 0 {
		p.Holds, p.restated = p.Holds[:holds], p.restated[:restated]
	}
	switch d := distrusted(err); {
	case d != nil:
		err = e.planDistrusted(ctx, p, t, d.why)
	case len(damage) > 0:
		err = e.planDamaged(ctx, p, t, damage)
	}
	if e.stopsTable(ctx, err) {
		p.Holds = append(p.Holds, Hold{Table: t.Name, Reason: err.Error()})
		t.keep()
		err = nil
	}
	return t, err
}

// waitsForColumns reports whether what is known of a table's columns does not yet
// tell how it would be taken, and says so in the plan. Only the columns tell which
// globs match it, so that its blocks cannot be judged before.
func (e *Engine) waitsForColumns(p *Plan, t *TablePlan, columns []string) bool {
	exact := slices.Contains(e.cfg.ExactTables(), t.Name)
	if t.classify(columns) || !exact && !e.takesEvents(t.Name) {
		return false
	}
	malformed := slices.IndexFunc(t.all, func(d delivery) bool { return d.entry.Problem != "" })
	switch {
	case t.unread != nil:
		p.Holds = append(p.Holds, *t.unread)
	case malformed >= 0:
		d := t.all[malformed]
		p.Holds = append(p.Holds, Hold{Table: t.Name, Dump: d.dump, Reason: d.entry.Problem})
	case !exact:
		return false
	case len(columns) == 0:
		p.Notices = append(p.Notices, fmt.Sprintf("table %s has been delivered without columns and without rows so far; it is taken once something is known of it", t.Name))
	default:
		p.Holds = append(p.Holds, unidentified(t.Name, columns))
	}
	return true
}

// unidentified is the hold of a table that lacks its key columns.
func unidentified(table string, columns []string) Hold {
	reason := "it delivers neither event_id nor session_id beside user_id: nothing identifies its rows; remove its block, and say ignore " + quoted(table) + " {} instead"
	for _, key := range []string{colUserID, colEventID, colSessionID} {
		if near := newKeyError(key, columns).near; near != "" && !slices.Contains(columns, key) && !feed.IsExact(near) {
			reason += fmt.Sprintf(" (%q is not %s: names of keys are exact)", near, key)
		}
	}
	return Hold{Table: table, Reason: reason}
}

// takenBy names the other table whose data lies where a table is to be, in one of
// its sinks; empty if there is none.
func (p *Plan) takenBy(cfg *config.Table) string {
	for _, name := range sortedKeys(p.snap.Tables) {
		if name == cfg.Name || len(p.snap.Partitions[name]) == 0 {
			continue
		}
		for _, at := range p.snap.Tables[name].Sinks {
			if strings.EqualFold(at.Folder, cfg.Folder) && slices.ContainsFunc(cfg.Sinks, func(s *config.Sink) bool { return s.Path == at.Root }) {
				return name
			}
		}
	}
	return ""
}

// keep makes the plan of a table one that leaves it as it is.
func (t *TablePlan) keep() {
	kept := TablePlan{Name: t.Name, cfg: t.cfg, kind: t.kind, key: t.key, old: t.old, parts: t.parts, outdated: t.outdated}
	if t.old != nil {
		kept.RowsNow, kept.PartitionsNow = t.old.Rows, len(t.parts)
	}
	*t = kept
}

// takesEvents reports whether a table would be taken if it delivered events.
func (e *Engine) takesEvents(name string) bool {
	if name == tableUsers || name == tableMapping || e.cfg.Ignored(name) {
		return false
	}
	cfg, _ := e.cfg.Table(name, []string{colUserID, colEventID})
	return cfg != nil
}

// classify finds the table's kind and key.
func (t *TablePlan) classify(columns []string) bool {
	switch t.Name {
	case tableUsers:
		t.kind, t.key = kindUsers, colUserID
		return true
	case tableMapping:
		t.kind, t.key = kindMapping, colFrom
		return true
	}
	t.kind, t.key = kindEvents, colEventID
	if t.Name == tableSessions || !slices.Contains(columns, colEventID) {
		t.key = colSessionID
	}
	return slices.Contains(columns, t.key) && slices.Contains(columns, colUserID)
}

// knownColumns lists what is known of the delivered columns: what the state
// has and what the manifests say. What is not applied yet is looked up in the headers
// of its files where its manifest has no list, or where no list has the keys and the
// time, which need not be in it.
func (e *Engine) knownColumns(ctx context.Context, t *TablePlan) ([]string, error) {
	out := stateNames(t.old)
	var bare, lists []delivery
	var last []string // most dumps list the same columns
	for _, d := range t.all {
		if !d.entry.HasColumns {
			bare = append(bare, d)
			continue
		}
		lists = append(lists, d)
		if !sameList(d.entry.Columns, last) {
			last = d.entry.Columns
			out = append(out, last...)
		}
	}
	for _, d := range bare {
		names, err := e.unappliedFields(ctx, t, d)
		if err != nil {
			return nil, err
		}
		if t.fields == nil {
			t.fields = map[int64][]string{}
		}
		t.fields[d.dump] = unique(names)
		out = append(out, names...)
	}
	if !t.lacksExact(out) {
		return unique(out), nil
	}
	for _, d := range lists {
		names, err := e.unappliedFields(ctx, t, d)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(names, func(n string) bool { return !feed.IsExact(n) })...)
	}
	return unique(out), nil
}

// stateNames are the delivered names that the state knows of a table.
func stateNames(old *state.Table) []string {
	if old == nil {
		return nil
	}
	var out []string
	if old.Kind != kindMapping {
		out = append(out, colUserID)
	}
	out = append(out, old.Key)
	for _, c := range old.Columns {
		if name := fold(c.Name); !old.ExactNames && feed.IsExact(name) {
			out = append(out, name)
			continue
		}
		out = append(out, c.Delivered)
	}
	return out
}

// lacksExact reports whether columns lack one that decides what the table is.
func (t *TablePlan) lacksExact(columns []string) bool {
	if t.Name == tableUsers || t.Name == tableMapping {
		return false
	}
	key := colEventID
	if t.Name == tableSessions {
		key = colSessionID
	}
	for _, name := range []string{colUserID, key, colTime} {
		if !slices.Contains(columns, name) {
			return true
		}
	}
	return false
}

// unappliedFields reads the names of the fields of a delivery's files, unless it is
// applied. A file that cannot be read holds the table where the files are read, or
// here if nothing else says what the table is like.
func (e *Engine) unappliedFields(ctx context.Context, t *TablePlan, d delivery) ([]string, error) {
	if t.old != nil && slices.ContainsFunc(t.old.Applied, func(a state.Applied) bool { return a.Digest == d.entry.Digest }) {
		return nil, nil
	}
	var out []string
	for _, f := range d.entry.Files {
		h, err := readHeader(ctx, e.source, f.Key)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if dump.Unavailable(err) {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		if err != nil {
			t.unread = &Hold{Table: t.Name, Dump: d.dump, File: f.Key, Reason: err.Error()}
			continue
		}
		out = append(out, fieldNames(h)...)
	}
	return out, nil
}

// sameList is slices.Equal, where lists are mostly one and the same.
func sameList(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// unique returns names without those that repeat.
func unique(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		had := seen[n]
		seen[n] = true
		return had
	})
}

// planLeaving plans a table that no block takes (any more).
func (e *Engine) planLeaving(ctx context.Context, p *Plan, t *TablePlan) (*TablePlan, error) {
	if t.old == nil && slices.Contains(p.strays(), t.Name) {
		return t, e.planStray(ctx, p, t)
	}
	if t.old == nil {
		if !e.cfg.Ignored(t.Name) {
			p.Unclaimed = append(p.Unclaimed, t.Name)
		}
		return nil, nil
	}
	if held, err := e.leavingOlder(ctx, p, t); held || err != nil {
		return t, err
	}
	t.kind, t.RowsNow, t.PartitionsNow = t.old.Kind, t.old.Rows, len(t.parts)
	t.Action = Destroy
	for _, r := range e.cfg.Removed {
		if r.Table == t.Name && !r.Destroy {
			t.Action, t.Removes = Forget, nil
		}
	}
	if t.Action == Destroy {
		for _, s := range t.old.Sinks {
			t.destroys("its files", s, keepForgotten(t.Name))
		}
	}
	if !e.targeted(t.Name) {
		t.Action, t.Destroys, t.Behind = None, nil, true
	}
	return t, nil
}

// planContent plans what happens to the content of a table.
func (e *Engine) planContent(ctx context.Context, p *Plan, t *TablePlan) error {
	begin := e.planStanding
	if t.repair != "" {
		begin = e.planRepair
	}
	if err := begin(ctx, p, t); err != nil {
		return err
	}
	if t.old != nil {
		e.planChange(p, t)
	}
	if t.kind == kindMapping {
		e.planMappingTable(p, t)
	} else if err := e.planDumps(ctx, p, t); err != nil {
		return err
	} else if err := e.noteNames(ctx, p, t); err != nil {
		return err
	}
	if err := e.planRemap(ctx, p, t); err != nil {
		return err
	}
	if t.old != nil {
		if err := e.planRebuild(ctx, p, t); err != nil {
			return err
		}
	}
	t.settle()
	if !e.targeted(t.Name) && t.Action != None {
		t.Behind, t.Action = true, None
	}
	if t.Action == None {
		return nil
	}
	if err := e.canPublish(ctx, t); err != nil {
		return err
	}
	t.estimate(e.lim)
	if e.opts.Exact && !p.inexact {
		return e.measure(ctx, p, t)
	}
	return nil
}

// settle names the action.
func (t *TablePlan) settle() {
	switch {
	case t.old == nil && len(t.pending) > 0:
		t.Action = Create
	case t.old == nil:
		t.Action = None
	case t.Change.Class == ClassRebuild:
		t.Action = Rebuild
	case len(t.pending) > 0 || t.remap || t.Change.Class != ClassNone:
		t.Action = Update
	}
}

// planMappingTable plans user_migrations as a table: it follows the mapping.
func (e *Engine) planMappingTable(p *Plan, t *TablePlan) {
	if t.repair != "" {
		return // the repair itself goes by the mapping in force
	}
	if p.standing == nil {
		t.remap = t.old != nil && t.old.HasMapping // it is withdrawn
		return
	}
	if !t.standsAt(p.standing) {
		t.pending = []delivery{mappingDelivery(p)}
		t.Dumps = []DumpStep{{Dump: p.standing.Dump}}
	}
}

// standsAt reports whether user_migrations shows a mapping. One dump can have had
// two: its manifest or its files may have changed. Masks rewrite quarantined rows,
// but not their number.
func (t *TablePlan) standsAt(m *state.Mapping) bool {
	if t.old == nil || m.Ref.IsZero() {
		return false
	}
	bad := int64(0)
	for _, q := range t.old.Quarantine {
		bad += q.Ref.Rows
	}
	return t.old.MappingDump == m.Dump && t.old.Mapping.Digest == m.Ref.Digest && bad == m.Quarantine.Rows
}

// planRemap finds out whether the mapping that the table stands at differs.
func (e *Engine) planRemap(ctx context.Context, p *Plan, t *TablePlan) (err error) {
	if t.old == nil || t.kind == kindMapping || t.repair+t.rewrite != "" {
		return nil
	}
	if t.oldMapping, err = e.closureOf(ctx, p, t.old.Mapping); err != nil {
		return err
	}
	if t.oldMapping == p.closure {
		return nil
	}
	t.Rekeyed = len(identity.Diff(t.oldMapping, p.closure))
	t.remap = t.Rekeyed > 0
	return nil
}

// holdOfKey marks the pin of a file that lacks a key of the table.
const holdOfKey = "key "

// holdPin identifies why a file holds a table: its content, and for a value that
// does not cast also what the column is, for a key that it lacks which.
func holdPin(pin string, err error) string {
	var cast *castError
	var key *keyError
	if errors.As(err, &key) {
		return pin + "\n" + holdOfKey + key.key
	}
	if errors.As(err, &cast) {
		return pin + "\n" + ruleText(cast.rule) + "\n" + cast.column
	}
	return pin
}

// stillBad reports whether what holdPin gave still holds the table: not after
// the file changed, nor after the configuration of its column did.
func (t *TablePlan) stillBad(held, pin string) bool {
	was, cast, ok := strings.Cut(held, "\n")
	if was != pin || !ok {
		return was == pin
	}
	if key, ok := strings.CutPrefix(cast, holdOfKey); ok {
		return key == colUserID || key == t.key
	}
	rule, name, _ := strings.Cut(cast, "\n")
	c := t.cfg.Column(name)
	return t.cfg.OnCastError == "fail" && t.cfg.Takes(name) && c.Mask == config.MaskNone && ruleText(c.Rule) == rule
}

// bytesNow is what the table takes in its sinks or, when none is left, in what it
// is made from.
func (t *TablePlan) bytesNow() int64 {
	n := int64(0)
	for _, p := range t.parts {
		for _, f := range p.Files {
			n += f.Size
		}
	}
	switch {
	case n > 0 || t.old == nil:
		return n
	case t.kind == kindUsers:
		return t.old.Users.Size
	}
	return t.rereads
}

// What is spilled takes about so much of scratch_dir, by the bytes of the files
// that it comes from.
const (
	scratchOfAvro    = 1.2
	scratchOfParquet = 2
	rowsOfFile       = 2 // in memory
)

// scratchOf estimates what a pass takes in scratch_dir: nothing if its rows fit in
// memory. Stored rows are spilled where all rows are judged anew, because whole
// says so or as the pending ones are too many for the delta path.
func scratchOf(lim limits, stored, pending int64, whole bool) int64 {
	fits := int64(lim.memory / 2)
	if !whole && pending*rowsOfFile <= fits {
		return 0
	}
	if (stored+pending)*rowsOfFile <= fits {
		return 0
	}
	return int64(scratchOfAvro*float64(pending) + scratchOfParquet*float64(stored))
}

// estimate fills in what an apply would write, without decoding rows.
func (t *TablePlan) estimate(lim limits) {
	now := t.bytesNow()
	in, whole := int64(0), t.old == nil || t.Change.Class >= ClassRewrite
	for _, d := range t.Dumps {
		in += d.Bytes
		whole = whole || d.Resync
	}
	t.Scratch = scratchOf(lim, now, in, whole)
	switch {
	case t.old == nil || t.Change.Class == ClassRebuild || t.Change.Class == ClassRewrite:
		t.Partitions, t.BytesToWrite = int64(len(t.parts)), now+in
	case len(t.pending) > 0 || t.remap:
		t.Partitions = min(int64(len(t.parts)), int64(max(1, len(t.Dumps)*2)))
		if n := int64(len(t.parts)); n > 0 {
			t.BytesToWrite = now*t.Partitions/n + in
		}
	}
	if t.cfg != nil && t.kind == kindEvents && t.old == nil {
		t.Partitions = 0
	}
}
