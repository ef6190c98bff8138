package rows

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/failpoint"
)

// testBlock is a block as executors ask for it.
var testBlock = ScratchBlock{Rows: 1 << 14, Bytes: 60 << 10}

func blockOf(rows int) ScratchBlock { return ScratchBlock{rows, testBlock.Bytes} }

// Verdicts that many goroutines set, of neighbours too, are all kept.
func TestVerdicts(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		v := NewVerdicts(n)
		want := make([]rules.Verdict, n)
		r := rand.New(rand.NewPCG(uint64(n), 1))
		for i := range want {
			if v.Get(i) != rules.Publish {
				t.Fatalf("row %d of %d is not published at first", i, n)
			}
			want[i] = rules.Verdict(r.IntN(3))
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := g; i < n; i += 8 {
					v.Set(i, want[i])
				}
			})
		}
		wg.Wait()
		for i := range want {
			if v.Get(i) != want[i] {
				t.Errorf("row %d of %d: %d, want %d", i, n, v.Get(i), want[i])
			}
		}
	}
}

// types has a column of every kind.
var types = []column.Column{
	{Name: "text", Type: column.Type{ID: column.String}}, {Name: "number", Type: column.Type{ID: column.Int64}},
	{Name: "ratio", Type: column.Type{ID: column.Double}}, {Name: "at", Type: column.Type{ID: column.Timestamp}},
	{Name: "ok", Type: column.Type{ID: column.Boolean}}, {Name: "money", Type: column.Type{ID: column.Decimal, Precision: 30, Scale: 2}},
	{Name: "json", Type: column.Type{ID: column.JSON}}, {Name: "odd\n/näme", Type: column.Type{ID: column.String}},
}

// payload makes n rows whose values say which row they are of, some null.
func payload(n int) *column.Batch {
	b := &column.Batch{N: n, Cols: slices.Clone(types)}
	for k := range b.Cols {
		c := &b.Cols[k]
		c.Reset()
		for i := range n {
			switch {
			case (i+k)%5 == 0:
				c.AppendNulls(1)
			case c.Type.ID == column.Boolean:
				c.AppendInt(int64(i % 2))
			case c.Type.Kind() == column.KindInt64:
				c.AppendInt(int64(i * 1000003))
			case c.Type.Kind() == column.KindDouble:
				c.AppendFloat(float64(i) / 3)
			case c.Type.ID == column.Decimal:
				c.AppendBytes([]byte(fmt.Sprintf("%016d", i)))
			case c.Type.ID == column.JSON:
				c.AppendBytes([]byte(fmt.Sprintf(`{"i":%d}`, i%11)))
			default:
				c.AppendBytes([]byte(strings.Repeat("é", i%4) + fmt.Sprint(i)))
			}
		}
	}
	return b
}

// line writes the payload of one row.
func line(b *column.Batch, at uint32) string {
	var s strings.Builder
	for _, want := range types {
		c := b.Col(want.Name)
		switch i := int(at); {
		case c == nil:
			s.WriteString("no column|")
		case c.IsNull(i):
			s.WriteString("null|")
		case c.Type.Kind() == column.KindInt64:
			fmt.Fprintf(&s, "%d|", c.Ints[i])
		case c.Type.Kind() == column.KindDouble:
			fmt.Fprintf(&s, "%x|", c.Floats[i])
		default:
			fmt.Fprintf(&s, "%q|", c.Bytes(i))
		}
	}
	return s.String()
}

// text is what row i of a chunk carries: its record, or its columns.
func text(t *testing.T, ch *Chunk, i int) string {
	t.Helper()
	if !ch.Encoded() {
		return line(ch.Batch, ch.Rows[i].At)
	}
	record, err := ch.Record(i)
	if err != nil {
		t.Fatal(err)
	}
	if ch.Columns == nil {
		return string(record)
	}
	return line(readValues(t, ch.Columns, record), 0)
}

// some makes n rows in few partitions over a batch that has rows to spare.
func some(r *rand.Rand, n int) ([]rules.Row, *column.Batch) {
	parts := []int64{rules.NullPart, -7, 0, 3, math.MaxInt64}
	rs := make([]rules.Row, n)
	for i := range rs {
		rs[i] = rules.Row{Part: parts[r.IntN(len(parts))], Raw: r.Int64N(20) - 10, Key: int64(r.Uint64()), Ver: r.Uint64(), At: uint32(2 * i)}
	}
	return rs, payload(2*n + 1)
}

// full is a row, what it carries and what was decided about it.
type full struct {
	row     rules.Row
	text    string
	verdict rules.Verdict
}

