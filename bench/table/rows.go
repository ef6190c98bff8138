package main

import (
	"fmt"
	"strings"
)

// row is a row of the table.
type row struct {
	name     string
	title    string
	atLeast  string
	hopedFor string
	optional bool // only measured when it is asked for
	measure  func(*runner) error
}

// allRows are in the order in which they are measured: the server of s3 comes
// last, because a harness that has grown would show in the memory of programs
// that it starts.
func allRows() []row {
	return []row{
		{"cold", "cold load of the set, against chdb", "4 times faster", "6 times", false, (*runner).cold},
		{"memory", "peak memory of it", "1 GiB", "512 MiB", false, (*runner).memory},
		{"size", "output size, against chdb's zstd Parquet of the same rows", "0.75 of it", "0.6", false, (*runner).size},
		{"state", "state and indexes", "10 bytes a row", "7", false, (*runner).state},
		{"night", "a night of 20 k events and 800 new migrations, against chdb recomputing", "30 times faster", "60 times", false, (*runner).night},
		{"rekey", "re-keying 1 % of all users, old ones too, against rewriting the files they touch", "15 times cheaper in CPU", "25 times", false, (*runner).rekey},
		{"redeliver", "re-delivery of a whole dump unchanged, against its first apply", "10 times cheaper", "", false, (*runner).redeliver},
		{"users", "users: 5 M stored, 50 k of them delivered again", "12 s", "6 s", false, (*runner).users},
		{"noop", "no-op plan and apply, 400 dumps, 50 tables, 20 k files, local", "100 ms of CPU, 64 MiB", "30 ms", false, (*runner).noop},
		{"history", "the same night on ten times the history: bytes read and written, and CPU; recent users re-keyed", "1.2 times", "1.05 times", false, (*runner).history},
		{"s3", "S3 to S3 against a server on the same machine", "0.8 of the local rate", "", false, (*runner).s3},
		{"partition", "8 M page views of one day, and a night of 30 k onto them", "1 GiB", "", false, (*runner).partition},
		{"large", "a load of 100 M page views, and of a tenth of them", "1 GiB", "", true, (*runner).large},
	}
}

func rowHelp() string {
	var b strings.Builder
	for _, r := range allRows() {
		fmt.Fprintf(&b, "\n  %s: %s", r.name, r.title)
	}
	return b.String()
}

// selectRows returns the rows of these names, in the order of the table; all
// that are not optional if there are none.
func selectRows(names []string) ([]row, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	var out []row
	for _, r := range allRows() {
		if wanted[r.name] || len(names) == 0 && !r.optional {
			out = append(out, r)
		}
		delete(wanted, r.name)
	}
	for n := range wanted {
		return nil, fmt.Errorf("no row is called %q; there are:%s", n, rowHelp())
	}
	return out, nil
}
