package main

import (
	"errors"
	"fmt"

	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// users delivers one user in a hundred again.
func (r *runner) users() error {
	p, o, err := r.place("users")
	if err != nil {
		return err
	}
	lake, err := p.Lake("zstd", "zstd")
	if err != nil {
		return err
	}
	load := r.measured(fmt.Sprintf("cold load of %d users", o.Users))
	if err := load.Add(lake.Load()); err != nil {
		return err
	}
	if err := lake.Save(); err != nil {
		return err
	}
	s := r.measured("users delivered again")
	n := export.Night{Users: max(o.Users/100, 1)}
	if err := r.onNight(p, n, func() error { return r.repeat(s, lake.Restore, lake.Apply) }); err != nil {
		return err
	}
	wall := s.Median(measure.Wall)
	r.find("users", atMost(wall, 12), "", "%.2f s, %.2f s of CPU, %.0f MiB", wall, s.Median(measure.CPU), mib(s.Peak()))
	return p.Close()
}

// noop plans and applies when there is nothing to do.
func (r *runner) noop() error {
	p, _, err := r.place("files")
	if err != nil {
		return err
	}
	lake, err := p.Lake("zstd", "zstd")
	if err != nil {
		return err
	}
	load := r.measured("cold load of many files")
	if err := load.Add(lake.Load()); err != nil {
		return err
	}
	plan, apply := r.measured("no-op plan"), r.measured("no-op apply")
	for range r.o.runs {
		if err := errors.Join(plan.Add(lake.Plan()), apply.Add(lake.Apply())); err != nil {
			return err
		}
	}
	cpu := max(plan.Median(measure.CPU), apply.Median(measure.CPU))
	peak := mib(max(plan.Peak(), apply.Peak()))
	r.find("noop", judged(cpu <= 0.1 && peak <= 64), "", "plan %.0f ms, apply %.0f ms of CPU, %.0f MiB",
		plan.Median(measure.CPU)*1000, apply.Median(measure.CPU)*1000, peak)
	return p.Close()
}

// s3 loads the set from a bucket into a bucket, in turn with local folders.
func (r *runner) s3() (err error) {
	p, lake, err := r.base()
	if err != nil {
		return err
	}
	server, err := p.Serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	far, err := server.Lake("s3")
	if err != nil {
		return err
	}
	local, remote := r.measured("cold load, local"), r.measured("cold load, S3 to S3")
	for range r.o.runs {
		if err := errors.Join(local.Add(lake.Load()), remote.Add(far.Load())); err != nil {
			return err
		}
	}
	if err := lake.SameAs(far); err != nil {
		return err
	}
	rate := ratio(local, remote, measure.Wall)
	r.find("s3", atLeast(rate, 0.8), "the server takes its part of the processors", "%.2f; %.2f times the CPU of reconcile", rate, ratio(remote, local, measure.CPU))
	return far.Remove()
}