// readPart reads a partition through its cursor. What a chunk gave stays as it
// was while later ones are read.
func readPart(t *testing.T, s *Segment, part int64) []full {
	t.Helper()
	c := s.Open(part)
	if c == nil {
		return nil
	}
	var kept []*Chunk
	for {
		ch, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ch == nil {
			break
		}
		kept = append(kept, ch)
	}
	if again, err := c.Next(t.Context()); again != nil || err != nil {
		t.Errorf("after the end: %v, %v", again, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	var out []full
	for _, ch := range kept {
		for i, row := range ch.Rows {
			f := full{row, text(t, ch, i), ch.Verdict(i)}
			f.row.At, f.row.Size = 0, 0
			out = append(out, f)
		}
	}
	return out
}

// Spilled segments give what they gave in memory, for every size of row group:
// all rows of each partition, in order, with payload and verdicts, the latter
// also when they are set later.
func TestSpill(t *testing.T) {
	for _, n := range []int{1, 2, 63, 64, 65, 1000} {
		for _, group := range []int{1, 7, 64, 5000} {
			if group == 1 && n > 100 {
				continue
			}
			t.Run(fmt.Sprintf("%d rows in groups of %d", n, group), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(n), uint64(group)))
				rs, batch := some(r, n)
				texts := map[rules.Row]string{}
				for _, row := range rs {
					text := line(batch, row.At)
					row.At = 0
					texts[row] = text
				}
				checkVerdicts(t, NewSegment(slices.Clone(rs), batch), r)
				s := NewSegment(rs, batch)
				checkSegment(t, s, n, texts)
				want := map[int64][]full{}
				for _, p := range s.Parts {
					want[p.Part] = readPart(t, s, p.Part)
				}
				dir := t.TempDir()
				if err := s.Spill(t.Context(), dir, blockOf(group)); err != nil {
					t.Fatal(err)
				}
				checkSpilled(t, s, n, dir)
				for part, rows := range want {
					if got := readPart(t, s, part); !slices.Equal(got, rows) {
						t.Fatalf("partition %d: got %d rows, want the %d in memory", part, len(got), len(rows))
					}
				}
				checkVerdicts(t, s, r)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if files, _ := os.ReadDir(dir); len(files) != 0 {
					t.Errorf("%d scratch files are left", len(files))
				}
			})
		}
	}
}

// checkSegment looks at a segment in memory: its ranges tile its rows, which are
// sorted and carry what they carried.
func checkSegment(t *testing.T, s *Segment, n int, texts map[rules.Row]string) {
	t.Helper()
	rs := s.Rows()
	if s.Len() != n || len(rs) != n || !slices.IsSortedFunc(rs, rules.CompareRows) {
		t.Fatalf("%d of %d rows, or not in order", len(rs), n)
	}
	at := 0
	for i, p := range s.Parts {
		if p.Lo != at || p.Hi <= p.Lo || i > 0 && s.Parts[i-1].Part >= p.Part {
			t.Fatalf("ranges %+v", s.Parts)
		}
		at = p.Hi
		got := readPart(t, s, p.Part)
		if len(got) != p.Hi-p.Lo {
			t.Fatalf("partition %d has %d rows, want %d", p.Part, len(got), p.Hi-p.Lo)
		}
		for _, f := range got {
			if f.row.Part != p.Part || texts[f.row] != f.text || f.verdict != rules.Publish {
				t.Fatalf("row %+v has %s, want %s", f.row, f.text, texts[f.row])
			}
		}
	}
	if at != n {
		t.Fatalf("ranges end at %d of %d", at, n)
	}
	if s.Part(12345) != nil || s.Open(12345) != nil {
		t.Error("a partition that it does not have is there")
	}
}

// checkSpilled checks that a spilled segment lets go of its memory, has one file,
// and that spilling it again does nothing.
func checkSpilled(t *testing.T, s *Segment, n int, dir string) {
	t.Helper()
	if s.Rows() != nil || s.rows != nil || s.batch != nil || s.Part(s.Parts[0].Part) != nil || s.Len() != n {
		t.Error("a spilled segment still has rows in memory")
	}
	before, err := os.ReadDir(dir)
	if err != nil || len(before) != 1 {
		t.Fatalf("%d files, %v", len(before), err)
	}
	if err := s.Spill(t.Context(), filepath.Join(dir, "nowhere"), blockOf(1)); err != nil {
		t.Errorf("spilled again: %v", err)
	}
	if s.Open(12345) != nil {
		t.Error("a partition that it does not have is there")
	}
}

