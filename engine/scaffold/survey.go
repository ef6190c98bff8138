package scaffold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/internal/feed"
)

// Options say which part of a source counts, and how much of it is looked at.
type Options struct {
	// UntilDump is the greatest dump that counts; nil for all.
	UntilDump *int64
	// Limits are those of the blocks of part files, Workers how many are read at once.
	Limits  avro.Limits
	Workers int
}

// Survey is what a source delivers.
type Survey struct {
	Dumps    int
	LastDump int64
	Tables   []*Table // by name
	// Held are dumps that cannot be used, and why.
	Held []string
}

// Table is what is delivered of one table.
type Table struct {
	Name     string
	Role     Role
	Dumps    int   // that list it
	LastDump int64 // of those
	// Rows and Files are what the sample holds; Faults are files that could not be read.
	Rows, Files int
	Faults      []string
	Types       []Type // guessed, by column
	// NoTime says that its rows have no column time.
	NoTime bool
	// As is the name of its folder, where its own is taken; Beside is the table that
	// has that one.
	As, Beside string

	columns []string      // that a manifest or a sampled file has
	entries []*dump.Entry // with files, the newest first
}

// Role is what becomes of a table.
type Role uint8

const (
	// Taken tables have rows of users, as a glob takes them.
	Taken Role = iota
	// Special tables need a block of their own.
	Special
	// Keyless tables have rows that nothing identifies.
	Keyless
	// Unseen tables came without any rows, so far.
	Unseen
)

// Type is a type that all values of a column in the sample have.
type Type struct {
	Column string
	Type   string
	Values int
}

// Take surveys a source.
func Take(ctx context.Context, src *dump.Source, o Options) (*Survey, error) {
	listing, err := src.List(ctx)
	if err != nil {
		return nil, err
	}
	s := &Survey{}
	for _, p := range listing.Problems {
		s.Held = append(s.Held, p.String())
	}
	s.collect(listing.Dumps, o.UntilDump)
	if s.Dumps == 0 {
		return nil, noDump(src.Root(), s.Held)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Workers, 1))
	for _, t := range s.Tables {
		g.Go(func() error { return t.look(gctx, src, o.Limits) })
	}
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	s.parted()
	return s, nil
}

// noDump says that there is nothing to write tables from, and why the dumps that came
// cannot be used.
func noDump(root string, held []string) error {
	const most = 3
	text := fmt.Sprintf("%s: no dump has arrived that can be used, so there is nothing to write tables from", root)
	for i, h := range held {
		if i == most {
			text += fmt.Sprintf("\n  and %d more like these", len(held)-most)
			break
		}
		text += "\n  " + h
	}
	return errors.New(text)
}

// collect notes what manifests say of each table.
func (s *Survey) collect(dumps []*dump.Dump, until *int64) {
	byName := map[string]*Table{}
	for _, d := range slices.Backward(dumps) {
		if until != nil && d.ID > *until {
			continue
		}
		s.LastDump = max(s.LastDump, d.ID)
		if s.Dumps++; s.Dumps == 1 {
			s.LastDump = d.ID
		}
		for _, e := range d.Entries {
			t := byName[e.Name]
			if t == nil {
				t = &Table{Name: e.Name, LastDump: d.ID}
				byName[e.Name] = t
				s.Tables = append(s.Tables, t)
			}
			t.Dumps++
			t.addColumns(e.Columns)
			if e.Files.Len() > 0 && len(t.entries) < mostTried {
				t.entries = append(t.entries, e)
			}
		}
	}
	slices.SortFunc(s.Tables, func(a, b *Table) int { return cmp.Compare(a.Name, b.Name) })
}

func (t *Table) addColumns(names []string) {
	for _, n := range names {
		if !slices.Contains(t.columns, n) {
			t.columns = append(t.columns, n)
		}
	}
}

// look samples the table and decides its role.
func (t *Table) look(ctx context.Context, src *dump.Source, limits avro.Limits) error {
	p := sample{byKey: map[string]*field{}}
	if t.Name != feed.TableEventMetadata {
		if err := p.read(ctx, src, limits, t); err != nil {
			return err
		}
	}
	t.Types = p.types()
	switch {
	case t.Name == feed.TableEventMetadata:
		t.Role = Keyless
	case feed.IsSpecial(t.Name):
		t.Role = Special
	case feed.HasEvents(t.columns):
		t.Role = Taken
		_, _, identified := feed.Identify(t.Name, t.columns)
		if !identified {
			t.Role = Keyless
		}
	case t.Files == 0:
		t.Role = Unseen
	default:
		t.Role = Keyless
	}
	t.NoTime = t.Files > 0 && !slices.Contains(t.columns, feed.Time)
	return nil
}
