package main

import "fmt"

// newlyMapped is how many users one of the kinds of nights maps.
const newlyMapped = 100

// measure runs everything and prints the figures.
func (b *bed) measure() error {
	cold, sql := &series{name: "reconcile, cold load"}, &series{name: "chdb, same job"}
	for range b.o.runs {
		if err := cold.add(b.load()); err != nil {
			return err
		}
		if b.o.alone {
			continue
		}
		if err := sql.add(b.query()); err != nil {
			return err
		}
	}
	report(cold, sql)
	if err := b.sizes(); err != nil {
		return err
	}
	if b.o.nights == 0 {
		return nil
	}
	return b.measureNights(cold)
}

// measureNights applies small dumps on top of what the last cold load left,
// one after the other.
func (b *bed) measureNights(cold *series) error {
	calm := &series{name: fmt.Sprintf("night of %d", b.o.night)}
	merging := &series{name: fmt.Sprintf("night of %d, %d users newly mapped", b.o.night, newlyMapped)}
	idle := &series{name: "nothing new"}
	for range b.o.nights {
		if err := b.night(calm, 0); err != nil {
			return err
		}
		if err := b.night(merging, newlyMapped); err != nil {
			return err
		}
		if err := idle.add(b.apply()); err != nil {
			return err
		}
	}
	again := &series{name: "chdb, all from scratch"}
	if !b.o.alone {
		if err := again.add(b.query()); err != nil {
			return err
		}
	}
	report(cold, calm, merging, idle, again)
	if len(again.samples) == 0 {
		return nil
	}
	return b.same()
}

func (b *bed) night(s *series, mapped int) error {
	if err := b.addNight(mapped); err != nil {
		return err
	}
	return s.add(b.apply())
}

// sizes prints how large the tables are, and sees that they are the same.
func (b *bed) sizes() error {
	ours, err := folderMB(b.in("work", "lake"))
	if err != nil {
		return err
	}
	if b.o.alone {
		fmt.Printf("Parquet: %.1f MB\n", ours)
		return nil
	}
	theirs, err := folderMB(b.in("chdb"))
	if err != nil {
		return err
	}
	fmt.Printf("Parquet: %.1f MB, by chdb %.1f MB\n", ours, theirs)
	return b.same()
}
