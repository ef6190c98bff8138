package rows

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"reconcile/engine/rules"
	"reconcile/internal/failpoint"
)

// encodedRow is a row and what it was encoded with.
type encodedRow struct {
	row    rules.Row
	record string
}

// add adds a row with a block of its own.
func add(p *EncodedRows, row rules.Row, record string) {
	row.Size = uint32(copy(p.Block(len(record)), record))
	p.Add(row)
}

// encodedRows makes n encoded rows in blocks of some; some have no record.
func encodedRows(r *rand.Rand, n int) (*Segment, []encodedRow) {
	rs, _ := some(r, n)
	p := EncodedRows{Secret: r.IntN(2) == 0}
	want := make([]encodedRow, n)
	for i, row := range rs {
		row.At = 0
		want[i] = encodedRow{row, strings.Repeat(fmt.Sprint(i), r.IntN(4))}
		if n > 100 && r.IntN(200) == 0 { // about the size of slabs, and above
			want[i].record = strings.Repeat("x", (1<<slabBits)/(1+r.IntN(9))-4+r.IntN(6)) + strings.Repeat("y", r.IntN(2)*r.IntN(5<<slabBits/2))
		}
		want[i].row.Format = r.Uint32N(3) * 100
	}
	for lo := 0; lo < n; {
		hi := min(n, lo+1+r.IntN(20))
		var block []byte
		for _, w := range want[lo:hi] {
			block = append(block, w.record...)
		}
		if copy(p.Block(len(block)), block); r.IntN(3) == 0 {
			p.Grow(hi - lo)
		}
		at := 0
		for _, w := range want[lo:hi] {
			row := w.row
			row.At, row.Size = uint32(at), uint32(len(w.record))
			at += len(w.record)
			p.Add(row)
		}
		lo = hi
	}
	slices.SortStableFunc(want, func(a, b encodedRow) int { return rules.CompareRows(a.row, b.row) })
	return p.Seal(), want
}

// readPacks reads a segment partition by partition. Chunks stay what they are
// while later ones are read.
func readPacks(t *testing.T, s *Segment) []encodedRow {
	t.Helper()
	var chunks []*Chunk
	for _, p := range s.Parts {
		c := s.Open(p.Part)
		for {
			ch, err := c.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if ch == nil {
				break
			}
			chunks = append(chunks, ch)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	var out []encodedRow
	for _, ch := range chunks {
		if !ch.Encoded() {
			t.Fatal("a chunk is not encoded")
		}
		for i, row := range ch.Rows {
			if v := ch.Verdict(i); v != rules.Verdict((ch.First+i)%3) {
				t.Fatalf("row %d has verdict %d", ch.First+i, v)
			}
			record, err := ch.Record(i)
			if err != nil {
				t.Fatal(err)
			}
			row.At, row.Size = 0, 0
			out = append(out, encodedRow{row, string(record)})
		}
	}
	return out
}

// Encoded rows come back in order with their records, from memory and from a
// scratch file, for every size of block.
func TestPack(t *testing.T) {
	for _, n := range []int{1, 2, 50, 3000} {
		for _, group := range []int{1, 7, 5000, 1 << 14} {
			r := rand.New(rand.NewPCG(uint64(n), uint64(group)))
			s, want := encodedRows(r, n)
			for i := range n {
				s.Verdicts.Set(i, rules.Verdict(i%3))
			}
			if got := readPacks(t, s); !slices.Equal(got, want) {
				t.Fatalf("%d rows in memory differ", n)
			}
			dir := t.TempDir()
			if err := s.Spill(t.Context(), dir, blockOf(group)); err != nil {
				t.Fatal(err)
			}
			if s.Rows() != nil || s.Part(s.Parts[0].Part) != nil {
				t.Error("a spilled segment still has rows in memory")
			}
			if got := readPacks(t, s); !slices.Equal(got, want) {
				t.Fatalf("%d spilled rows in blocks of %d differ", n, group)
			}
			if spare := s.Reuse(); cap(spare.rows) < n || spare.Len() != 0 || cap(s.Reuse().rows) != 0 {
				t.Error("the memory of spilled rows cannot be used again, or twice")
			}
			for range 2 {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("%d scratch files are left", len(files))
			}
		}
	}
}

// Blocks of a scratch file are compressed where that saves enough.
func TestPackSqueezed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, c := range map[string]struct {
		record   func() string
		squeezed bool
	}{
		"alike": {func() string { return "all of them are the same, all of them" }, true},
		"random": {func() string {
			return fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
		}, false},
	} {
		p, size := EncodedRows{}, 0
		for i := range 10_000 {
			record := c.record()
			add(&p, rules.Row{Raw: int64(i)}, record)
			size += blockHead + len(record)
		}
		s := p.Seal()
		if err := s.Spill(t.Context(), t.TempDir(), testBlock); err != nil {
			t.Fatal(err)
		}
		info, err := s.scratch.f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if c.squeezed && info.Size() > int64(size)/2 || !c.squeezed && info.Size() != int64(size) {
			t.Errorf("%s: %d bytes of %d", name, info.Size(), size)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is secret cannot be read in a scratch file.
func TestPackSecret(t *testing.T) {
	for _, secret := range []bool{false, true} {
		p := EncodedRows{Secret: secret}
		for i := range 100 {
			add(&p, rules.Row{Raw: int64(i)}, fmt.Sprintf("%d ada@example.com", i*i*i))
		}
		s := p.Seal()
		if err := s.Spill(t.Context(), t.TempDir(), testBlock); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(s.scratch.f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := strings.Contains(string(data), "ada@exam"); found == secret {
			t.Errorf("secret %v, readable %v", secret, found)
		}
		ch, err := s.Open(0).Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if record, err := ch.Record(3); err != nil || string(record) != "27 ada@example.com" {
			t.Errorf("got %q and error %v", record, err)
		}
	}
}

// A scratch file of encoded rows that is damaged is an error that names it.
func TestPackDamaged(t *testing.T) {
	s, _ := encodedRows(rand.New(rand.NewPCG(3, 3)), 2000)
	if err := s.Spill(t.Context(), t.TempDir(), testBlock); err != nil {
		t.Fatal(err)
	}
	path := s.scratch.f.Name()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := s.scratch.blocks[0]
	for at := 0; at < first.size; at += 997 {
		bad := slices.Clone(data)
		bad[at] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(s.Parts[0].Part).Next(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
	}
	if err := os.Truncate(path, int64(first.size/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(s.Parts[0].Part).Next(t.Context()); err == nil {
		t.Error("a cut file was read")
	}
}

// What fails while encoded rows are spilled leaves them as they were and no file.
func TestPackSpillFails(t *testing.T) {
	for spec, want := range map[string]error{"spill.write=enospc@2": syscall.ENOSPC, "spill.write=error": failpoint.ErrInjected} {
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := encodedRows(rand.New(rand.NewPCG(4, 4)), 100)
		dir := t.TempDir()
		if err := s.Spill(failpoint.With(t.Context(), set), dir, blockOf(5)); !errors.Is(err, want) {
			t.Errorf("%s: %v", spec, err)
		}
		if files, _ := os.ReadDir(dir); len(files) != 0 || len(s.Rows()) != 100 {
			t.Errorf("%s: %d files are left, or the rows are gone", spec, len(files))
		}
	}
}

func TestRowSize(t *testing.T) {
	if got := int(unsafe.Sizeof(rules.Row{})); got != RowSize {
		t.Errorf("a row takes %d bytes, not %d", got, RowSize)
	}
}
