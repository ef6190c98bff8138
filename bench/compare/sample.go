package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// sample is what one run of a program took, the whole process.
type sample struct {
	wall, cpu float64 // seconds
	peak      float64 // MB of memory
}

// timed runs a command.
func timed(c *exec.Cmd) (sample, error) {
	start := time.Now()
	if err := quiet(c); err != nil {
		return sample{}, err
	}
	p := c.ProcessState
	return sample{
		wall: time.Since(start).Seconds(),
		cpu:  (p.UserTime() + p.SystemTime()).Seconds(),
		peak: float64(peakBytes(p)) / 1e6,
	}, nil
}

// apply runs reconcile on what is pending.
func (b *bed) apply() (sample, error) {
	n := strconv.Itoa(b.o.threads)
	c := exec.Command(b.in("bin", "reconcile"), "-chdir="+b.in("conf"), "apply", "-auto-approve", "-parallelism="+n)
	c.Env = append(os.Environ(), "GOMAXPROCS="+n)
	return timed(c)
}

// load is apply from nothing.
func (b *bed) load() (sample, error) {
	if err := os.RemoveAll(b.in("work")); err != nil {
		return sample{}, err
	}
	return b.apply()
}

// query runs the same job in SQL, which always is from nothing.
func (b *bed) query() (sample, error) {
	if err := os.RemoveAll(b.in("chdb")); err != nil {
		return sample{}, err
	}
	return timed(exec.Command(b.o.python, filepath.Join("bench", "chdb_job.py"), b.in("dumps"), b.in("chdb"), "--threads", strconv.Itoa(b.o.threads)))
}

// folderMB returns the size of the files in a folder.
func folderMB(dir string) (float64, error) {
	total := int64(0)
	err := filepath.Walk(dir, func(_ string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() {
			total += fi.Size()
		}
		return err
	})
	return float64(total) / 1e6, err
}

// series is the samples of one thing.
type series struct {
	name    string
	samples []sample
}

func (s *series) add(x sample, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.samples = append(s.samples, x)
	return nil
}

func (s *series) median(of func(sample) float64) float64 {
	v := make([]float64, len(s.samples))
	for i, x := range s.samples {
		v[i] = of(x)
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

func wall(s sample) float64 { return s.wall }
func cpu(s sample) float64  { return s.cpu }
func peak(s sample) float64 { return s.peak }

// report prints a row for each series; the ratios are of its medians to those
// of the first.
func report(all ...*series) {
	fmt.Println("\n| | wall s | median | CPU s | median | peak MB | wall ratio | CPU ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, s := range all {
		if len(s.samples) == 0 {
			continue
		}
		var walls, cpus string
		most := 0.0
		for _, x := range s.samples {
			walls += fmt.Sprintf("%.2f ", x.wall)
			cpus += fmt.Sprintf("%.2f ", x.cpu)
			most = max(most, peak(x))
		}
		fmt.Printf("| %s | %s| %.2f | %s| %.2f | %.0f | %.2f | %.2f |\n", s.name, walls, s.median(wall), cpus, s.median(cpu), most,
			s.median(wall)/all[0].median(wall), s.median(cpu)/all[0].median(cpu))
	}
	fmt.Println()
}
