package main

import (
	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// kinds of the night of the issue.
var kinds = []struct {
	name   string
	recent bool
}{{"recent users re-keyed", true}, {"old users re-keyed, too", false}}

// night applies one more dump, and has chdb do everything again.
func (r *runner) night() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	for _, k := range kinds {
		err := r.onNight(p, r.theNight(k.recent), func() error { return r.oneNight(p, lake, k.name) })
		if err != nil {
			return err
		}
	}
	return lake.Restore()
}

func (r *runner) oneNight(p *bed.Place, lake *bed.Lake, kind string) error {
	ours, sql := r.measured("night, "+kind), &measure.Series{Name: "chdb, everything again, " + kind}
	if r.hasEngine("chdb") {
		r.series = append(r.series, sql)
	}
	for range r.o.runs {
		if err := lake.Restore(); err != nil {
			return err
		}
		if err := ours.Add(lake.Apply()); err != nil {
			return err
		}
		if !r.hasEngine("chdb") {
			continue
		}
		r.chdb = false
		if err := sql.Add(p.Engine("chdb")); err != nil {
			return err
		}
	}
	touched, err := lake.Touched()
	if err != nil {
		return err
	}
	if !r.hasEngine("chdb") {
		r.find("night", open, kind, "%.2f s, %.2f s of CPU", ours.Median(measure.Wall), ours.Median(measure.CPU))
		return nil
	}
	wall := ratio(sql, ours, measure.Wall)
	r.find("night", atLeast(wall, 30), kind, "%.1f times faster, %.1f times less CPU; touches %s", wall, ratio(sql, ours, measure.CPU), touched)
	return lake.Same("chdb")
}

// history applies the same night on the set and on ten times as many days of it.
func (r *runner) history() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	here := r.measured("night, for the history")
	if err := r.timeNight(p, lake, here); err != nil {
		return err
	}
	ten, _, err := r.place("history")
	if err != nil {
		return err
	}
	old, err := ten.Lake("zstd", "zstd")
	if err != nil {
		return err
	}
	load := r.measured("cold load of ten times the history")
	if err := load.Add(old.Load()); err != nil {
		return err
	}
	if err := old.Save(); err != nil {
		return err
	}
	there := r.measured("night on ten times the history")
	if err := r.timeNight(ten, old, there); err != nil {
		return err
	}
	bytes, cpu := ratio(there, here, measure.IO), ratio(there, here, measure.CPU)
	v := atMost(max(bytes, cpu), 1.2)
	if here.Median(measure.IO) == 0 {
		v = open
	}
	r.find("history", v, "", "%.2f times the bytes, %.2f times the CPU", bytes, cpu)
	r.find("history", atMost(mib(load.Peak()), 1024), "peak memory of loading it: 1 GiB, no growth", "%.0f MiB, %.2f times that of the set", mib(load.Peak()), load.Peak()/max(r.loads.Peak(), 1))
	return ten.Close()
}

func (r *runner) timeNight(p *bed.Place, lake *bed.Lake, s *measure.Series) error {
	return r.onNight(p, r.theNight(true), func() error { return r.repeat(s, lake.Restore, lake.Apply) })
}

// rekey maps one in a hundred users, and compares with rewriting the files that
// this touches: what a changed compression costs, by the share of these files.
func (r *runner) rekey() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	o, err := export.Set("quarter", r.o.scale)
	if err != nil {
		return err
	}
	ours := r.measured("re-keying 1 % of all users")
	var touched bed.Touched
	err = r.onNight(p, export.Night{Users: -1, Migrations: max(o.Users/100, 1)}, func() error {
		if err := r.repeat(ours, lake.Restore, lake.Apply); err != nil {
			return err
		}
		touched, err = lake.Touched()
		return err
	})
	if err != nil {
		return err
	}
	all := r.measured("rewriting all files (compression snappy to zstd)")
	if err := r.rewrite(p, all); err != nil {
		return err
	}
	share := touched.MB / max(touched.OfMB, 1e-9)
	got := ratio(all, ours, measure.CPU) * share
	r.find("rekey", atLeast(got, 15), "", "%.1f times cheaper; touches %s", got, touched)
	return nil
}

// rewrite measures a change of the configuration that reads and writes every
// file of the lake.
func (r *runner) rewrite(p *bed.Place, s *measure.Series) error {
	lake, err := p.Lake("snappy", "snappy")
	if err != nil {
		return err
	}
	if _, err := lake.Load(); err != nil {
		return err
	}
	if err := lake.Save(); err != nil {
		return err
	}
	if err := lake.Configure("zstd"); err != nil {
		return err
	}
	if err := r.repeat(s, lake.Restore, lake.Apply); err != nil {
		return err
	}
	return lake.Remove()
}

// redeliver applies the last dump of the set, and then once more.
func (r *runner) redeliver() error {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	o, err := export.Set("quarter", r.o.scale)
	if err != nil {
		return err
	}
	first, again := r.measured("a dump's first apply"), r.measured("the same dump again, unchanged")
	if err := r.firstApply(p, o.Dumps, first); err != nil {
		return err
	}
	err = r.onNight(p, export.Night{Again: true}, func() error { return r.repeat(again, lake.Restore, lake.Apply) })
	if err != nil {
		return err
	}
	cpu := ratio(first, again, measure.CPU)
	r.find("redeliver", atLeast(cpu, 10), "", "%.1f times cheaper in CPU, %.1f times faster", cpu, ratio(first, again, measure.Wall))
	return nil
}

// firstApply measures the apply of a dump on top of all before it.
func (r *runner) firstApply(p *bed.Place, dump int, s *measure.Series) error {
	lake, err := p.Lake("before", "zstd")
	if err != nil {
		return err
	}
	if err := p.Withhold(dump); err != nil {
		return err
	}
	_, err = lake.Load()
	if err == nil {
		err = lake.Save()
	}
	if rerr := p.Release(dump); err == nil {
		err = rerr
	}
	if err != nil {
		return err
	}
	if err := r.repeat(s, lake.Restore, lake.Apply); err != nil {
		return err
	}
	return lake.Remove()
}
