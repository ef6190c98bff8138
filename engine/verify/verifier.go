package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
	"reconcile/engine/work"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/errclass"
	"reconcile/internal/feed"
	"reconcile/internal/near"
	"reconcile/internal/shell"
	"reconcile/state"
)

// Verifier is what tables are verified with.
type Verifier struct {
	Source *dump.Source
	Lake   *lake.Lake
	Budget exec.Budget
	// Unit is what plain numbers count in the times of the mapping.
	Unit column.TimeUnit
	// Place is where the state is, as messages name it.
	Place string
	// Check fails if a view of the state is not of the sinks that are to be read.
	Check func(ctx context.Context, snap *state.Snapshot) error
	// Load reads the state as it is now. The caller closes what it gives.
	Load func(ctx context.Context) (*state.Snapshot, error)
	// Key returns the key of a mask by its verifier, nothing if the configuration lacks it.
	Key func(verifier string) []byte
	// Partition reads the text of a partitioning.
	Partition func(text string) (definition.Partition, error)
	// StateMapping gives the entries of a mapping that the state keeps.
	StateMapping func(ctx context.Context, ref state.Ref, each func(from, to int64, time *int64)) error
	// Scratch makes a folder for what does not fit into memory; remove removes it.
	Scratch func() (dir string, remove func(), err error)
	// Meter is told how much work there is, and what of it is done.
	Meter *work.Meter
	// Pause is how long an apply that is about to make a commit visible is waited for at a
	// time; 0 stands for the default.
	Pause time.Duration
}

// Options say what is verified.
type Options struct {
	Sample Sample
	Tables []string // none for all
}

const (
	// mostTries is how often a table is read again because an apply changed it meanwhile.
	mostTries = 5
	// mostPauses is how often an apply that is making a commit visible is waited for.
	mostPauses   = 120
	defaultPause = 500 * time.Millisecond
)

// run is one run of a Verifier.
type run struct {
	v       *Verifier
	sample  Sample
	listing *dump.Listing
	piles   *piles
	sizes   *sizes
	loads   map[string]load // by table
	people  *people         // by the mapping that was read last from the source
	mapped  *state.Table    // for which it was
}

// Verify compares tables with the source.
func (v *Verifier) Verify(ctx context.Context, o Options) (_ *Report, err error) {
	r := &run{v: v, sample: o.Sample, piles: &piles{scratch: v.Scratch, limit: v.Budget.Segments()}, loads: map[string]load{}}
	defer r.piles.close()
	if r.listing, err = v.Source.List(ctx); err != nil {
		return nil, err
	}
	r.sizes = &sizes{source: r.source(), known: map[int64]map[string]volume{}}
	names, err := v.names(ctx, o.Tables)
	if err != nil {
		return nil, err
	}
	if err := r.announce(ctx, names); err != nil {
		return nil, err
	}
	report := &Report{Sample: o.Sample}
	for _, name := range names {
		t, err := r.settled(ctx, name)
		v.Meter.End(name)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		if t != nil {
			report.Tables = append(report.Tables, t)
		}
	}
	return report, nil
}

// names are the tables of the state that are asked for.
func (v *Verifier) names(ctx context.Context, asked []string) (_ []string, err error) {
	snap, err := v.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if err := v.Check(ctx, snap); err != nil {
		return nil, err
	}
	all := slices.Sorted(maps.Keys(snap.Tables))
	if len(all) == 0 {
		return nil, fmt.Errorf("the state %s has no table: nothing was applied, or it is not the state of these sinks", v.Place)
	}
	if len(asked) == 0 {
		return all, nil
	}
	for _, name := range asked {
		if snap.Tables[name] == nil {
			hint := ""
			if n := near.Name(name, all); n != "" {
				hint = fmt.Sprintf(" (did you mean table.%s?)", n)
			}
			return nil, fmt.Errorf("the state has no table %s%s", name, hint)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(asked))), nil
}

