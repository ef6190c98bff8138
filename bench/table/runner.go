package main

import (
	"errors"
	"fmt"
	"slices"

	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// runner measures rows. Rows about the same set share its export and its lake.
type runner struct {
	o       *options
	bed     *bed.Bed
	quarter *bed.Place
	lake    *bed.Lake      // of the quarter; saved once it is loaded
	loads   measure.Series // cold loads of it
	chdb    bool           // whether chdb's output of the quarter is there
	found   []finding
	series  []*measure.Series
}

// finding is what was measured for a row.
type finding struct {
	row    string
	text   string
	met    verdict
	remark string
}

// verdict says whether what is to be reached was.
type verdict string

const (
	met    verdict = "yes"
	missed verdict = "**no**"
	open   verdict = "-" // nothing to compare with
)

func atLeast(got, want float64) verdict { return judged(got >= want) }
func atMost(got, want float64) verdict  { return judged(got <= want) }

func judged(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

func (r *runner) say(format string, args ...any) {
	fmt.Fprintf(r.o.bed.Log, format+"\n", args...)
}

func (r *runner) find(row string, v verdict, remark, format string, args ...any) {
	f := finding{row: row, text: fmt.Sprintf(format, args...), met: v, remark: remark}
	r.found = append(r.found, f)
	r.say("%s: %s", row, f.text)
}

// measured returns a series that is printed at the end.
func (r *runner) measured(name string) *measure.Series {
	s := &measure.Series{Name: name}
	r.series = append(r.series, s)
	return s
}

// repeat takes samples, between which things are put back as they were.
func (r *runner) repeat(s *measure.Series, restore func() error, sample func() (measure.Sample, error)) error {
	for range r.o.runs {
		if err := restore(); err != nil {
			return err
		}
		if err := s.Add(sample()); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) hasEngine(name string) bool {
	return slices.Contains(r.o.engines, name)
}

// place makes the export of a set.
func (r *runner) place(set string) (*bed.Place, export.Options, error) {
	o, err := export.Set(set, r.o.scale)
	if err != nil {
		return nil, o, err
	}
	p, err := r.bed.Place(set, o)
	return p, o, err
}

// base returns the quarter and its lake as a cold load leaves it.
func (r *runner) base() (*bed.Place, *bed.Lake, error) {
	if r.quarter == nil {
		p, _, err := r.place("quarter")
		if err != nil {
			return nil, nil, err
		}
		if r.lake, err = p.Lake("zstd", "zstd"); err != nil {
			return nil, nil, err
		}
		r.quarter = p
		r.loads.Name = "cold load"
		r.series = append(r.series, &r.loads)
	}
	if len(r.loads.Samples) == 0 {
		if err := r.loads.Add(r.lake.Load()); err != nil {
			return nil, nil, err
		}
		if err := r.lake.Save(); err != nil {
			return nil, nil, err
		}
	}
	return r.quarter, r.lake, nil
}

// onNight runs f while the quarter has one more dump.
func (r *runner) onNight(p *bed.Place, n export.Night, f func() error) error {
	if err := p.AddNight(n); err != nil {
		return err
	}
	return errors.Join(f(), p.RemoveNight())
}

// theNight is the night of the issue.
func (r *runner) theNight(recent bool) export.Night {
	return export.Night{Events: export.Scaled(20_000, r.o.scale), Migrations: export.Scaled(800, r.o.scale), Recent: recent}
}

func (r *runner) close() error {
	if r.quarter == nil {
		return nil
	}
	return r.quarter.Close()
}
