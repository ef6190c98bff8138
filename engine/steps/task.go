package steps

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/objects"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// TaskStep is what tasks and records call a step of a kind.
func TaskStep(kind plan.StepKind) exec.Step {
	if kind == plan.StepTake {
		return exec.StepDumps
	}
	return exec.StepConfig
}

// makeTask makes the task of a step, under the name of an attempt. serial is that of
// the commit that it will probably become.
func (m *Maker) makeTask(ctx context.Context, o Order, s *Step, attempt string, serial uint64) (err error) {
	p, t := o.Plan, o.Table
	task := &exec.Task{Version: exec.FormatVersion, Attempt: attempt, Table: s.Definition.Name, Kind: s.kind, Key: s.key, Step: TaskStep(s.planned.Kind), Base: s.base,
		Schema: s.schema, Floor: s.floor, ETags: m.Tagged, Thresholds: m.Sizes, StandIns: o.StandIns,
		Formats: exec.CurrentFormats(), Objects: objectsIn(m.Limits.Scratch)}
	if s.Takes() {
		task.FailCasts, task.Frozen = s.Definition.OnCastError == "fail", true
	}
	if task.Plan = p.SavedDigests[t.Name]; p.SavedDigests == nil {
		if task.Plan, err = p.DigestOf(t.Name); err != nil {
			return err
		}
	}
	for _, sk := range s.sinksInOrder() {
		form, err := m.Lake.Describe(ctx, sk, s.Definition.Folder, s.old)
		if err != nil {
			return fmt.Errorf("table %s: %w", s.Definition.Name, err)
		}
		task.Sinks = append(task.Sinks, exec.Target{Root: sk.Path, Folder: form.Folder, Compression: form.Compression, Encodings: form.Encodings})
	}
	for _, d := range s.Pending {
		data, err := deliveryData(&d, p, s.claims[d.Dump])
		if err != nil {
			return err
		}
		task.Deliveries = append(task.Deliveries, data)
	}
	for _, id := range slices.Sorted(maps.Keys(s.compared)) {
		if s.compared[id] {
			task.Compared = append(task.Compared, id)
		}
	}
	if s.old != nil {
		if err := s.store(task); err != nil {
			return fmt.Errorf("table %s: %w", s.Definition.Name, err)
		}
	}
	task.Dumps = dumpsOf(task)
	s.permit(task, m.NoDelta)
	task.Fresh = s.fresh
	if s.Takes() && !m.NoDelta {
		if task.Redelivery, err = redelivery(t, task); err != nil {
			return err
		}
	}
	task.Footer = map[string]string{"version": m.Program, "table": s.Definition.Name, "commit": fmt.Sprint(serial + 1)}
	task.Source = m.Source.Root()
	if n := len(task.Dumps); n > 0 {
		task.Footer["dump"] = fmt.Sprint(task.Dumps[n-1])
	}
	s.Task, s.Env = task, m.envOf(s, task)
	return s.nameMappings()
}

// objectsIn is the place for new objects in the scratch folder of a command, which goes
// with all that is in it.
func objectsIn(scratch string) string { return filepath.Join(scratch, "objects") }

// deliveryData describes a delivery as a task has it.
func deliveryData(d *planner.Delivery, p *planner.Session, c partfile.Claims) (exec.Delivery, error) {
	out := exec.Delivery{Dump: d.Dump, Digest: d.Entry.Digest, Incremental: d.Entry.Incremental, Again: d.Again,
		Columns: d.Entry.Columns, HasColumns: d.Entry.HasColumns, Claims: c}
	files := exec.NewFiles(p.Listing.Texts)
	for f, err := range planner.FilesOf(p, d.Entry) {
		if err != nil {
			return out, err
		}
		files.Add(exec.SourceFile{Key: f.Key, Size: f.Size, Pin: f.Pin})
	}
	var err error
	out.Files, err = files.Files()
	return out, err
}

// store gives a task what the table has.
func (s *Step) store(task *exec.Task) error {
	old := s.old
	out := &exec.Stored{Key: old.Key, ExactNames: old.ExactNames, Rows: old.Rows, ReadFrom: s.readFrom, Generation: old.Generation,
		NextOrdinal: old.NextOrdinal, Users: exec.Ref(old.Users), Spelled: old.Spelling, Rules: old.Rules}
	for _, a := range old.Applied {
		task.Applied = append(task.Applied, exec.Applied(a))
	}
	for _, c := range old.Columns {
		known, err := columnOf(c)
		if err != nil {
			return err
		}
		out.Columns = append(out.Columns, known)
	}
	for _, sk := range old.Sinks {
		out.Sinks = append(out.Sinks, sk.Root)
	}
	for _, ref := range old.Index {
		out.Index = append(out.Index, exec.Ref(ref))
	}
	for _, ref := range old.UserRuns {
		out.UserRuns = append(out.UserRuns, exec.Ref(ref))
	}
	for _, q := range old.Quarantine {
		out.Quarantine = append(out.Quarantine, exec.DumpRef{Dump: q.Dump, Ref: exec.Ref(q.Ref)})
	}
	if old.Content != nil {
		c := exec.Content(*old.Content)
		out.Content = &c
	}
	for _, r := range old.Read {
		read := exec.Read{Dump: r.Dump, Files: make([]exec.ReadFile, len(r.Files))}
		for i, f := range r.Files {
			read.Files[i] = exec.ReadFile(f)
		}
		out.Read = append(out.Read, read)
	}
	out.Partitions = partitionData(s.oldParts)
	task.Stored = out
	return nil
}