// checkVerdicts sets verdicts by position and finds them in the cursors.
func checkVerdicts(t *testing.T, s *Segment, r *rand.Rand) {
	t.Helper()
	want := make([]rules.Verdict, s.Len())
	for i := range want {
		want[i] = rules.Verdict(r.IntN(3))
		s.Verdicts.Set(i, want[i])
	}
	for _, p := range s.Parts {
		for i, f := range readPart(t, s, p.Part) {
			if f.verdict != want[p.Lo+i] {
				t.Fatalf("row %d of partition %d: verdict %d, want %d", i, p.Part, f.verdict, want[p.Lo+i])
			}
		}
	}
}

// Spilled segments share a list of columns only if it is the same.
func TestShareColumns(t *testing.T) {
	spilled := func(b *column.Batch) *Segment {
		s := NewSegment([]rules.Row{{Key: 1}}, b)
		if err := s.Spill(t.Context(), t.TempDir(), testBlock); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	first, other := spilled(payload(1)), payload(1)
	first.ShareColumns(nil)
	first.ShareColumns(NewSegment(nil, payload(1)))
	other.Cols[0].Name = "another"
	for _, c := range []struct {
		name   string
		s      *Segment
		shares bool
	}{{"the same", spilled(payload(1)), true}, {"another name", spilled(other), false}} {
		want := readPart(t, c.s, 0)
		c.s.ShareColumns(first)
		if shares := &c.s.scratch.cols[0] == &first.scratch.cols[0]; shares != c.shares || !slices.Equal(readPart(t, c.s, 0), want) {
			t.Errorf("%s: shares is %v, or the rows changed", c.name, shares)
		}
	}
}

func TestEmptySegment(t *testing.T) {
	s := NewSegment(nil, payload(3))
	dir := t.TempDir()
	if err := s.Spill(t.Context(), dir, testBlock); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 || s.Len() != 0 || s.Open(0) != nil {
		t.Error("no rows became something")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// What fails while rows are spilled leaves the segment as it was and no file. A
// full disk says what to do.
func TestSpillFails(t *testing.T) {
	ctx := func(spec string) context.Context {
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		return failpoint.With(t.Context(), set)
	}
	for name, c := range map[string]struct {
		spec, dir string
		want      error
		says      string
	}{
		"full disk":     {"spill.write=enospc", "", syscall.ENOSPC, "scratch_dir"},
		"full later":    {"spill.write=enospc@3", "", syscall.ENOSPC, "is full"},
		"failure":       {"spill.write=error@2", "", failpoint.ErrInjected, "spilling rows"},
		"no folder":     {"", "gone", os.ErrNotExist, "gone"},
		"nothing fails": {"spill.write=error@99", "", nil, ""},
	} {
		rs, batch := some(rand.New(rand.NewPCG(4, 4)), 50)
		s := NewSegment(rs, batch)
		part := s.Parts[0].Part
		want := readPart(t, s, part)
		dir := t.TempDir()
		err := s.Spill(ctx(c.spec), filepath.Join(dir, c.dir), blockOf(10))
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", name, err)
		}
		files, _ := os.ReadDir(dir)
		if err != nil && (len(files) != 0 || s.Rows() == nil) {
			t.Errorf("%s: %d files are left, or the rows are gone", name, len(files))
		}
		if !slices.Equal(readPart(t, s, part), want) {
			t.Errorf("%s: the rows differ", name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A scratch file that is damaged or gone is an error that names it.
func TestSpillDamaged(t *testing.T) {
	rs, batch := some(rand.New(rand.NewPCG(5, 5)), 300)
	s := NewSegment(rs, batch)
	if err := s.Spill(t.Context(), t.TempDir(), blockOf(100)); err != nil {
		t.Fatal(err)
	}
	path := s.scratch.f.Name()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next := func() error {
		c := s.Open(s.Parts[0].Part)
		_, err := c.Next(t.Context())
		return errors.Join(err, c.Close())
	}
	first := s.scratch.blocks[0].size
	for _, cut := range []int{0, 10, first / 2, first - 1} {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := next(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
	for at := 0; at < first; at += 97 {
		bad := slices.Clone(data)
		bad[at] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := next(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("byte %d flipped: %v", at, err)
		}
	}
}

// Segments that were merged give the rows that they gave, without dropped ones, however few
// may be left; those in memory stay as they are.
func TestReduce(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var segments []*Segment
		dir, want := t.TempDir(), map[string]int{}
		inMemory := 0
		for i := range 1 + r.IntN(12) {
			s := judgedSegment(r, i)
			for _, p := range s.Parts {
				for _, line := range published(t, []*Segment{s}, p.Part) {
					want[fmt.Sprint(p.Part, line)]++
				}
			}
			if r.IntN(5) == 0 {
				inMemory++
			} else if err := s.Spill(t.Context(), dir, blockOf(1+r.IntN(40))); err != nil {
				t.Fatal(err)
			}
			segments = append(segments, s)
		}
		most := 2 + r.IntN(4)
		plan := PlanReduction(segments, most, 1+r.IntN(4))
		var passed atomic.Int64
		reduced, err := plan.Run(t.Context(), dir, ScratchBlock{1 + r.IntN(40), 1 + r.IntN(2000)}, func(n int) { passed.Add(int64(n)) })
		if err != nil {
			t.Fatal(err)
		}
		if len(reduced)-inMemory > most {
			t.Errorf("seed %d: %d spilled segments are left of %d", seed, len(reduced)-inMemory, len(segments)-inMemory)
		}
		if n := passed.Load(); n > plan.Rows() || (n == 0) != (plan.Rows() == 0) {
			t.Errorf("seed %d: %d rows were merged, %d were said to be", seed, n, plan.Rows())
		}
		for _, part := range Partitions(reduced) {
			for _, line := range published(t, reduced, part) {
				want[fmt.Sprint(part, line)]--
			}
		}
		for line, n := range want {
			if n != 0 {
				t.Fatalf("seed %d: %s is there %d times too few", seed, line, n)
			}
		}
		for _, s := range reduced {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Errorf("seed %d: %d scratch files are left", seed, len(files))
		}
	}
}

// No merge has more segments than may be merged at once, or only one; few waves leave few
// enough segments, and each goroutine has something to do where there is enough.
func TestMergesOf(t *testing.T) {
	for most := 2; most < 20; most++ {
		for workers := 1; workers < 6; workers++ {
			for segments := 2; segments < 200; segments++ {
				waves := 0
				for n := segments; n > most; waves++ {
					count, size := mergesOf(n, n-most, most, workers)
					if count < 1 || size < 2*count || size > n || (size+count-1)/count > most || count < min(workers, n-most, n/2) {
						t.Fatalf("of %d segments %d are merged in %d, where %d may be at once, by %d", n, size, count, most, workers)
					}
					n -= size - count
				}
				if segments <= most*most && waves > 2 {
					t.Errorf("%d segments take %d waves, where %d may be merged at once", segments, waves, most)
				}
			}
		}
	}
}

// A merge that fails leaves all segments to be closed, and no file of its own.
func TestReduceFails(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	dir := t.TempDir()
	var segments []*Segment
	for i := range 5 {
		s := judgedSegment(r, i)
		if err := s.Spill(t.Context(), dir, testBlock); err != nil {
			t.Fatal(err)
		}
		segments = append(segments, s)
	}
	set, err := failpoint.Parse("spill.write=enospc@2")
	if err != nil {
		t.Fatal(err)
	}
	left, err := PlanReduction(segments, 2, 2).Run(failpoint.With(t.Context(), set), dir, blockOf(3), func(int) {})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "scratch_dir") {
		t.Errorf("got %v", err)
	}
	for _, s := range left {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("%d scratch files are left", len(files))
	}
}

// judgedSegment makes a segment of encoded rows, or of rows with columns.
func judgedSegment(r *rand.Rand, i int) *Segment {
	var s *Segment
	if i%2 == 0 {
		s, _ = encodedRows(r, 1+r.IntN(200))
	} else {
		rs, batch := some(r, 1+r.IntN(200))
		s = NewSegment(rs, batch)
	}
	for i := range s.Len() {
		s.Verdicts.Set(i, rules.Verdict(r.IntN(3)))
	}
	return s
}

// published describes the rows of a partition that are not dropped, in the order in which
// segments give them.
func published(t *testing.T, segments []*Segment, part int64) []string {
	t.Helper()
	var cursors []Cursor
	for _, s := range segments {
		if c := s.Open(part); c != nil {
			cursors = append(cursors, c)
		}
	}
	var out []string
	last := rules.Row{Raw: math.MinInt64}
	err := Merge(t.Context(), cursors, func(ch *Chunk, i int) error {
		row := ch.Rows[i]
		if row.Raw < last.Raw || row.Raw == last.Raw && row.Key < last.Key {
			t.Error("the rows are not in order")
		}
		last = row
		text := text(t, ch, i)
		out = append(out, fmt.Sprint(row.Raw, row.Key, row.Ver, row.Format, ch.Verdict(i), len(text), text[:min(len(text), 200)]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
