package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// planDrift compares what the sinks hold with what the state says they do. A
// foreign data file is an error: it would be counted by every reader. A file
// that is missing, or whose digest is another, has the table written anew.
// With must, -refresh=false does not keep it from looking.
func planDrift(ctx context.Context, p *Session, t *Table, must bool) (err error) {
	t.LostCommit, t.touched = nil, nil
	if lost := p.Snap.Lost[t.Name]; lost != nil {
		t.LostCommit = lost.Fork()
	}
	if asksNoSink(p) && t.LostCommit != nil {
		t.Drift = append(t.Drift, t.LostCommit.Why)
		return nil
	}
	// After a lost commit the state does not know what the sink holds.
	if t.LostCommit == nil && p.Blind && !must {
		return nil
	}
	have, err := listFolders(ctx, p, t)
	if err != nil {
		return err
	}
	underWay := p.filesUnderWay(t.Name)
	for at := range underWay {
		have[at.Root].pass(at.Path)
	}
	for _, part := range t.Parts {
		for _, f := range part.Files {
			if underWay[sinks.Place{Root: t.Old.Sinks[f.Sink].Root, Path: f.Path}] {
				continue
			}
			if err := t.compare(ctx, have[t.Old.Sinks[f.Sink].Root], f); err != nil {
				return err
			}
		}
	}
	if t.LostCommit != nil {
		t.Drift = append(t.Drift, t.LostCommit.Why)
		for i := range t.LostCommit.Left {
			s := &t.LostCommit.Left[i]
			if err := have[s.Sink].repin(ctx, s); err != nil {
				return err
			}
		}
	}
	return foreignFiles(t.Name, p.Objects.Place(), p.Snap.RemovedTables[t.Name], have)
}

// filesUnderWay are those that a commit which is being made visible moves or removes:
// they count as they were and as they will be, or not there.
func (p *Session) filesUnderWay(table string) map[sinks.Place]bool {
	var out map[sinks.Place]bool
	for _, pub := range p.Snap.Publishes {
		if pub.Table != table {
			continue
		}
		out = map[sinks.Place]bool{}
		for _, s := range pub.Steps {
			out[sinks.Place{Root: s.Sink, Path: s.Path}] = true
		}
	}
	return out
}

// pass accounts for a file, if it is there, whatever it holds.
func (l *listing) pass(path string) {
	if l == nil {
		return
	}
	if i, ok := l.find(path); ok {
		l.taken[i] = true
	}
}

// listing is what a sink holds in the folders of a table.
type listing struct {
	sink  sinks.Sink
	same  bool           // the table's files are as the state knows them, and not listed
	files []sinks.Object // by path
	taken []bool         // those that are accounted for
	next  int            // the one after the last that was: files are mostly asked for in order
}

// listFolders lists where a table is and where it is to be, by root.
func listFolders(ctx context.Context, p *Session, t *Table) (map[string]*listing, error) {
	out := map[string]*listing{}
	t.Fingerprinted = true
	for _, at := range FoldersOf(t) {
		sk, err := p.Lake.Open(ctx, at.Root)
		if err != nil {
			return nil, err
		}
		objs, same, err := t.list(ctx, sk, at)
		if err != nil {
			return nil, fmt.Errorf("table %s: listing %s in %s: %w", t.Name, at.Path, at.Root, err)
		}
		if l := out[at.Root]; l != nil {
			l.files, l.same = append(l.files, objs...), l.same || same
		} else {
			out[at.Root] = &listing{sink: sk, files: objs, same: same}
		}
	}
	for _, l := range out {
		byPath := func(a, b sinks.Object) int { return strings.Compare(a.Path, b.Path) }
		if !slices.IsSortedFunc(l.files, byPath) {
			slices.SortFunc(l.files, byPath)
		}
		l.taken = make([]bool, len(l.files))
	}
	return out, nil
}

// foreignError says that the folders of a table hold data files that the state does not
// know.
type foreignError struct {
	table string
	state string
	files []sinks.Place
	// forgotten says that the state has had the table, and let its files stay.
	forgotten bool
}

