// Package published reads what the sinks say and hold together, where no state tells it:
// of which lineage the lake is, and of each table the commit, the dumps, the mapping, the
// data files and their columns. Sinks that contradict each other leave nothing to go by.
//
// It changes nothing, and never takes a file that a sink does not name for one of ours.
package published

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/lake"
	"reconcile/engine/planner"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/sinks"
)

// Lake is what the configured sinks say together.
type Lake struct {
	Lineage string
	States  map[string]string // where the state is, and a sink that says so
	Tables  map[string]*Table
}

// Table is a table as its sinks have it.
type Table struct {
	Name    string
	Entry   sinks.CurrentTable // of the greatest commit
	From    string             // the sink that says so
	Folders map[string]string  // by root
	// Incomplete says that a commit was being made visible when the state was lost: its
	// files are of two commits.
	Incomplete bool
}

// ErrNone says that no sink tells what was applied.
var ErrNone = errors.New("no configured sink has a _reconcile/current.json, which tells what was applied: there is nothing to rebuild a state from; `reconcile apply` begins a new one")

// Read reads what the sinks of the configuration say, notes it in heads, and notes of
// which lineage they are. It fails where they contradict each other, naming them, and
// with ErrNone where none of them says anything.
func Read(ctx context.Context, k *lake.Lake, declared *lake.Declared, heads lake.Heads) (*Lake, error) {
	out := &Lake{States: map[string]string{}, Tables: map[string]*Table{}}
	first := ""
	for _, s := range declared.Sinks {
		says, err := k.Head(ctx, s.Path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", s.Address(), err)
		case says.Damage != nil:
			return nil, fmt.Errorf("%s: %w; bring it back from a backup, or move the sink's folder aside: then its tables are written there anew", s.Address(), says.Damage)
		}
		heads[s.Path] = says
		if says.Current == nil {
			continue
		}
		if out.Lineage == "" {
			out.Lineage, first = says.Current.Lineage, s.Address()
		}
		if says.Current.Lineage != out.Lineage {
			return nil, fmt.Errorf("the sinks contradict each other: %s was written from a state of lineage %s, %s from one of lineage %s; nothing was done",
				first, out.Lineage, s.Address(), says.Current.Lineage)
		}
		if at := says.Current.State; at != "" {
			out.States[at] = s.Path
		}
		if err := out.add(s.Path, says.Current); err != nil {
			return nil, err
		}
	}
	if out.Lineage == "" {
		return nil, ErrNone
	}
	for root := range heads {
		k.NoteLineage(root, out.Lineage)
	}
	return out, nil
}

// add takes in what one sink says.
func (l *Lake) add(root string, cur *sinks.Current) error {
	for _, name := range slices.Sorted(maps.Keys(cur.Tables)) {
		entry, t := cur.Tables[name], l.Tables[name]
		if t == nil {
			l.Tables[name] = &Table{Name: name, Entry: entry, From: root, Folders: map[string]string{root: entry.Folder}, Incomplete: !entry.Complete}
			continue
		}
		if entry.Commit == t.Entry.Commit && !sameLake(entry, t.Entry) {
			return fmt.Errorf("the sinks contradict each other: %s and %s both have table %s at commit %d, but with other dumps or another user mapping; nothing was done",
				t.From, root, name, entry.Commit)
		}
		t.Folders[root] = entry.Folder
		t.Incomplete = t.Incomplete || !entry.Complete || entry.Commit != t.Entry.Commit
		if entry.Commit > t.Entry.Commit {
			t.Entry, t.From = entry, root
		}
	}
	return nil
}

// sameLake reports whether two entries of a table are of the same content.
func sameLake(a, b sinks.CurrentTable) bool {
	return slices.Equal(a.Dumps, b.Dumps) && lake.SameDump(a.Mapping, b.Mapping) && lake.SameDump(a.Resync, b.Resync)
}

// File is a data file of a table in a sink.
type File struct {
	sinks.Place
	Object sinks.Object
}

