package export

import (
	"fmt"
	"slices"
	"strings"
)

// sets are exports with a name.
var sets = []struct {
	name, meaning string
	options       Options
}{
	{"million", "a million page views of 35 columns over 30 days", Options{
		Events: 1_000_000, Sessions: 100_000, Users: 50_000, Columns: 35, Days: 30, Dumps: 5, Order: Shuffled, Migrations: 10_000}},
	{"quarter", "four million page views of 37 columns in random order over 90 days", Options{
		Events: 4_000_000, Sessions: 500_000, Users: 500_000, Newcomers: 4_000, Columns: 37, Days: 90, Dumps: 5, Order: Random, Migrations: 50_000}},
	{"history", "ten times the quarter's days and page views", Options{
		Events: 40_000_000, Sessions: 5_000_000, Users: 500_000, Newcomers: 4_000, Columns: 37, Days: 900, Dumps: 50, Order: Random, Migrations: 50_000}},
	{"large", "a hundred million page views, in 100 dumps", Options{
		Events: 100_000_000, Sessions: 10_000_000, Users: 1_000_000, Newcomers: 4_000, Columns: 37, Days: 365, Dumps: 100, Order: Shuffled, Migrations: 100_000}},
	{"day", "eight million page views of one day", Options{
		Events: 8_000_000, Sessions: 800_000, Users: 500_000, Columns: 37, Days: 1, Dumps: 8, Order: Shuffled, Migrations: 50_000}},
	{"users", "five million users and next to no page views", Options{
		Events: 1_000, Sessions: 100, Users: 5_000_000, Columns: MinColumns, Days: 30, Dumps: 2, Order: Shuffled, Migrations: 50_000}},
	{"uneven", "four million clicks of four columns, 200,000 comments of 1,500 bytes", Options{
		Events: 1_000, Sessions: 100_000, Users: 400_000, Columns: MinColumns, Clicks: 4_000_000, Comments: 200_000, Days: 30, Dumps: 2, Order: Shuffled, Migrations: 40_000}},
	{"files", "400 dumps of 50 tables: 20,000 part files, as many partitions", Options{
		Events: 40_000, Sessions: 20_000, Users: 20_000, Columns: MinColumns, Tables: 47, TableEvents: 20_000, Days: 400, Dumps: 400, Order: Shuffled, Migrations: 400}},
}

// Set returns the options of a set, smaller by scale. What makes a set what it
// is, its columns, tables, days and dumps, stays, but for the dumps and days of
// files.
func Set(name string, scale float64) (Options, error) {
	for _, s := range sets {
		if s.name != name {
			continue
		}
		if !(scale > 0 && scale <= 1) {
			return Options{}, fmt.Errorf("scale: %v is not above 0 and up to 1", scale)
		}
		o := s.options
		o.Overlap, o.Codec, o.FileRows, o.Seed = 0.1, "snappy", 100_000, 1
		scaled := []*int{&o.Events, &o.Sessions, &o.Users, &o.Newcomers, &o.TableEvents, &o.Clicks, &o.Comments, &o.Migrations}
		if name == "files" {
			scaled = append(scaled, &o.Dumps, &o.Days)
		}
		for _, n := range scaled {
			*n = Scaled(*n, scale)
		}
		o.Users = max(o.Users, 4)
		return o, o.Check()
	}
	return Options{}, fmt.Errorf("no set is called %q; there are %s", name, strings.Join(SetNames(), ", "))
}

// Scaled returns n smaller by scale, but not less than 1 unless n is 0.
func Scaled(n int, scale float64) int {
	if n == 0 {
		return 0
	}
	return max(int(float64(n)*scale+0.5), 1)
}

// SetNames lists the sets.
func SetNames() []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.name)
	}
	return slices.Clip(out)
}

func setHelp() string {
	var b strings.Builder
	for _, s := range sets {
		fmt.Fprintf(&b, "\n  %s: %s", s.name, s.meaning)
	}
	return b.String()
}