// settled verifies a table as it is at one moment: if an apply commits it meanwhile, what
// was found may be of neither moment, and the table is looked at again.
func (r *run) settled(ctx context.Context, name string) (*Table, error) {
	pauses := 0
	for try := 1; ; try++ {
		snap, err := r.v.Load(ctx)
		if err != nil {
			return nil, err
		}
		record := snap.Tables[name]
		if record == nil { // an apply removed it
			return nil, snap.Close()
		}
		if why := unsettled(snap, name); why != "" {
			if err := snap.Close(); err != nil {
				return nil, err
			}
			if pauses++; pauses > mostPauses || snap.Lost[name] != nil {
				return &Table{Name: name, Commit: record.Commit, Unverified: why}, nil
			}
			if err := r.pause(ctx); err != nil {
				return nil, err
			}
			try--
			continue
		}
		t, err := r.tableOf(ctx, record, snap.Partitions[name])
		changed := errclass.Of(err) == errclass.Changed
		if err := snap.Close(); err != nil {
			return nil, err
		}
		switch {
		case err != nil && !changed:
			return nil, err
		case err == nil && !(&Report{Tables: []*Table{t}}).Differs():
			return t, nil
		}
		same, errNow := r.sameCommit(ctx, name, record.Commit)
		switch {
		case errNow != nil:
			return nil, errNow
		case same && err == nil:
			return t, nil
		case try == mostTries && changed && same:
			return nil, err
		case try == mostTries:
			return &Table{Name: name, Commit: record.Commit, Unverified: "applies committed it again and again while it was read"}, nil
		}
	}
}

