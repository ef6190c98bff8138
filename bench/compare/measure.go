package main

import (
	"fmt"

	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// newlyMapped is how many users one of the kinds of nights maps.
const newlyMapped = 100

// comparison is one run of the command.
type comparison struct {
	o     *options
	place *bed.Place
	lake  *bed.Lake
}

// measure runs everything and prints the figures.
func (m *comparison) measure() error {
	cold, sql := &measure.Series{Name: "reconcile, cold load"}, &measure.Series{Name: "chdb, same job"}
	for range m.o.runs {
		if err := cold.Add(m.lake.Load()); err != nil {
			return err
		}
		if m.o.alone {
			continue
		}
		if err := sql.Add(m.place.Engine("chdb")); err != nil {
			return err
		}
	}
	report(cold, sql)
	if err := m.sizes(); err != nil {
		return err
	}
	if m.o.nights == 0 {
		return nil
	}
	return m.measureNights(cold)
}

// measureNights applies a small dump on top of what the last cold load left, and
// another one on top of that, each several times from the same start.
func (m *comparison) measureNights(cold *measure.Series) error {
	calm := &measure.Series{Name: fmt.Sprintf("night of %d", m.o.night)}
	merging := &measure.Series{Name: fmt.Sprintf("night of %d, %d users newly mapped", m.o.night, newlyMapped)}
	idle := &measure.Series{Name: "nothing new"}
	if err := m.night(calm, 0); err != nil {
		return err
	}
	if err := m.night(merging, newlyMapped); err != nil {
		return err
	}
	for range m.o.nights {
		if err := idle.Add(m.lake.Apply()); err != nil {
			return err
		}
	}
	again := &measure.Series{Name: "chdb, all from scratch"}
	if !m.o.alone {
		if err := again.Add(m.place.Engine("chdb")); err != nil {
			return err
		}
	}
	report(cold, calm, merging, idle, again)
	if len(again.Samples) == 0 {
		return nil
	}
	return m.lake.Same("chdb")
}

func (m *comparison) night(s *measure.Series, mapped int) error {
	if err := m.lake.Save(); err != nil {
		return err
	}
	if err := m.place.AddNight(export.Night{Events: m.o.night, Migrations: mapped}); err != nil {
		return err
	}
	for range m.o.nights {
		if err := m.lake.Restore(); err != nil {
			return err
		}
		if err := s.Add(m.lake.Apply()); err != nil {
			return err
		}
	}
	return nil
}

// sizes prints how large the tables are, and checks that they are the same.
func (m *comparison) sizes() error {
	ours, err := m.lake.LakeMB()
	if err != nil {
		return err
	}
	if m.o.alone {
		fmt.Printf("Parquet: %.1f MB\n", ours)
		return nil
	}
	theirs, err := m.place.OutputMB("chdb")
	if err != nil {
		return err
	}
	fmt.Printf("Parquet: %.1f MB, by chdb %.1f MB\n", ours, theirs)
	return m.lake.Same("chdb")
}

// report prints a row for each series; the ratios are of its medians to those
// of the first.
func report(all ...*measure.Series) {
	fmt.Println("\n| | wall s | median | CPU s | median | peak MB | wall ratio | CPU ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, s := range all {
		if len(s.Samples) == 0 {
			continue
		}
		wall, cpu := s.Median(measure.Wall), s.Median(measure.CPU)
		fmt.Printf("| %s | %s | %.2f | %s | %.2f | %.0f | %.2f | %.2f |\n", s.Name, s.Each(measure.Wall), wall, s.Each(measure.CPU), cpu, s.Peak(),
			wall/all[0].Median(measure.Wall), cpu/all[0].Median(measure.CPU))
	}
	fmt.Println()
}