// Files lists the data files of a table where its sinks say that it is.
func (l *Table) Files(ctx context.Context, k *lake.Lake) ([]File, error) {
	var out []File
	for _, root := range slices.Sorted(maps.Keys(l.Folders)) {
		files, err := listData(ctx, k, l.Name, root, l.Folders[root])
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// listData lists the data files in a folder of a sink.
func listData(ctx context.Context, k *lake.Lake, table, root, folder string) ([]File, error) {
	sk, err := k.Open(ctx, root)
	if err != nil {
		return nil, err
	}
	files, err := sk.List(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("table %s: listing %s in %s: %w", table, folder, root, err)
	}
	var out []File
	for _, o := range files {
		if strings.HasSuffix(o.Path, ".parquet") {
			out = append(out, File{sinks.Place{Root: root, Path: o.Path}, o})
		}
	}
	return out, nil
}

// CheckUnnamed refuses data files in the folder of a table in a sink whose current.json
// does not name the table: nothing says that they are ours.
func (l *Table) CheckUnnamed(ctx context.Context, k *lake.Lake, t *planner.Table) error {
	for _, s := range t.Definition.Sinks {
		if _, named := l.Folders[s.Path]; named {
			continue
		}
		files, err := listData(ctx, k, t.Name, s.Path, t.Definition.Folder)
		if err != nil {
			return err
		}
		if len(files) > 0 {
			return fmt.Errorf("table %s: %s holds data files in %s, as %s, but its _reconcile/current.json does not name the table: move them away",
				t.Name, s.Address(), t.Definition.Folder, files[0].Path)
		}
	}
	return nil
}

// filesAtOnce hides the latency of a sink behind a network.
const filesAtOnce = 8

// Columns lists the columns of data files, by name. A file that cannot be read tells
// none.
func Columns(ctx context.Context, k *lake.Lake, files []File) ([]column.Column, error) {
	each := make([][]column.Column, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for i, f := range files {
		sk, err := k.Open(ctx, f.Root)
		if err != nil {
			return nil, errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			rd, err := sk.Open(gctx, f.Path, f.Object.Pin, nil)
			if err != nil {
				return UnlessDamaged(gctx, err)
			}
			if d, ok := rd.(sinks.ColumnLister); ok {
				each[i] = d.Columns()
			}
			return rd.Close()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []column.Column
	for _, cols := range each {
		for _, c := range cols {
			if !slices.ContainsFunc(out, func(o column.Column) bool { return o.Name == c.Name }) {
				out = append(out, column.Column{Name: c.Name, Type: c.Type})
			}
		}
	}
	return out, nil
}

// CheckUntil refuses a table that has dumps above until_dump: what the lake has is what
// is rebuilt, and going back is an apply of its own.
func (l *Table) CheckUntil(ask *planner.Request) error {
	later := slices.IndexFunc(l.Entry.Dumps, ask.Later)
	if later < 0 {
		return nil
	}
	return fmt.Errorf("table %s has dump %d in the lake, which is above until_dump = %d: rebuild the state with the configuration that wrote it, and change it then",
		l.Name, l.Entry.Dumps[later], *ask.Config.Source.UntilDump)
}

// CheckPlaces refuses a table whose configuration leads elsewhere than the lake: a
// rebuilt state would not know the files there.
func (l *Table) CheckPlaces(t *planner.Table) error {
	for _, root := range slices.Sorted(maps.Keys(l.Folders)) {
		configured := slices.ContainsFunc(planner.FoldersOf(t), func(at sinks.Place) bool { return at.Root == root })
		switch {
		case !configured:
			return fmt.Errorf("table %s lies in the sink at %s, which the configuration does not give it: rebuild the state with the configuration that wrote it, and change it then", t.Name, root)
		case l.Folders[root] != t.Definition.Folder:
			return fmt.Errorf("table %s lies in the folder %s of the sink at %s, but by the configuration in %s: rebuild the state with the configuration that wrote it, and change it then",
				t.Name, l.Folders[root], root, t.Definition.Folder)
		}
	}
	return nil
}

// UnlessDamaged returns an error that is not about the content of a file.
func UnlessDamaged(ctx context.Context, err error) error {
	if ctx.Err() != nil || errclass.Of(err) == errclass.SinkUnavailable {
		return err
	}
	return nil
}
