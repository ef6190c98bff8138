package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/sinks"
)

// Where a state is lost, the current.json of each sink says what the lake is: of which
// lineage, and of each table the commit, the dumps and the mapping. Sinks that
// contradict each other leave nothing to go by.

// lake is what the configured sinks say together.
type lake struct {
	lineage string
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
func (e *Engine) readLake(ctx context.Context, p *Plan) (*lake, error) {
	out := &lake{tables: map[string]*lakeTable{}}
	first := ""
	for _, s := range e.cfg.Sinks {
		says, err := e.readSays(ctx, s.Path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", s.Address(), err)
		case says.damage != nil:
			return nil, fmt.Errorf("%s: %w; bring it back from a backup, or move the sink's folder aside: then its tables are written there anew", s.Address(), says.damage)
		}
		p.says[s.Path] = says
		if says.current == nil {
			continue
		}
		if out.lineage == "" {
			out.lineage, first = says.current.Lineage, s.Address()
		}
		if says.current.Lineage != out.lineage {
			return nil, fmt.Errorf("the sinks contradict each other: %s was written from a state of lineage %s, %s from one of lineage %s; nothing was done",
				first, out.lineage, s.Address(), says.current.Lineage)
		}
		if err := out.add(s.Path, says.current); err != nil {
			return nil, err
		}
	}
	if out.lineage == "" {
		return nil, errNoLake
	}
	for root := range p.says {
		e.seen[root] = out.lineage
	}
	return out, nil
}

// add takes in what one sink says.
func (l *lake) add(root string, cur *sinks.Current) error {
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
	return slices.Equal(a.Dumps, b.Dumps) && sameDump(a.Mapping, b.Mapping) && sameDump(a.Resync, b.Resync)
}

// publishedFile is a data file of a table in a sink.
type publishedFile struct {
	place
	object sinks.Object
}

// publishedFiles lists the data files of a table. They may be only where the current.json
// of the sink names the table: what lies elsewhere is not known to be ours.
func (e *Engine) publishedFiles(ctx context.Context, t *TablePlan, l *lakeTable) ([]publishedFile, error) {
	var out []publishedFile
	for _, s := range t.cfg.Sinks {
		sk, err := e.openSink(s.Path, s.Compression)
		if err != nil {
			return nil, err
		}
		files, err := sk.List(ctx, t.cfg.Folder)
		if err != nil {
			return nil, fmt.Errorf("table %s: listing %s in %s: %w", t.Name, t.cfg.Folder, s.Path, err)
		}
		files = slices.DeleteFunc(files, func(o sinks.Object) bool { return !strings.HasSuffix(o.Path, ".parquet") })
		if _, named := l.folders[s.Path]; !named && len(files) > 0 {
			return nil, fmt.Errorf("table %s: %s holds data files in %s, as %s, but its _reconcile/current.json does not name the table: move them away",
				t.Name, s.Address(), t.cfg.Folder, files[0].Path)
		}
		for _, o := range files {
			out = append(out, publishedFile{place{s.Path, o.Path}, o})
		}
	}
	return out, nil
}

// checkPlaces refuses a table whose configuration leads elsewhere than the lake: a
// rebuilt state would not know the files there.
func (l *lakeTable) checkPlaces(t *TablePlan) error {
	for _, root := range sortedKeys(l.folders) {
		configured := slices.ContainsFunc(foldersOf(t), func(at place) bool { return at.root == root })
		switch {
		case !configured:
			return fmt.Errorf("table %s lies in the sink at %s, which the configuration does not give it: rebuild the state with the configuration that wrote it, and change it then", t.Name, root)
		case l.folders[root] != t.cfg.Folder:
			return fmt.Errorf("table %s lies in the folder %s of the sink at %s, but by the configuration in %s: rebuild the state with the configuration that wrote it, and change it then",
				t.Name, l.folders[root], root, t.cfg.Folder)
		}
	}
	return nil
}
