package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/lake"
	"reconcile/engine/planner"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// Where a state is lost, the current.json of each sink says what the lake is: of which
// lineage, and of each table the commit, the dumps and the mapping. Sinks that
// contradict each other leave nothing to go by.

// lakeContent is what the configured sinks say together.
type lakeContent struct {
	lineage string
	states  map[string]string // where the state is, and a sink that says so
	tables  map[string]*lakeTable
}

// lakeTable is a table as its sinks have it.
type lakeTable struct {
	name    string
	entry   sinks.CurrentTable // of the greatest commit
	from    string             // the sink that says so
	folders map[string]string  // by root
	// incomplete says that a commit was being made visible when the state was lost: its
	// files are of two commits.
	incomplete bool
}

// errNoLake says that no sink tells what was applied.
var errNoLake = errors.New("no configured sink has a _reconcile/current.json, which tells what was applied: there is nothing to rebuild a state from; `reconcile apply` begins a new one")

// readLake reads what the configured sinks say. It fails where they contradict each
// other, naming them.
func (e *Engine) readLake(ctx context.Context, p *planner.Session) (*lakeContent, error) {
	out := &lakeContent{states: map[string]string{}, tables: map[string]*lakeTable{}}
	first := ""
	for _, s := range e.cfg.Sinks {
		says, err := e.lake.Head(ctx, s.Path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", s.Address(), err)
		case says.Damage != nil:
			return nil, fmt.Errorf("%s: %w; bring it back from a backup, or move the sink's folder aside: then its tables are written there anew", s.Address(), says.Damage)
		}
		p.Heads[s.Path] = says
		if says.Current == nil {
			continue
		}
		if out.lineage == "" {
			out.lineage, first = says.Current.Lineage, s.Address()
		}
		if says.Current.Lineage != out.lineage {
			return nil, fmt.Errorf("the sinks contradict each other: %s was written from a state of lineage %s, %s from one of lineage %s; nothing was done",
				first, out.lineage, s.Address(), says.Current.Lineage)
		}
		if at := says.Current.State; at != "" {
			out.states[at] = s.Path
		}
		if err := out.add(s.Path, says.Current); err != nil {
			return nil, err
		}
	}
	if out.lineage == "" {
		return nil, errNoLake
	}
	for root := range p.Heads {
		e.lake.NoteLineage(root, out.lineage)
	}
	return out, nil
}

// add takes in what one sink says.
func (l *lakeContent) add(root string, cur *sinks.Current) error {
	for _, name := range sortedKeys(cur.Tables) {
		entry, t := cur.Tables[name], l.tables[name]
		if t == nil {
			l.tables[name] = &lakeTable{name: name, entry: entry, from: root, folders: map[string]string{root: entry.Folder}, incomplete: !entry.Complete}
			continue
		}
		if entry.Commit == t.entry.Commit && !sameLake(entry, t.entry) {
			return fmt.Errorf("the sinks contradict each other: %s and %s both have table %s at commit %d, but with other dumps or another user mapping; nothing was done",
				t.from, root, name, entry.Commit)
		}
		t.folders[root] = entry.Folder
		t.incomplete = t.incomplete || !entry.Complete || entry.Commit != t.entry.Commit
		if entry.Commit > t.entry.Commit {
			t.entry, t.from = entry, root
		}
	}
	return nil
}

// sameLake reports whether two entries of a table are of the same content.
func sameLake(a, b sinks.CurrentTable) bool {
	return slices.Equal(a.Dumps, b.Dumps) && lake.SameDump(a.Mapping, b.Mapping) && lake.SameDump(a.Resync, b.Resync)
}

// publishedFile is a data file of a table in a sink.
type publishedFile struct {
	sinks.Place
	object sinks.Object
}

// publishedFiles lists the data files of a table where its sinks say that it is.
func (e *Engine) publishedFiles(ctx context.Context, l *lakeTable) ([]publishedFile, error) {
	var out []publishedFile
	for _, root := range sortedKeys(l.folders) {
		files, err := e.listData(ctx, l.name, root, l.folders[root])
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// listData lists the data files in a folder of a sink.
func (e *Engine) listData(ctx context.Context, table, root, folder string) ([]publishedFile, error) {
	sk, err := e.lake.Open(ctx, root, "")
	if err != nil {
		return nil, err
	}
	files, err := sk.List(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("table %s: listing %s in %s: %w", table, folder, root, err)
	}
	var out []publishedFile
	for _, o := range files {
		if strings.HasSuffix(o.Path, ".parquet") {
			out = append(out, publishedFile{sinks.Place{Root: root, Path: o.Path}, o})
		}
	}
	return out, nil
}

// checkUnnamed refuses data files in the folder of a table in a sink whose current.json
// does not name the table: nothing says that they are ours.
func (e *Engine) checkUnnamed(ctx context.Context, t *planner.Table, l *lakeTable) error {
	for _, s := range t.Definition.Sinks {
		if _, named := l.folders[s.Path]; named {
			continue
		}
		files, err := e.listData(ctx, t.Name, s.Path, t.Definition.Folder)
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

// columnsIn lists the columns of data files, by name. A file that cannot be read tells
// none.
func (e *Engine) columnsIn(ctx context.Context, files []publishedFile) ([]column.Column, error) {
	each := make([][]column.Column, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for i, f := range files {
		sk, err := e.lake.Open(ctx, f.Root, "")
		if err != nil {
			return nil, errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			rd, err := sk.Open(gctx, f.Path, f.object.Pin, nil)
			if err != nil {
				return unlessDamaged(gctx, err)
			}
			if d, ok := rd.(sinks.Described); ok {
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

// checkUntil refuses a table that has dumps above until_dump: what the lake has is what
// is rebuilt, and going back is an apply of its own.
func (e *Engine) checkUntil(l *lakeTable) error {
	later := slices.IndexFunc(l.entry.Dumps, e.ask.Later)
	if later < 0 {
		return nil
	}
	return fmt.Errorf("table %s has dump %d in the lake, which is above until_dump = %d: rebuild the state with the configuration that wrote it, and change it then",
		l.name, l.entry.Dumps[later], *e.cfg.Source.UntilDump)
}

// checkPlaces refuses a table whose configuration leads elsewhere than the lake: a
// rebuilt state would not know the files there.
func (l *lakeTable) checkPlaces(t *planner.Table) error {
	for _, root := range sortedKeys(l.folders) {
		configured := slices.ContainsFunc(planner.FoldersOf(t), func(at sinks.Place) bool { return at.Root == root })
		switch {
		case !configured:
			return fmt.Errorf("table %s lies in the sink at %s, which the configuration does not give it: rebuild the state with the configuration that wrote it, and change it then", t.Name, root)
		case l.folders[root] != t.Definition.Folder:
			return fmt.Errorf("table %s lies in the folder %s of the sink at %s, but by the configuration in %s: rebuild the state with the configuration that wrote it, and change it then",
				t.Name, l.folders[root], root, t.Definition.Folder)
		}
	}
	return nil
}
