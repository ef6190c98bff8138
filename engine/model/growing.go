package model

import "math/rand"

// A mirror that writes in place shows part files before they are complete: their
// first blocks, which are an Avro file of their own, or what stood there before.

// present are the rows that are there.
func (f *File) present() [][]any { return f.Rows[:len(f.Rows)-f.Rest] }

// blocks returns how many rows a block has.
func (f *File) blocks() int {
	if f.BlockRows == 0 {
		return 16
	}
	return f.BlockRows
}

// begin leaves away rows from some block on, sometimes from the first.
func (f *File) begin(r *rand.Rand) {
	if n := len(f.Rows); n > 0 {
		per := f.blocks()
		f.Rest = n - per*r.Intn((n+per-1)/per)
	}
}

// Grow brings files that are not complete nearer to it, in memory and in the
// export in folder dir, and reports whether it found any. A draft becomes another
// file, sometimes a shorter one, whose size is not the draft's.
func Grow(dumps []*Dump, r *rand.Rand, dir string) (found bool, err error) {
	done := map[*File]bool{}
	for _, d := range dumps {
		for _, e := range d.Entries {
			for _, f := range e.Files {
				if done[f] || f.Rest == 0 && !f.Draft {
					continue
				}
				done[f] = true
				if err := f.grow(r); err != nil {
					return false, err
				}
				if err := f.write(dir); err != nil {
					return false, err
				}
			}
		}
	}
	return len(done) > 0, nil
}

// Complete finishes the dump's files at once.
func (d *Dump) Complete(dir string) error {
	for _, e := range d.Entries {
		for _, f := range e.Files {
			if f.Rest == 0 && !f.Draft {
				continue
			}
			f.Rest, f.Draft = 0, false
			if err := f.write(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) grow(r *rand.Rand) error {
	if !f.Draft {
		if was := f.Rest; was > 0 {
			f.Rest = max(0, was-f.blocks()*(1+r.Intn(3)))
		}
		return nil
	}
	before, err := f.encode()
	if err != nil {
		return err
	}
	rest := f.Rest
	f.Draft = false
	f.begin(r)
	after, err := f.encode()
	if err == nil && len(after) == len(before) {
		f.Rest = rest // a draft of the same rows is longer
	}
	return err
}
