// Package measure runs programs and says what they took, each as a whole process
// from its start to its exit, and what machine it was on. It starts nothing of
// its own and keeps nothing.
package measure

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Sample is what one run of a program took.
type Sample struct {
	Wall, CPU float64 // seconds; CPU is user and system time
	Peak      float64 // MB, the most memory that was resident
	IO        float64 // MB that it read and wrote by system calls; 0 where that is not known
}

// Run runs a command. What it prints is shown only if it fails.
//
// The peak of a child is never less than what its parent had when it started
// it: whoever measures must stay small.
func Run(c *exec.Cmd) (Sample, error) {
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	start := time.Now()
	if err := c.Start(); err != nil {
		return Sample{}, err
	}
	moved := bytesMoved(c.Process.Pid)
	err := c.Wait()
	wall := time.Since(start).Seconds()
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w\n%s", filepath.Base(c.Path), err, out.String())
	}
	p := c.ProcessState
	return Sample{
		Wall: wall,
		CPU:  (p.UserTime() + p.SystemTime()).Seconds(),
		Peak: float64(peakBytes(p)) / 1e6,
		IO:   float64(moved) / 1e6,
	}, nil
}

// Quiet runs a command and shows what it printed only if it fails.
func Quiet(c *exec.Cmd) error {
	_, err := Run(c)
	return err
}
