package exec_test

import (
	"reflect"
	"testing"

	"reconcile/engine/exec"
)

// TestCheck: a result has exactly one outcome, with what belongs to it, and names nothing
// that its task does not have.
func TestCheck(t *testing.T) {
	task := &exec.Task{Version: exec.FormatVersion, Attempt: "1-a", Table: "e", Sinks: []exec.Target{{Root: "/lake"}}}
	digest, err := task.Digest()
	if err != nil {
		t.Fatal(err)
	}
	done, held, again := &exec.Done{Strategy: exec.Bulk}, &exec.Held{Dump: 1}, &exec.Again{Columns: []exec.LateColumn{{Name: "a"}}}
	with := func(f exec.File) *exec.Done {
		return &exec.Done{Strategy: exec.Bulk, Partitions: []exec.Partition{{Files: []exec.File{f}}}}
	}
	for what, c := range map[string]struct {
		r  exec.Result
		ok bool
	}{
		"done":               {exec.Result{Outcome: exec.OutcomeDone, Done: done}, true},
		"held":               {exec.Result{Outcome: exec.OutcomeHeld, Held: held}, true},
		"again":              {exec.Result{Outcome: exec.OutcomeAgain, Again: again}, true},
		"nothing to do":      {exec.Result{Outcome: exec.OutcomeNothing}, true},
		"no outcome":         {exec.Result{}, false},
		"done, unsaid":       {exec.Result{Done: done}, false},
		"another outcome":    {exec.Result{Outcome: "late"}, false},
		"done of nothing":    {exec.Result{Outcome: exec.OutcomeDone}, false},
		"held by nothing":    {exec.Result{Outcome: exec.OutcomeHeld}, false},
		"again with nothing": {exec.Result{Outcome: exec.OutcomeAgain, Again: &exec.Again{}}, false},
		"done and held":      {exec.Result{Outcome: exec.OutcomeDone, Done: done, Held: held}, false},
		"held and again":     {exec.Result{Outcome: exec.OutcomeHeld, Held: held, Again: again}, false},
		"nothing, and done":  {exec.Result{Outcome: exec.OutcomeNothing, Done: done}, false},
		"held, said done":    {exec.Result{Outcome: exec.OutcomeDone, Held: held}, false},
		"no strategy":        {exec.Result{Outcome: exec.OutcomeDone, Done: &exec.Done{}}, false},
		"a file":             {exec.Result{Outcome: exec.OutcomeDone, Done: with(exec.File{Size: 9, Groups: []int64{4, 6}})}, true},
		"another sink":       {exec.Result{Outcome: exec.OutcomeDone, Done: with(exec.File{Sink: 1})}, false},
		"groups in disorder": {exec.Result{Outcome: exec.OutcomeDone, Done: with(exec.File{Size: 9, Groups: []int64{6, 4}})}, false},
		"groups twice":       {exec.Result{Outcome: exec.OutcomeDone, Done: with(exec.File{Size: 9, Groups: []int64{4, 4}})}, false},
		"groups behind it":   {exec.Result{Outcome: exec.OutcomeDone, Done: with(exec.File{Size: 9, Groups: []int64{4, 9}})}, false},
	} {
		c.r.Task, c.r.Attempt = digest, task.Attempt
		if err := c.r.Check(task); c.ok != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
		c.r.Attempt = "2-b"
		if c.r.Check(task) == nil {
			t.Errorf("%s: in another attempt it is accepted", what)
		}
	}
}

// TestFilesRemoved: of the files that the table has, those go that neither stay nor are
// replaced by a file of the same number.
func TestFilesRemoved(t *testing.T) {
	has := func(ordinal uint32, sink int, paths ...string) exec.Partition {
		p := exec.Partition{Ordinal: ordinal}
		for _, path := range paths {
			p.Files = append(p.Files, exec.File{Sink: sink, Path: path})
		}
		return p
	}
	staged := func(p exec.Partition) exec.Partition {
		for i := range p.Files {
			p.Files[i].Staged = "staged"
		}
		return p
	}
	task := &exec.Task{Sinks: []exec.Target{{Root: "/b"}}, Stored: &exec.Stored{Sinks: []string{"/a", "/b"}, Partitions: []exec.Partition{
		has(1, 1, "t/d=1/part-00000-3.parquet", "t/d=1/part-00001-4.parquet"), has(2, 1, "t/d=2/part-00000-3.parquet"), has(3, 0, "t/d=3/part-00000.parquet")}}}
	for what, c := range map[string]struct {
		done exec.Done
		want []exec.Removal
	}{
		"nothing":        {exec.Done{}, nil},
		"a new one":      {exec.Done{Partitions: []exec.Partition{staged(has(4, 0, "t/d=4/part-00000.parquet"))}}, nil},
		"one replaced":   {exec.Done{Partitions: []exec.Partition{staged(has(2, 0, "t/d=2/part-00000.parquet"))}}, nil},
		"written as one": {exec.Done{Partitions: []exec.Partition{staged(has(1, 0, "t/d=1/part-00000.parquet"))}}, []exec.Removal{{Root: "/b", Paths: []string{"t/d=1/part-00001-4.parquet"}}}},
		"one stays":      {exec.Done{Partitions: []exec.Partition{has(1, 0, "t/d=1/part-00001-4.parquet")}}, []exec.Removal{{Root: "/b", Paths: []string{"t/d=1/part-00000-3.parquet"}}}},
		"without files":  {exec.Done{Partitions: []exec.Partition{has(2, 0)}}, []exec.Removal{{Root: "/b", Paths: []string{"t/d=2/part-00000-3.parquet"}}}},
		"partitions go":  {exec.Done{Removed: []uint32{2, 3, 9}}, []exec.Removal{{Root: "/a", Paths: []string{"t/d=3/part-00000.parquet"}}, {Root: "/b", Paths: []string{"t/d=2/part-00000-3.parquet"}}}},
		"all anew": {exec.Done{All: true, Partitions: []exec.Partition{staged(has(0, 0, "t/d=1/part-00000.parquet")), staged(has(1, 0, "t/d=3/part-00000.parquet"))}},
			[]exec.Removal{{Root: "/a", Paths: []string{"t/d=3/part-00000.parquet"}}, {Root: "/b", Paths: []string{"t/d=1/part-00001-4.parquet", "t/d=2/part-00000-3.parquet"}}}},
	} {
		if got := c.done.FilesRemoved(task); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
	if got := (&exec.Done{All: true}).FilesRemoved(&exec.Task{}); got != nil {
		t.Errorf("a table that has nothing loses %+v", got)
	}
}

// A task is carried out by whoever writes the forms that it asks for, and by nobody else.
func TestCheckWritable(t *testing.T) {
	writes := exec.CurrentFormats()
	task := exec.Task{Version: exec.FormatVersion, Formats: writes}
	if err := task.CheckWritable(writes); err != nil {
		t.Error(err)
	}
	other := task
	other.Version++
	if other.CheckWritable(writes) == nil {
		t.Error("a task of a later version is accepted")
	}
	for i := range reflect.TypeOf(writes).NumField() {
		if reflect.ValueOf(writes).Field(i).Int() == 0 {
			t.Errorf("%s has no version", reflect.TypeOf(writes).Field(i).Name)
		}
		other := task
		form := reflect.ValueOf(&other.Formats).Elem().Field(i)
		form.SetInt(form.Int() + 1)
		if other.CheckWritable(writes) == nil {
			t.Errorf("a later version of %s is accepted", reflect.TypeOf(writes).Field(i).Name)
		}
	}
}
