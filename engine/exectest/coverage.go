package exectest

import (
	"slices"
	"sync"
	"testing"

	"reconcile/engine/exec"
)

// coverage counts what the tasks and results of a suite had: a suite that met none of
// something has not judged it.
type coverage struct {
	mu    sync.Mutex
	times map[string]int
}

// wanted is what a suite must have met.
var wanted = []string{
	"strategy metadata", "strategy bulk", "strategy delta", "strategy redelivery", "strategy mapping",
	"held", "held lasting", "late columns", "change of the configuration", "mask with a key", "users", "kept users",
	"quarantine", "shadow", "index of several runs", "old mapping", "new mapping", "resync", "file that grew",
	"object with bytes", "object elsewhere", "appended file", "removed partition", "stored rows", "stand-ins",
	"removed file", "file that stays", "several row groups",
}

func (c *coverage) note(what string, is bool) {
	if is {
		c.times[what]++
	}
}

// add notes what a task and its result have.
func (c *coverage) add(t *exec.Task, r *exec.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == nil {
		c.times = map[string]int{}
	}
	c.note("change of the configuration", t.Step == exec.StepConfig)
	c.note("users", t.Kind == "users")
	c.note("old mapping", t.OldMapping != nil)
	c.note("new mapping", t.NewMapping != nil && !t.NewMapping.Ref.IsZero())
	c.note("stand-ins", t.StandIns != nil)
	for _, d := range t.Deliveries {
		c.note("resync", !d.Incremental)
		c.note("file that grew", d.Again)
	}
	for _, col := range t.Schema.Payload {
		c.note("mask with a key", col.Verifier != "")
	}
	if s := t.Stored; s != nil {
		c.note("stored rows", s.Rows > 0)
		c.note("kept users", len(s.UserRuns) > 0)
		c.note("index of several runs", len(s.Index) > 1)
	}
	c.note("late columns", r.Again != nil)
	c.note("held", r.Held != nil && !r.Held.Lasting)
	c.note("held lasting", r.Held != nil && r.Held.Lasting)
	if r.Done != nil {
		c.addDone(r.Done)
	}
}

func (c *coverage) addDone(d *exec.Done) {
	c.note("strategy "+string(d.Strategy), true)
	c.note("quarantine", len(d.Quarantine) > 0)
	c.note("removed partition", len(d.Removed) > 0)
	c.note("removed file", len(d.RemovedFiles) > 0)
	for _, o := range d.Objects {
		c.note("object with bytes", o.Bytes != nil)
		c.note("object elsewhere", o.Bytes == nil)
	}
	for _, p := range d.Partitions {
		c.note("shadow", !p.Shadow.IsZero())
		for _, f := range p.Files {
			c.note("appended file", f.Appended)
			c.note("file that stays", f.Staged == "")
			c.note("several row groups", len(f.Groups) > 1)
		}
	}
}

// check fails where something was not met.
func (c *coverage) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	missing := slices.DeleteFunc(slices.Clone(wanted), func(what string) bool { return c.times[what] > 0 })
	if len(missing) > 0 {
		t.Errorf("the suite met none of %q, only %v", missing, c.times)
	}
}
