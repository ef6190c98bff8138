// Package export makes exports for benchmarks: Avro part files and manifests
// as the vendor lays them out, from a few numbers and a seed. Equal options give
// equal bytes, whatever the number of processors. It writes nothing but the
// folder that it is given, and it never reads rows back.
package export

import (
	"fmt"
	"math"
	"slices"
)

// Options says what an export holds. All numbers are of distinct things: rows
// that are delivered again come on top.
type Options struct {
	Events      int     // rows of the table pageviews
	Sessions    int     // rows of the table sessions
	Users       int     // rows of the table users
	Newcomers   int     // further users, whom only the last two days know
	Columns     int     // delivered columns of pageviews, from MinColumns on
	Tables      int     // further event tables, of few columns
	TableEvents int     // rows of each of these
	Clicks      int     // rows of the table clicks, of four columns
	Comments    int     // rows of the table comments, each with a text of CommentBytes
	Days        int     // that the events spread over
	Dumps       int     // that the events spread over
	Order       string  // of the events: one of the orders below
	Old         float64 // share of page views that happened at any time before their dump's
	Overlap     float64 // share of a dump's events that the next one delivers again
	Migrations  int     // users that are mapped to another one
	Codec       string  // "null" or "snappy"
	FileRows    int     // rows of a part file
	Seed        uint64
}

// Orders of events.
const (
	Sorted   = "sorted"   // by time
	Shuffled = "shuffled" // each dump has its part of the days, in no order
	Random   = "random"   // every dump has events of all days, in no order
)

// MinColumns is the number of columns of pageviews that are always there.
const MinColumns = 30

// CommentBytes is the length of a text of comments.
const CommentBytes = 1500

// Check reports the first option that makes no sense.
func (o *Options) Check() error {
	for _, c := range []struct {
		name  string
		v, lo int
	}{
		{"events", o.Events, 1}, {"sessions", o.Sessions, 1}, {"users", o.Users, 2}, {"newcomers", o.Newcomers, 0},
		{"columns", o.Columns, MinColumns}, {"tables", o.Tables, 0}, {"events of a table", o.TableEvents, 0},
		{"clicks", o.Clicks, 0}, {"comments", o.Comments, 0},
		{"days", o.Days, 1}, {"dumps", o.Dumps, 1}, {"migrations", o.Migrations, 0}, {"rows of a file", o.FileRows, 1},
	} {
		if c.v < c.lo || c.v > math.MaxInt32 {
			return fmt.Errorf("%s: %d is not from %d to %d", c.name, c.v, c.lo, math.MaxInt32)
		}
	}
	switch {
	case !(o.Overlap >= 0 && o.Overlap <= 1):
		return fmt.Errorf("overlap: %v is not from 0 to 1", o.Overlap)
	case !(o.Old >= 0 && o.Old <= 1):
		return fmt.Errorf("share of old rows: %v is not from 0 to 1", o.Old)
	case o.Migrations > o.Users/2:
		return fmt.Errorf("migrations: %d of %d users: at most half can be mapped", o.Migrations, o.Users)
	case !slices.Contains([]string{Sorted, Shuffled, Random}, o.Order):
		return fmt.Errorf("order: %q is none of %s, %s, %s", o.Order, Sorted, Shuffled, Random)
	case o.Codec != "null" && o.Codec != "snappy":
		return fmt.Errorf("codec: %q is neither null nor snappy", o.Codec)
	}
	return nil
}

// Stats counts what was written.
type Stats struct {
	Rows  int64 // of all tables, repeated ones too
	Bytes int64 // of all part files
	Dump  int64 // the last dump's id
}
