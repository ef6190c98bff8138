package export

import (
	"flag"
	"fmt"
)

// Flags declares the flags that fill o, and sets their defaults: a million page
// views.
func (o *Options) Flags(fs *flag.FlagSet) {
	fs.IntVar(&o.Events, "events", 1_000_000, "distinct rows of the table pageviews")
	fs.IntVar(&o.Sessions, "sessions", 100_000, "distinct rows of the table sessions")
	fs.IntVar(&o.Users, "users", 50_000, "distinct rows of the table users")
	fs.IntVar(&o.Columns, "columns", 35, fmt.Sprintf("delivered columns of pageviews, at least %d", MinColumns))
	fs.IntVar(&o.Days, "days", 30, "days that the events spread over")
	fs.IntVar(&o.Dumps, "dumps", 5, "dumps that the events spread over")
	fs.Float64Var(&o.Overlap, "overlap", 0.1, "share of a dump's events that the next dump delivers again")
	fs.IntVar(&o.Migrations, "migrations", 10_000, "users that are mapped to another one")
	fs.BoolVar(&o.Sorted, "sorted", false, "rows of a dump in the order of their time")
	fs.StringVar(&o.Codec, "codec", "snappy", "of the Avro blocks: snappy or null")
	fs.IntVar(&o.FileRows, "file-rows", 100_000, "rows of a part file")
	fs.Uint64Var(&o.Seed, "seed", 1, "of everything that looks random")
}
