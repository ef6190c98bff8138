package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/model"
	"reconcile/engine/native"
	"reconcile/internal/blob"
	"reconcile/internal/feed"
)

// meteredTasks carries out tasks in this process, and notes what they read and tell.
type meteredTasks struct {
	mu   sync.Mutex
	done map[string]*meteredTask // by table: the last that was done of it
}

// meteredTask is what a task read and told.
type meteredTask struct {
	strategy exec.Strategy

	mu        sync.Mutex
	opened    map[string]int // part files, by key
	delivered int64          // bytes of part files, as they are listed
	read      int64          // bytes of part files, as it is told
	rest      int64          // that was told last to be left; -1 before it is
	since     int64          // work that was told from then on
	judged    int64          // work of judging rows
	merged    int64          // and of merging scratch files
}

// Execute implements exec.Executor.
func (m *meteredTasks) Execute(ctx context.Context, task *exec.Task, env *exec.Env) (*exec.Result, error) {
	l := &meteredTask{opened: map[string]int{}, rest: -1}
	for _, d := range task.Deliveries {
		l.delivered += d.Files.Bytes()
	}
	metered := *env
	metered.Source = meteredSource{env.Source, l}
	metered.Events.Progress = func(p exec.Progress) {
		l.note(p)
		env.Events.Progress(p)
	}
	r, err := native.Executor{}.Execute(ctx, task, &metered)
	if err == nil && r.Done != nil {
		l.strategy = r.Done.Strategy
		m.mu.Lock()
		defer m.mu.Unlock()
		m.done[task.Table] = l
	}
	return r, err
}

func (l *meteredTask) note(p exec.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read += p.Bytes
	l.since += p.Work
	switch p.Phase {
	case exec.Judging:
		l.judged += p.Work
	case exec.Merging:
		l.merged += p.Work
	}
	if p.Rest != nil {
		l.rest, l.since = *p.Rest, 0
	}
}

// meteredSource counts which part files are opened.
type meteredSource struct {
	exec.Source
	log *meteredTask
}

func (s meteredSource) Open(ctx context.Context, key string) (blob.Handle, error) {
	s.log.mu.Lock()
	s.log.opened[key]++
	s.log.mu.Unlock()
	return s.Source.Open(ctx, key)
}

// usersDump delivers so many users, from one on.
func usersDump(n, first, count int) *model.Dump {
	return dumpOf(int64(n), more(feed.TableUsers, avroPart("user_id v:string", usersOf(n, first, count)...)))
}

func usersOf(n, first, count int) (rows [][]any) {
	for i := first; i < first+count; i++ {
		rows = append(rows, row(i, fmt.Sprintf("user %d of dump %d", i, n)))
	}
	return rows
}

// nightDump is one of fewer rows than the dump before it: no redelivery of that.
func nightDump(n int) *model.Dump {
	e := progressDump(n, more).Entries[0]
	for _, f := range e.Files {
		f.Key = ""
	}
	return dumpOf(int64(n), more("e", e.Files[n:]...), more(feed.TableUsers, avroPart("user_id v:string", usersOf(n, 0, 50-n)...)))
}

// Whichever way is taken, each part file is read once, and what is told of the work comes to
// what was said to be left of it.
func TestProgressComesToWhatIsSaid(t *testing.T) {
	mapping := func(n int) *model.Dump {
		return dumpOf(int64(n), full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(3, 4))))
	}
	const little = 1 << 12 // bytes: so many rows do not fit
	for _, c := range []struct {
		name    string
		prepare func(a *bed)
		arrive  []*model.Dump
		want    map[string]exec.Strategy
		spilled bool // rows are merged from many scratch files
	}{
		{name: "a load", arrive: []*model.Dump{progressDump(1, full)}, want: map[string]exec.Strategy{"e": exec.Bulk, "users": exec.Bulk}},
		{name: "a load that is spilled", prepare: func(a *bed) { a.tuning.Memory = little }, arrive: []*model.Dump{progressDump(1, full)},
			want: map[string]exec.Strategy{"e": exec.Bulk, "users": exec.Bulk}, spilled: true},
		{name: "a night", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{nightDump(2)},
			want: map[string]exec.Strategy{"e": exec.Delta, "users": exec.Bulk}}, // as most users change
		{name: "a night that does not fit", prepare: func(a *bed) { a.tuning.Memory = little; a.run(progressDump(1, full)) }, arrive: []*model.Dump{nightDump(2)},
			want: map[string]exec.Strategy{"e": exec.Bulk, "users": exec.Bulk}},
		{name: "two nights that do not fit", prepare: func(a *bed) { a.run(progressDump(1, full)); a.tuning.Memory = little }, arrive: []*model.Dump{nightDump(2), nightDump(3)},
			want: map[string]exec.Strategy{"e": exec.Bulk, "users": exec.Bulk}},
		{name: "few users", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{usersDump(2, 7, 1)},
			want: map[string]exec.Strategy{"users": exec.Delta}},
		{name: "few users of whom many were kept", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.run(usersDump(2, 0, 20))
		}, arrive: []*model.Dump{usersDump(3, 7, 1)}, want: map[string]exec.Strategy{"users": exec.Bulk}},
		{name: "a new mapping", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{mapping(2)},
			want: map[string]exec.Strategy{"e": exec.Delta, "users": exec.Delta}},
		{name: "a full resync", prepare: func(a *bed) { a.run(progressDump(1, full), usersDump(2, 3, 5)) }, arrive: []*model.Dump{progressDump(3, full)},
			want: map[string]exec.Strategy{"e": exec.Bulk, "users": exec.Bulk}},
		{name: "other partitions", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.hcl = withoutPartitions
		}, want: map[string]exec.Strategy{"e": exec.Bulk}},
		{name: "a new sink", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.hcl = withPond
		}, want: map[string]exec.Strategy{"e": exec.Copied, "users": exec.Copied}},
		{name: "a rebuild", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.opts.Replace = []string{"table.e"}
		}, want: map[string]exec.Strategy{"e": exec.Bulk}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newBed(t, progressTables)
			a.tuning.GroupRows = 10
			if c.prepare != nil {
				c.prepare(a)
			}
			m := &meteredTasks{done: map[string]*meteredTask{}}
			a.executor = m
			a.run(c.arrive...)
			got := map[string]exec.Strategy{}
			for table, l := range m.done {
				got[table] = l.strategy
				l.check(t, table)
				if c.spilled && table == "e" && (l.judged == 0 || l.merged == 0) {
					t.Errorf("%d of work are told of judging rows, %d of merging scratch files", l.judged, l.merged)
				}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("done: %v, want %v", got, c.want)
			}
		})
	}
}

// check checks what a task told.
func (l *meteredTask) check(t *testing.T, table string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(l.opened)) {
		if n := l.opened[key]; n != 1 {
			t.Errorf("%s: %s was opened %d times", table, key, n)
		}
	}
	if l.read != l.delivered {
		t.Errorf("%s: %d bytes of part files were read, there are %d", table, l.read, l.delivered)
	}
	if l.since != l.rest {
		t.Errorf("%s: %d of work were told behind what was said to be left, which was %d", table, l.since, l.rest)
	}
}
