package main

import (
	"reconcile/bench/internal/measure"
)

// cold loads the set with every engine in turn, and checks that all made the same
// tables.
func (r *runner) cold() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	others := make([]*measure.Series, len(r.o.engines))
	for i, e := range r.o.engines {
		others[i] = r.measured(e + ", same job")
	}
	for run := range r.o.runs {
		if run > 0 {
			if err := r.loads.Add(lake.Load()); err != nil {
				return err
			}
		}
		for i, e := range r.o.engines {
			if err := others[i].Add(p.Engine(e)); err != nil {
				return err
			}
		}
	}
	if len(r.o.engines) > 0 {
		if err := lake.Same(r.o.engines...); err != nil {
			return err
		}
	}
	if err := lake.Save(); err != nil {
		return err
	}
	for i, e := range r.o.engines {
		r.compareCold(e, others[i])
		r.chdb = r.chdb || e == "chdb"
		if e != "chdb" {
			if err := p.RemoveOutput(e); err != nil {
				return err
			}
		}
	}
	if len(r.o.engines) == 0 {
		r.find("cold", open, "", "%.2f s, %.2f s of CPU", r.loads.Median(measure.Wall), r.loads.Median(measure.CPU))
	}
	return nil
}

func (r *runner) compareCold(engine string, s *measure.Series) {
	wall, cpu := ratio(s, &r.loads, measure.Wall), ratio(s, &r.loads, measure.CPU)
	v := open
	if engine == "chdb" {
		v = atLeast(wall, 4)
	}
	r.find("cold", v, "", "%.2f times faster than %s, %.2f times less CPU", wall, engine, cpu)
}

func ratio(a, b *measure.Series, of func(measure.Sample) float64) float64 {
	return a.Median(of) / max(b.Median(of), 1e-3)
}

func (r *runner) memory() error {
	if _, _, err := r.base(); err != nil {
		return err
	}
	r.find("memory", atMost(mib(r.loads.Peak()), 1024), "", "%.0f MiB", mib(r.loads.Peak()))
	return nil
}

func mib(mb float64) float64 { return mb * 1e6 / (1 << 20) }

// size compares Parquet files.
func (r *runner) size() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	if !r.chdb && r.hasEngine("chdb") {
		if _, err := p.Engine("chdb"); err != nil {
			return err
		}
		if err := lake.Restore(); err != nil {
			return err
		}
		if err := lake.Same("chdb"); err != nil {
			return err
		}
		r.chdb = true
	}
	ours, err := lake.LakeMB()
	if err != nil {
		return err
	}
	if !r.chdb {
		r.find("size", open, "", "%.1f MB", ours)
		return nil
	}
	theirs, err := p.OutputMB("chdb")
	if err != nil {
		return err
	}
	r.find("size", atMost(ours/theirs, 0.75), "", "%.2f: %.1f MB and %.1f MB", ours/theirs, ours, theirs)
	return nil
}

// state counts the bytes of the state, with all its objects.
func (r *runner) state() error {
	_, lake, err := r.base()
	if err != nil {
		return err
	}
	if err := lake.Restore(); err != nil {
		return err
	}
	rows, err := lake.Rows()
	if err != nil {
		return err
	}
	mb, err := lake.StateMB()
	if err != nil {
		return err
	}
	each := mb * 1e6 / float64(max(rows, 1))
	r.find("state", atMost(each, 10), "with the hidden rows and the latest row of every user", "%.1f bytes a row: %.1f MB for %d rows", each, mb, rows)
	return nil
}
