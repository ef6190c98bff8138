package avro

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// number returns the number of a text, as encoding does.
func number(b *internTable, v string) uint16 {
	if c := b.current.Load().lookUp([]byte(v)); c != asIs {
		return c
	}
	return b.intern([]byte(v))
}

// A text has one number, whoever asks for it and when, and the number the text.
func TestInternTableNumbers(t *testing.T) {
	b := newInternTable(NewPool(1 << 20))
	const texts = 3000
	// Of all lengths, and in many of them only one byte is another one.
	text := func(i int) string { return strings.Repeat("x", i%50)[i%7%(i%50+1):] + strconv.FormatInt(int64(i), 36) }
	var wg sync.WaitGroup
	numbers := make([][]uint16, 4)
	for g := range numbers {
		numbers[g] = make([]uint16, texts)
		wg.Go(func() {
			for _, i := range rand.New(rand.NewPCG(uint64(g), 1)).Perm(texts) {
				numbers[g][i] = number(b, text(i))
			}
		})
	}
	wg.Wait()
	seen := map[uint16]bool{}
	for i := range texts {
		c := numbers[0][i]
		if c == asIs || seen[c] {
			t.Fatalf("text %d has the number %d", i, c)
		}
		seen[c] = true
		for g := range numbers {
			if numbers[g][i] != c {
				t.Fatalf("text %d has the numbers %d and %d", i, c, numbers[g][i])
			}
		}
		if got := string(b.text(c)); got != text(i) {
			t.Fatalf("number %d is %q", c, got)
		}
	}
}

// Short texts differ as keys if they differ and are equally long.
func TestShorten(t *testing.T) {
	for n := range maxShort + 1 {
		a := bytes.Repeat([]byte("x"), n)
		for i := range n {
			b := bytes.Clone(a)
			if b[i] = 'y'; shorten(a) == shorten(b) {
				t.Errorf("%s and %s have one key", a, b)
			}
		}
		if shorten(a) != shorten(bytes.Clone(a)) {
			t.Errorf("%s has two keys", a)
		}
	}
}

// A table takes no more texts than numbers, none that are long, and no more bytes
// than its pool has; what it has it keeps.
func TestInternTableFull(t *testing.T) {
	b := newInternTable(NewPool(1 << 30))
	if number(b, strings.Repeat("x", maxInternText)) == asIs || number(b, strings.Repeat("x", maxInternText+1)) != asIs {
		t.Error("the longest text is another one")
	}
	for i := range asIs + 10 {
		number(b, fmt.Sprint(i))
	}
	if c := number(b, fmt.Sprint(asIs)); c != asIs || !b.full.Load() {
		t.Errorf("there is no number left, but %d", c)
	}
	if c := number(b, "17"); string(b.text(c)) != "17" {
		t.Errorf("number %d is not that of 17", c)
	}
	pool := NewPool(1000)
	one, two := newInternTable(pool), newInternTable(pool)
	n := 0
	for i := range 100 {
		for _, b := range []*internTable{one, two} {
			if number(b, fmt.Sprint("text ", i)) != asIs {
				n++
			}
		}
	}
	if n < 8 || n > 15 {
		t.Errorf("%d texts are in the tables", n)
	}
}

// The table is switched off if few texts come again, and not if many do.
func TestInternTableIdle(t *testing.T) {
	for share, idle := range map[int]bool{10: false, 60: false, 90: true, 100: true} {
		b := newInternTable(NewPool(1 << 20))
		for range judgeTexts / 64 {
			b.judge(64, 64*share/100)
		}
		if b.idle.Load() != idle {
			t.Errorf("%d %% of the texts are new: idle %v", share, !idle)
		}
	}
}
