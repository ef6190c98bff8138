package engine

import (
	"math"
	"testing"
	"time"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/work"
	"reconcile/internal/definition"
)

// Each file that is published in a sink on a network counts as the time in which its server
// answers, whatever its bytes; in a folder only these count.
func TestProgressOfPublishing(t *testing.T) {
	const size, files = 4000, 3
	for _, c := range []struct {
		sinks []string
		trip  time.Duration
	}{
		{[]string{"/lake"}, 0}, {[]string{"s3://lake"}, 30 * time.Millisecond}, {[]string{"s3://lake", "/lake"}, 15 * time.Millisecond},
	} {
		var now work.Progress
		m := tableMeter{work.NewMeter(func(p work.Progress) { now = p }), exec.NewBudget(1<<30, 4), func(place string) time.Duration {
			return map[string]time.Duration{"s3://lake": 30 * time.Millisecond}[place]
		}}
		table := &planner.Table{Table: plan.Table{Name: "e", Steps: []plan.Step{{Kind: plan.StepTake}}}, Definition: &definition.Table{Name: "e"}}
		for _, path := range c.sinks {
			table.Definition.Sinks = append(table.Definition.Sinks, definition.Sink{Path: path})
		}
		var staged []exec.File
		for range files {
			staged = append(staged, exec.File{Staged: "x", Size: size})
		}
		m.staged(table, table.Steps[0], &exec.Done{Partitions: []exec.Partition{{Files: staged}}})
		m.Turn("e")
		near := func(got int64, want float64) bool { return math.Abs(float64(got)-want) < 10 } // as parts are rounded
		trip := 4 * 50e6 * c.trip.Seconds()
		if want := files*(size/4+0.7*trip) + 8*trip; !near(now.Total, want) {
			t.Errorf("%v: %d of work are foretold, want %.0f", c.sinks, now.Total, want)
		}
		published := m.publishing(table.Definition)
		for range files {
			published(size)
		}
		if want := files * (size/4 + 0.7*trip); !near(now.Done, want) {
			t.Errorf("%v: %d of work are told, want %.0f", c.sinks, now.Done, want)
		}
		if m.End("e"); now.Share != 1 || now.Done != now.Total {
			t.Errorf("%v: in the end %+v", c.sinks, now)
		}
	}
}