func (f *foreignError) Error() string {
	names := make([]string, len(f.files))
	for i, at := range f.files {
		names[i] = at.Root + "/" + at.Path
	}
	if f.forgotten {
		return fmt.Sprintf("table %s: %s that the state %s does not know any more: %s; a removed block had it forget the table and keep its files; readers would count their rows; move them away, or delete them, and the table is made anew from the source",
			f.table, amount.Of(len(f.files), "data file"), f.state, strings.Join(amount.Few(names), ", "))
	}
	return fmt.Sprintf("table %s: %s that the state %s does not know: %s; readers would count %s rows; move %s away, or bring back the state that wrote %[6]s",
		f.table, amount.Of(len(f.files), "data file"), f.state, strings.Join(amount.Few(names), ", "),
		amount.Verb(len(f.files), "its", "their"), amount.Verb(len(f.files), "it", "them"))
}

// in reports whether a sink has such files.
func (f *foreignError) in(root string) bool {
	return f != nil && slices.ContainsFunc(f.files, func(at sinks.Place) bool { return at.Root == root })
}

func foreignFiles(table, state string, forgotten bool, have map[string]*listing) error {
	var foreign []sinks.Place
	for root, l := range have {
		for i, o := range l.files {
			if !l.taken[i] && strings.HasSuffix(o.Path, ".parquet") {
				foreign = append(foreign, sinks.Place{Root: root, Path: o.Path})
			}
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	slices.SortFunc(foreign, sinks.Place.Compare)
	return &foreignError{table, state, foreign, forgotten}
}

// take accounts for a file of which digest and pin are known. It returns those of what
// is there if the pin is another one, and whether anything is there.
func (l *listing) take(ctx context.Context, path, known, pin string) (digest, now string, there bool, err error) {
	if l.same {
		return "", pin, true, nil
	}
	i, ok := l.find(path)
	if !ok || l.taken[i] {
		return "", pin, false, nil
	}
	l.taken[i], l.next = true, i+1
	obj := l.files[i]
	if obj.Pin == pin {
		return "", pin, true, nil
	}
	digest, err = l.sink.Digest(ctx, path, known)
	return digest, obj.Pin, true, err
}

func (l *listing) find(path string) (int, bool) {
	if l.next < len(l.files) && l.files[l.next].Path == path {
		return l.next, true
	}
	return slices.BinarySearchFunc(l.files, path, func(o sinks.Object, p string) int { return strings.Compare(o.Path, p) })
}

// compare checks one file against the listing.
func (t *Table) compare(ctx context.Context, l *listing, f state.File) error {
	digest, pin, there, err := l.take(ctx, f.Path, f.Digest, f.Pin)
	switch {
	case err != nil:
		return err
	case !there:
		t.drifted(f, "is missing")
		t.missing = append(t.missing, f)
		return nil
	case pin == f.Pin:
		return nil
	}
	t.touched = append(t.touched, touchedFile{f, digest, pin})
	if digest != f.Digest {
		t.drifted(f, "was changed")
	}
	return nil
}

// drifted notes that a sink no longer holds a file as it was written.
func (t *Table) drifted(f state.File, how string) {
	name := f.Path
	if len(t.Old.Sinks) > 1 {
		name = t.Old.Sinks[f.Sink].Root + "/" + f.Path
	}
	t.Drift = append(t.Drift, name+" "+how)
	t.partial = append(t.partial, f.Sink)
}

// diffDrift plans how what a sink lost comes back: from another sink that holds
// all of the table, or from what the state keeps of it, else from the source.
func diffDrift(t *Table, d *plan.ConfigDiff) {
	if len(t.Drift) == 0 {
		return
	}
	why := "the sink no longer holds what was written: " + strings.Join(amount.Few(t.Drift), ", ")
	whole := 0
	for slices.Contains(t.partial, whole) {
		whole++
	}
	switch {
	case t.Kind != feed.KindEvents:
		d.Add(plan.ClassRewrite, "%s; the state keeps its rows", why)
	case t.LostCommit == nil && whole < len(t.Old.Sinks):
		t.readFrom = whole
		d.Add(plan.ClassRewrite, "%s; %s does", why, t.Old.Sinks[whole].Root)
	default:
		d.Add(plan.ClassRebuild, "%s", why)
	}
}

// repin makes a removal one of what is there now.
func (l *listing) repin(ctx context.Context, s *state.Step) error {
	digest, pin, there, err := l.take(ctx, s.Path, s.Before, s.BeforePin)
	if err == nil && there && pin != s.BeforePin {
		s.Before, s.BeforePin = digest, pin
	}
	return err
}

// FilesNow returns partitions of the table with its files as they are now: those that were
// touched without being changed have other pins, and those that a step replaces, as they
// were changed, have another content, too.
func (t *Table) FilesNow(parts []*state.Partition) []*state.Partition {
	return repinned(parts, t.touched)
}

// repinned returns partitions of which some files are as they were found. The partitions
// that it was given stay as they are.
func repinned(parts []*state.Partition, found []touchedFile) []*state.Partition {
	if len(found) == 0 {
		return parts
	}
	by := make(map[fileAt]touchedFile, len(found))
	for _, x := range found {
		by[at(x.file)] = x
	}
	out := slices.Clone(parts)
	for i, p := range out {
		for j, f := range p.Files {
			x, ok := by[at(f)]
			if !ok || x.file.Digest != f.Digest {
				continue
			}
			if out[i] == p {
				out[i] = p.Fork()
			}
			out[i].Files[j].Digest, out[i].Files[j].Pin = x.digest, x.pin
		}
	}
	return out
}

// Records returns what an apply stores of a table whose sinks are at other places now, or
// are forgotten: its record and partitions in the plan's view of the state, with the pins
// of the files that were compared by their content, and its lost commit, nil if there is
// none.
func (p *Session) Records(table string) (*state.Table, []*state.Partition, *state.LostCommit) {
	rec, parts, lost := p.Snap.Tables[table], p.Snap.Partitions[table], p.Snap.Lost[table]
	i := slices.IndexFunc(p.Drafts, func(t *Table) bool { return t.Name == table })
	if i < 0 {
		return rec, parts, lost
	}
	t := p.Drafts[i]
	if t.LostCommit != nil {
		lost = t.LostCommit
	}
	same := slices.DeleteFunc(slices.Clone(t.touched), func(x touchedFile) bool { return x.digest != x.file.Digest })
	return rec, repinned(parts, same), lost
}

// list lists one of the places where a table is or is to be. same says instead that
// the files of the table are all there is, and as the state knows them.
func (t *Table) list(ctx context.Context, sk sinks.Sink, at sinks.Place) (objs []sinks.Object, same bool, err error) {
	m, ok := sk.(sinks.Fingerprinter)
	if !ok || t.Old == nil {
		objs, err = sk.List(ctx, at.Path)
		return objs, false, err
	}
	i := slices.IndexFunc(t.Old.Sinks, func(s state.SinkTable) bool { return s.Root == at.Root && s.Folder == at.Path })
	if i < 0 || t.Old.Sinks[i].Fingerprint == "" || t.LostCommit != nil {
		t.Fingerprinted = false
		objs, err = sk.List(ctx, at.Path)
		return objs, false, err
	}
	objs, whole, err := m.ListSince(ctx, at.Path, t.Old.Sinks[i].Fingerprint, pinnedIn(i, t.Parts))
	t.Fingerprinted = t.Fingerprinted && whole
	return objs, whole && objs == nil, err
}

// pinnedIn lists the files of a table in one of its sinks, with their pins.
func pinnedIn(sink int, parts []*state.Partition) []sinks.Pinned {
	out := make([]sinks.Pinned, 0, len(parts))
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				out = append(out, sinks.Pinned{Key: f.Path, Pin: f.Pin})
			}
		}
	}
	return out
}
