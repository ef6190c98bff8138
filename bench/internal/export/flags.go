package export

import (
	"flag"
	"fmt"
)

// Flags are those that describe an export.
type Flags struct {
	fs    *flag.FlagSet
	set   string
	scale float64
	o     Options
}

// NewFlags declares the flags in fs.
func NewFlags(fs *flag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	fs.StringVar(&f.set, "set", "million", "what the flags that are not given are as in:"+setHelp()+"\n")
	fs.Float64Var(&f.scale, "scale", 1, "makes the set smaller: 0.1 for a tenth of the rows")
	f.o.declare(fs)
	return f
}

// Options returns what the parsed flags say.
func (f *Flags) Options() (Options, error) {
	o, err := Set(f.set, f.scale)
	if err != nil {
		return Options{}, err
	}
	own := flag.NewFlagSet("", flag.ContinueOnError)
	o.declare(own)
	f.fs.Visit(func(given *flag.Flag) {
		if own.Lookup(given.Name) != nil && err == nil {
			err = own.Set(given.Name, given.Value.String())
		}
	})
	if err != nil {
		return Options{}, err
	}
	return o, o.Check()
}

// declare declares a flag for each option, with its value as default.
func (o *Options) declare(fs *flag.FlagSet) {
	fs.IntVar(&o.Events, "events", o.Events, "distinct rows of the table pageviews")
	fs.IntVar(&o.Sessions, "sessions", o.Sessions, "distinct rows of the table sessions")
	fs.IntVar(&o.Users, "users", o.Users, "distinct rows of the table users")
	fs.IntVar(&o.Newcomers, "newcomers", o.Newcomers, "further users, whom only the last two days know")
	fs.IntVar(&o.Columns, "columns", o.Columns, fmt.Sprintf("delivered columns of pageviews, at least %d", MinColumns))
	fs.IntVar(&o.Tables, "tables", o.Tables, "further event tables")
	fs.IntVar(&o.TableEvents, "table-events", o.TableEvents, "distinct rows of each further event table")
	fs.IntVar(&o.Clicks, "clicks", o.Clicks, "distinct rows of the table clicks, of four columns")
	fs.IntVar(&o.Comments, "comments", o.Comments, fmt.Sprintf("distinct rows of the table comments, with texts of %d bytes", CommentBytes))
	fs.IntVar(&o.Days, "days", o.Days, "days that the events spread over")
	fs.IntVar(&o.Dumps, "dumps", o.Dumps, "dumps that the events spread over")
	fs.StringVar(&o.Order, "order", o.Order, "of the events: sorted by time; shuffled within a dump, which has its part of the days; or random, every dump with events of all days")
	fs.Float64Var(&o.Old, "old", o.Old, "share of page views that happened at any time before their dump's")
	fs.Float64Var(&o.Overlap, "overlap", o.Overlap, "share of a dump's events that the next dump delivers again")
	fs.IntVar(&o.Migrations, "migrations", o.Migrations, "users that are mapped to another one")
	fs.StringVar(&o.Codec, "codec", o.Codec, "of the Avro blocks: snappy or null")
	fs.IntVar(&o.FileRows, "file-rows", o.FileRows, "rows of a part file")
	fs.Uint64Var(&o.Seed, "seed", o.Seed, "of everything that looks random")
}

// Args returns flags that mean o, whatever the set.
func (o Options) Args() []string {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	o.declare(fs)
	var out []string
	fs.VisitAll(func(f *flag.Flag) { out = append(out, "-"+f.Name+"="+f.Value.String()) })
	return out
}
