package main

import (
	"fmt"

	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// limitMiB is the memory_limit that nobody set.
const limitMiB = 1024

// partition loads a table that is one partition, and applies a night onto it.
func (r *runner) partition() error {
	p, o, err := r.place("day")
	if err != nil {
		return err
	}
	lake, err := p.Lake("zstd", "zstd")
	if err != nil {
		return err
	}
	load := r.measured(fmt.Sprintf("cold load of %d page views of one day", o.Events))
	if err := load.Add(lake.Load()); err != nil {
		return err
	}
	if err := lake.Save(); err != nil {
		return err
	}
	n := export.Night{Events: export.Scaled(30_000, r.o.scale), Migrations: export.Scaled(800, r.o.scale)}
	night := r.measured(fmt.Sprintf("night of %d page views onto that day", n.Events))
	if err := r.onNight(p, n, func() error { return r.repeat(night, lake.Restore, lake.Apply) }); err != nil {
		return err
	}
	r.find("partition", atMost(mib(max(load.Peak(), night.Peak())), limitMiB), "", "load %.0f MiB, %.2f s of CPU; night %.0f MiB, %.2f s of CPU",
		mib(load.Peak()), load.Median(measure.CPU), mib(night.Peak()), night.Median(measure.CPU))
	return p.Close()
}

// large loads a hundred million page views, and before that the first tenth of the days:
// what grows with the rows shows in the difference.
func (r *runner) large() error {
	all, err := export.Set("large", r.o.scale)
	if err != nil {
		return err
	}
	tenth := all
	for _, n := range []*int{&tenth.Events, &tenth.Sessions, &tenth.Days, &tenth.Dumps} {
		*n = max(*n/10, 1)
	}
	part, err := r.loadOnce("large-tenth", tenth)
	if err != nil {
		return err
	}
	whole, err := r.loadOnce("large", all)
	if err != nil {
		return err
	}
	r.find("large", atMost(mib(whole.Peak), limitMiB), "the same users and mapping in both", "%.0f MiB, %.2f times that of a tenth of the rows (%.0f MiB); %.0f s, %.0f s of CPU",
		mib(whole.Peak), whole.Peak/max(part.Peak, 1), mib(part.Peak), whole.Wall, whole.CPU)
	return nil
}

// loadOnce makes an export, loads it and removes both.
func (r *runner) loadOnce(name string, o export.Options) (s measure.Sample, err error) {
	p, err := r.bed.Place(name, o)
	if err != nil {
		return s, err
	}
	lake, err := p.Lake("zstd", "zstd")
	if err != nil {
		return s, err
	}
	if s, err = lake.Load(); err != nil {
		return s, err
	}
	if err := r.measured(fmt.Sprintf("cold load of %d page views", o.Events)).Add(s, nil); err != nil {
		return s, err
	}
	return s, p.Close()
}