func (r *run) pause(ctx context.Context) error {
	d := r.v.Pause
	if d == 0 {
		d = defaultPause
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// unsettled says why files of a table may be of two commits, empty if they are not.
func unsettled(snap *state.Snapshot, name string) string {
	if snap.Lost[name] != nil {
		return "its last commit could not be made visible: the next apply writes it anew"
	}
	if slices.ContainsFunc(snap.Publishes, func(p *state.Publish) bool { return p.Table == name }) {
		return "its last commit is not wholly visible yet: an apply is at it, or the next one goes on"
	}
	return ""
}

// sameCommit reports whether a table is still at a commit, and that wholly visible.
func (r *run) sameCommit(ctx context.Context, name string, commit uint64) (bool, error) {
	snap, err := r.v.Load(ctx)
	if err != nil {
		return false, err
	}
	t := snap.Tables[name]
	same := t != nil && t.Commit == commit && unsettled(snap, name) == ""
	return same, snap.Close()
}

// isOld reports whether an earlier version wrote a table by rules of its own.
func isOld(t *state.Table) bool {
	return t.Kind != feed.KindMapping && (!t.ExactNames || t.Rules < rules.ContentVersion)
}

// tableOf verifies a table as the state has it.
func (r *run) tableOf(ctx context.Context, t *state.Table, parts []*state.Partition) (*Table, error) {
	out := &Table{Name: t.Name, Commit: t.Commit}
	if t.HasMapping {
		out.Mapping = &t.MappingDump
	}
	if isOld(t) {
		out.Unverified = "an earlier version wrote it by its own rules for names, ids and times: `reconcile apply -repair " + shell.Word("-target=table."+t.Name) + "` writes it anew"
		return out, nil
	}
	j, err := r.job(ctx, t, parts, out)
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case feed.KindMapping:
		err = j.mapping(ctx)
	case feed.KindUsers:
		err = j.users(ctx)
	default:
		err = j.events(ctx)
	}
	return out, err
}

// source is where part files are read.
func (r *run) source() *source {
	return &source{dumps: r.v.Source, listing: r.listing, limits: partfile.Limits(r.v.Budget), workers: r.v.Budget.Workers(), key: r.v.Key}
}

// job prepares the verification of a table.
func (r *run) job(ctx context.Context, t *state.Table, parts []*state.Partition, out *Table) (*job, error) {
	events, w, err := r.begin(ctx, t, parts)
	if err != nil {
		return nil, err
	}
	j := &job{source: r.source(), lake: r.v.Lake, piles: r.piles, sample: r.sample, tell: events, load: w, part: int64(r.v.Budget.FileRowGroup()), out: out}
	j.source.tell = func(rows, bytes int64) {
		j.read.Add(rows)
		events.Progress(exec.Progress{Phase: exec.Reading, Rows: rows, Bytes: bytes, Work: w.workOfReading(rows, bytes)})
	}
	partition, err := r.v.Partition(t.PartitionBy)
	if err != nil {
		return nil, err
	}
	if j.people, out.MappingGone, err = r.peopleOf(ctx, t, events, &w); err != nil {
		return nil, err
	}
	if j.a, out.Uncompared, err = newApplied(t, parts, partition, r.v.Key); err != nil {
		return nil, err
	}
	for _, s := range t.Sinks {
		out.Sinks = append(out.Sinks, &Sink{Root: s.Root})
	}
	return j, nil
}

// peopleOf says who is one user for a table. Tables that stand at the same mapping share it.
func (r *run) peopleOf(ctx context.Context, t *state.Table, events exec.Events, w *load) (*people, string, error) {
	if r.knows(t) {
		return r.people, "", nil
	}
	r.people, r.mapped = nil, nil
	src := r.source()
	src.tell = func(_, bytes int64) {
		events.Progress(exec.Progress{Phase: exec.Reading, Bytes: bytes, Work: w.workOfMapping(bytes)})
	}
	p, gone, err := peopleOf(ctx, src, t, r.v.Unit, r.v.StateMapping)
	if err == nil && gone == "" {
		r.people, r.mapped = p, t
	}
	return p, gone, err
}

// knows reports whether the mapping of a table was read for the one before.
func (r *run) knows(t *state.Table) bool { return r.mapped != nil && sameMapping(r.mapped, t) }

func sameMapping(a, b *state.Table) bool {
	return a.HasMapping == b.HasMapping && a.MappingDump == b.MappingDump
}

// announce says how much work all tables are, before any of them is read.
func (r *run) announce(ctx context.Context, names []string) (err error) {
	snap, err := r.v.Load(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	var before *state.Table
	for _, name := range names {
		t := snap.Tables[name]
		if t == nil || isOld(t) {
			continue
		}
		w, err := r.loadOf(ctx, t, snap.Partitions[name])
		if err != nil {
			return err
		}
		work := w.work()
		if before == nil || !sameMapping(before, t) {
			work += w.workOfMapping(w.mapping.all)
		}
		r.v.Meter.Step(name, work, 0)
		before = t
	}
	return nil
}

// begin says that it is the turn of a table, and how much work that is.
func (r *run) begin(ctx context.Context, t *state.Table, parts []*state.Partition) (exec.Events, load, error) {
	w, err := r.loadOf(ctx, t, parts)
	work := w.work()
	if !r.knows(t) {
		work += w.workOfMapping(w.mapping.all)
	}
	r.v.Meter.Step(t.Name, work, 0)
	r.v.Meter.Turn(t.Name)
	return exec.Events{Progress: func(p exec.Progress) { r.v.Meter.Tell(t.Name, p) }}, w, err
}

// loadOf is the load of a table, which is found out once for each commit of it.
func (r *run) loadOf(ctx context.Context, t *state.Table, parts []*state.Partition) (w load, err error) {
	if w, ok := r.loads[t.Name]; ok && w.commit == t.Commit {
		return w, nil
	}
	w, err = loadOf(ctx, r.sizes, t, parts, r.sample)
	w.judges = judges(w.delivered.all, w.workers, r.piles.limit)
	r.loads[t.Name] = w
	return w, err
}
