// Command progress measures how right the time is that the program says is left. It runs
// a command of it with -json several times, and compares each record of progress from a
// tenth of the work on with when the command ended. Beside the time it says how right what
// is counted as work foretells the processor time of the program: that does not depend on
// what else the machine does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.program, "program", "reconcile", "the `PROGRAM`")
	flag.StringVar(&o.before, "before", "", "a shell `COMMAND` that is run before each run, as one that puts a lake back")
	flag.IntVar(&o.runs, "runs", 3, "how many `RUNS`")
	flag.BoolVar(&o.all, "all", false, "show each record")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: progress [flags] [flags and command of the program, as apply -auto-approve]\n\nRuns the program in this folder with -json, and says how right the time was that it foretold.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := o.measure(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "progress:", err)
		os.Exit(1)
	}
}

type options struct {
	program, before string
	runs            int
	all             bool
}

// record is what of a record of progress is compared, and when it came.
type record struct {
	Type    string   `json:"type"`
	Table   string   `json:"table"`
	Phase   string   `json:"phase"`
	Done    int64    `json:"work_done"`
	Total   int64    `json:"work_total"`
	Percent float64  `json:"percent"`
	Left    *float64 `json:"seconds_left"`
	at      time.Time
	cpu     float64 // seconds of the processors so far
}

func (o *options) measure(args []string) error {
	for i := range o.runs {
		if o.before != "" {
			if out, err := exec.Command("sh", "-c", o.before).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", o.before, err, out)
			}
		}
		records, ended, err := o.run(args)
		if err != nil {
			return fmt.Errorf("run %d: %w", i+1, err)
		}
		o.report(i+1, records, ended)
	}
	return nil
}

// run runs the program, and returns the records of progress and when it was done.
func (o *options) run(args []string) (out []record, ended record, err error) {
	cmd := exec.Command(o.program, append(args, "-json")...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, ended, err
	}
	if err := cmd.Start(); err != nil {
		return nil, ended, err
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		r := record{at: time.Now(), cpu: cpuSeconds(cmd.Process.Pid)}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, ended, errors.Join(err, cmd.Wait())
		}
		switch r.Type {
		case "progress":
			out = append(out, r)
		case "apply", "state_rebuilt", "verify":
			ended = r
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	if err == nil && (len(out) == 0 || ended.at.IsZero()) {
		err = errors.New("it told of no progress, or not of its end")
	}
	return out, ended, err
}

// report says by how much the time left was wrong, on average and at most: as a part of what
// was left, and of the whole time. What was told before a tenth of the work was done does not
// count, nor, of what was left, what rounding to a second hides.
func (o *options) report(run int, records []record, ended record) {
	first := records[0]
	all, cpu := ended.at.Sub(first.at).Seconds(), ended.cpu-first.cpu
	var ofLeft, clock, processors misses
	right := 0
	for _, r := range records {
		left := ended.at.Sub(r.at).Seconds()
		if o.all {
			fmt.Printf("  %5.1f s  %-12s %-10s %5.1f %% of the work, %5.1f %% of the time, %5.1f %% of the processor time", all-left, r.Table, r.Phase, r.Percent, 100*(1-left/all), 100*(r.cpu-first.cpu)/cpu)
			if r.Left != nil {
				fmt.Printf(", %.0f s said to be left, %.1f s were", *r.Left, left)
			}
			fmt.Println()
		}
		if r.Left == nil || r.Done*10 < r.Total || r.Done == r.Total {
			continue
		}
		toDo := float64(r.Total-r.Done) / float64(r.Done)
		exact := (all - left) * toDo // before it was rounded to a second
		off := math.Abs(exact - left)
		if off <= rounded {
			off = 0
		}
		if ofLeft.add(off, left); off <= quarter*left {
			right++
		}
		clock.add(exact-left, all)
		processors.add((r.cpu-first.cpu)*toDo-(ended.cpu-r.cpu), cpu)
	}
	fmt.Printf("run %d: %.1f s, %d records from a tenth of the work on, %d of them right within a quarter; the time left was wrong by %s of what was left, by %s of all time; of %.1f s of processors by %s\n", run, all, clock.n, right, &ofLeft, &clock, cpu, &processors)
}

// rounded is by how many seconds a time is wrong that is rounded to one.
const rounded = 0.5

// quarter is by how much of what is left a time may be wrong that counts as right.
const quarter = 0.25

// misses adds up by how much of a whole something was wrong.
type misses struct {
	worst, sum float64
	n          int
}

func (m *misses) add(by, whole float64) {
	off := max(by, -by) / whole
	m.worst, m.sum, m.n = max(m.worst, off), m.sum+off, m.n+1
}

func (m *misses) String() string {
	return fmt.Sprintf("%.0f %% at most, %.0f %% on average", 100*m.worst, 100*m.sum/float64(max(m.n, 1)))
}

// cpuSeconds is how long a process kept processors busy, 0 where /proc does not tell.
func cpuSeconds(pid int) float64 {
	const hertz = 100 // of the times in /proc, on all usual systems
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / hertz
}