// partitionData describes partitions as a task has them.
func partitionData(parts []*state.Partition) []exec.Partition {
	out := make([]exec.Partition, 0, len(parts))
	for _, p := range parts {
		x := exec.Partition{Ordinal: p.Ordinal, Value: p.Value, Null: p.Null, Rows: p.Rows, Shadow: exec.Ref(p.Shadow), Newest: p.Newest}
		x.Files = make([]exec.File, 0, len(p.Files))
		for _, f := range p.Files {
			x.Files = append(x.Files, exec.File{Sink: f.Sink, Path: f.Path, Size: f.Size, Rows: f.Rows, Digest: f.Digest, Pin: f.Pin, Appended: f.Appended})
		}
		out = append(out, x)
	}
	return out
}

// dumpsOf lists the dumps of a task, sorted: the place of one is its rank.
func dumpsOf(t *exec.Task) []int64 {
	seen := map[int64]bool{}
	for _, a := range t.Applied {
		seen[a.Dump] = true
	}
	for _, d := range t.Deliveries {
		seen[d.Dump] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// permit says how a task may be carried out. Where a resync makes all stored rows void
// they are not read.
func (s *Step) permit(t *exec.Task, noDelta bool) {
	if s.planned.Class == plan.ClassMetadata && s.kind != feed.KindMapping {
		t.Permitted.Metadata = true
		return
	}
	t.Permitted.Bulk = true
	t.Permitted.Copy = s.onlySinks && !s.Takes()
	t.Permitted.Delta = s.Takes() && s.old != nil && !s.fresh && !noDelta && !s.resyncs() && s.kind != feed.KindMapping
	if !t.Permitted.Delta && s.old != nil && s.floor != rules.AllLive && s.kind == feed.KindEvents && t.AllVoid() {
		s.fresh = true
	}
}

// redelivery returns what the only delivery may repeat, judged by what is known without
// reading: nil for most, as their files have other sizes.
func redelivery(t *planner.Table, task *exec.Task) (*exec.Redelivery, error) {
	if task.Kind == feed.KindMapping || task.Stored == nil || len(task.Deliveries) != 1 {
		return nil, nil
	}
	d := &task.Deliveries[0]
	c := task.Stored.ContentOf(task.Applied)
	// A table that does not rescue judges every dump when it comes: the first may
	// have come before that was said.
	if c == nil || task.FailCasts || d.Again || !d.Incremental || d.Dump < c.Dump {
		return nil, nil
	}
	var sizes []int64
	for f, err := range d.Files.All() {
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, f.Size)
	}
	if partfile.ContentFingerprint(d.Columns, d.HasColumns, sizes) != c.Fingerprint {
		return nil, nil
	}
	out := &exec.Redelivery{Of: c.Dump, Dump: d.Dump, Content: *c}
	last := task.Applied[len(task.Applied)-1]
	if i := t.DeliveryOf(c.Dump); i >= 0 && t.All[i].Entry.Digest == last.Digest {
		out.Known = true
		var err error
		if out.Files, err = t.All[i].Entry.Files.Texts(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// envOf returns what a task's executor is given beside it.
func (m *Maker) envOf(s *Step, t *exec.Task) *exec.Env {
	env := &exec.Env{Source: m.Source, Sinks: map[string]exec.Sink{}, Objects: objects.Objects{State: m.Store, Made: &s.made}, Limits: m.Limits, Compute: s.compute, Key: func(verifier string) []byte { return m.Key(verifier) },
		Events: exec.Events{Progress: func(p exec.Progress) { m.Progress(t.Table, p) }}}
	if t.Stored != nil {
		for _, root := range t.Stored.Sinks {
			env.Sinks[root] = m.Lake.Sink(root)
		}
	}
	for _, target := range t.Sinks {
		env.Sinks[target.Root] = m.Lake.Sink(target.Root)
	}
	if t.StandIns != nil {
		env.Sinks[t.StandIns.Root] = m.Lake.Sink(t.StandIns.Root)
	}
	return env
}

// nameMappings says at which mappings the stored rows and the result stand.
func (s *Step) nameMappings() error {
	known := &knownMappings{mappings: map[string]*identity.Mapping{}, closures: map[string]*identity.Closure{}}
	s.Env.Mappings = known
	if s.old != nil && !s.old.Mapping.IsZero() && s.oldMapping != nil {
		s.Task.OldMapping = &exec.Mapping{Dump: s.old.MappingDump, Ref: exec.Ref(s.old.Mapping)}
		known.closures[s.old.Mapping.Digest] = s.oldMapping
	}
	if s.mapping == nil {
		return nil
	}
	m := &exec.Mapping{Dump: s.mapping.Dump, Ref: exec.Ref(s.mapping.Ref), Quarantine: exec.Ref(s.mapping.Quarantine), Rules: s.mapping.Rules}
	if m.Ref.IsZero() && s.full != nil { // of a plan, which stores nothing
		var err error
		if m.Ref.Digest, err = digestOfMapping(s.full); err != nil {
			return err
		}
	}
	s.Task.NewMapping = m
	known.mappings[m.Ref.Digest], known.closures[m.Ref.Digest] = s.full, s.newMapping
	return nil
}

// sinksInOrder lists the sinks of the table: first those that it is in already, in
// the order in which the state has them, as files are noted by their sink's place
// in it.
func (s *Step) sinksInOrder() []definition.Sink {
	out := slices.Clone(s.Definition.Sinks)
	if s.old == nil {
		return out
	}
	place := func(sk definition.Sink) int {
		i := s.old.SinkAt(sk.Path)
		if i < 0 {
			return len(s.old.Sinks)
		}
		return i
	}
	slices.SortStableFunc(out, func(a, b definition.Sink) int { return cmp.Compare(place(a), place(b)) })
	return out
}
