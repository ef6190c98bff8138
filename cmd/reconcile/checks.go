package main

import (
	"fmt"
	"text/tabwriter"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

// checkLine is a check that a staged step of a table does not pass.
type checkLine struct {
	Check    string            `json:"check"`
	Table    string            `json:"table"`
	Kind     string            `json:"kind"`
	Asks     string            `json:"asks"`
	Severity string            `json:"severity"`
	Dump     int64             `json:"dump"`
	Accept   string            `json:"accept,omitempty"`
	Judged   int64             `json:"judged"`
	Failed   int64             `json:"failed"`
	Columns  []string          `json:"columns,omitempty"`
	Rows     []failedRowObject `json:"rows,omitempty"`
	Dumps    []dumpRowsObject  `json:"dumps,omitempty"`
}

// failedRowObject is a row that fails, as it would be published.
type failedRowObject struct {
	Dump   int64     `json:"dump"`
	Values []*string `json:"values"`
}

// dumpRowsObject is a dump that fails.
type dumpRowsObject struct {
	Dump int64 `json:"dump"`
	Rows int64 `json:"rows"`
	// TwiceMedian is that of the dumps before it.
	TwiceMedian int64 `json:"twice_median"`
}

// unjudgedLine is a check that has judged nothing of some tables yet.
type unjudgedLine struct {
	Check  string   `json:"check"`
	Tables []string `json:"tables"`
}

// checkObject is a check that judges what a table takes.
type checkObject struct {
	Check    string   `json:"check"`
	Kind     string   `json:"kind"`
	Severity string   `json:"severity"`
	Reads    []string `json:"reads_of_whole_table,omitempty"`
	Users    bool     `json:"reads_users,omitempty"`
}

// severityOf names a severity as the configuration does.
func severityOf(warns bool) string {
	if warns {
		return "warn"
	}
	return "hold"
}

func newCheckLine(f *plan.FailedCheck) checkLine {
	l := checkLine{Check: f.Check, Table: f.Table, Kind: f.Kind, Asks: f.Text, Severity: severityOf(f.Warns), Dump: f.Dump,
		Judged: f.Judged, Failed: f.Failed, Columns: f.Columns}
	if !f.Warns {
		l.Accept = f.Accept()
	}
	for _, r := range f.Rows {
		l.Rows = append(l.Rows, failedRowObject(r))
	}
	for _, d := range f.Dumps {
		l.Dumps = append(l.Dumps, dumpRowsObject(d))
	}
	return l
}

// checks says which checks failed, and shows some of the rows.
func (v *jsonView) checks(failed []plan.FailedCheck) {
	for i := range failed {
		v.record("check", newCheckLine(&failed[i]), "")
	}
}

// unjudged says which checks have judged nothing yet.
func (v *jsonView) unjudged(list []plan.Unjudged) {
	for _, u := range byCheck(list) {
		v.record("unjudged_check", u, "")
	}
}

// byCheck gathers the tables of each check, in the order in which they come first.
func byCheck(list []plan.Unjudged) []unjudgedLine {
	var out []unjudgedLine
	at := map[string]int{}
	for _, u := range list {
		i, ok := at[u.Check]
		if !ok {
			i = len(out)
			at[u.Check] = i
			out = append(out, unjudgedLine{Check: u.Check})
		}
		out[i].Tables = append(out[i].Tables, u.Table)
	}
	return out
}

// unjudgedChecks names the checks that have judged nothing yet, with their tables.
func unjudgedChecks(list []plan.Unjudged) []string {
	var out []string
	for _, u := range byCheck(list) {
		out = append(out, fmt.Sprintf("%s (%s)", plan.CheckAddress(u.Check), tableList(u.Tables)))
	}
	return out
}

// checks says which checks failed, and shows some of the rows.
func (v *textView) checks(failed []plan.FailedCheck) {
	for i := range failed {
		f := &failed[i]
		word := v.style.red("Failed:")
		if f.Warns {
			word = v.style.yellow("Warning:")
		}
		v.printf("\n%s table.%s: %s\n", word, f.Table, f.Found())
		w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
		for _, d := range f.Dumps {
			writeCells(w, fmt.Sprintf("  dump %d", d.Dump), amount.Of(d.Rows, "row"), fmt.Sprintf("the median of those before it is %g", float64(d.TwiceMedian)/2))
		}
		writeFailedRows(w, f)
		_ = w.Flush() // the writer below keeps the error for the end of the program
		if n := f.Failed - int64(len(f.Rows)+len(f.Dumps)); n > 0 {
			v.printf("  and %s more\n", amount.Number(n))
		}
	}
}

// mostOfValue is how much is shown of a long value.
const mostOfValue = 60

// writeFailedRows shows rows by key, dump and the columns that were checked.
func writeFailedRows(w *tabwriter.Writer, f *plan.FailedCheck) {
	if len(f.Rows) == 0 {
		return
	}
	cells := append([]string{f.Columns[0], feed.DumpID}, f.Columns[1:]...)
	for i := -1; i < len(f.Rows); i++ {
		if i >= 0 {
			r := &f.Rows[i]
			cells = []string{valueText(r.Values[0]), fmt.Sprint(r.Dump)}
			for _, value := range r.Values[1:] {
				cells = append(cells, valueText(value))
			}
		}
		writeCells(w, append([]string{"  " + cells[0]}, cells[1:]...)...)
	}
}

func valueText(value *string) string {
	if value == nil {
		return "null"
	}
	if runes := []rune(*value); len(runes) > mostOfValue {
		return string(runes[:mostOfValue]) + "..."
	}
	return *value
}

// simpleChecks names the checks that read no more than what the step stages.
func simpleChecks(list []plan.TableCheck) []string {
	var out []string
	for _, c := range list {
		if len(c.Reads) == 0 && !c.Users {
			out = append(out, plan.CheckAddress(c.Check))
		}
	}
	return out
}

// checkObjects are the checks that judge what a table takes.
func checkObjects(list []plan.TableCheck) []checkObject {
	return each(list, func(c plan.TableCheck) checkObject {
		return checkObject{Check: c.Check, Kind: c.Kind, Severity: severityOf(c.Warns), Reads: c.Reads, Users: c.Users}
	})
}
