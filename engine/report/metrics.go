package report

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/promtext"
)

// Metrics are the figures of a run and of the state after it. Counters go on from an
// earlier file; what is not known at the moment of the tables stays as it was there.
func (r *Run) Metrics(earlier *promtext.Earlier, labels map[string]string) *promtext.File {
	f := &figures{File: &promtext.File{Labels: []promtext.Label{{Name: "folder", Value: r.Folder}}}, earlier: earlier}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		f.Labels = append(f.Labels, promtext.Label{Name: name, Value: labels[name]})
	}
	f.ofRun(r)
	f.ofChanges(r)
	f.ofTables(r)
	return f.File
}

// figures is a file in the making.
type figures struct {
	*promtext.File
	earlier *promtext.Earlier
}

func (f *figures) family(kind promtext.Kind, name, help string) *promtext.Family {
	fam := &promtext.Family{Name: name, Help: help, Kind: kind}
	f.Families = append(f.Families, fam)
	return fam
}

func (f *figures) gauge(name, help string) *promtext.Family {
	return f.family(promtext.Gauge, name, help)
}

func ofTable(name string) promtext.Label { return promtext.Label{Name: "table", Value: name} }

// ofRun adds what the last apply was.
func (f *figures) ofRun(r *Run) {
	f.gauge("reconcile_build_info", "The version of the program that applied last.").Add(1, promtext.Label{Name: "version", Value: r.Program})
	f.gauge("reconcile_apply_last_end_timestamp_seconds", "When the last apply ended, however it did.").Add(seconds(r.Ended))
	success := f.gauge("reconcile_apply_last_success_timestamp_seconds", "When the last apply ended with exit code 0.")
	if r.Code == 0 {
		success.Add(seconds(r.Ended))
	} else {
		f.earlier.Keep(success)
	}
	f.gauge("reconcile_apply_last_exit_code", "The exit code of the last apply.").Add(float64(r.Code))
	f.gauge("reconcile_apply_last_duration_seconds", "How long the last apply took.").Add(r.Ended.Sub(r.Began).Seconds())
	runs := f.family(promtext.Counter, "reconcile_applies_total", "Applies by the exit code that they ended with.")
	for _, code := range []int{0, 1, 3, 11, 12, 13, 130} {
		n := 0.0
		if code == r.Code {
			n = 1
		}
		f.earlier.Count(f.File, runs, n, promtext.Label{Name: "code", Value: strconv.Itoa(code)})
	}
	f.gauge("reconcile_apply_failed_tables", "Tables that failed in the last apply.").Add(float64(r.failed()))
}

func (r *Run) failed() (n int) {
	if r.Result == nil {
		return 0
	}
	for _, t := range r.Result.Tables {
		if t.Err != nil {
			n++
		}
	}
	return n
}

// ofChanges counts what applies did to the rows of tables.
func (f *figures) ofChanges(r *Run) {
	changes := f.family(promtext.Counter, "reconcile_table_changed_rows_total", "Rows of a table by what applies did to them.")
	rounded := f.family(promtext.Counter, "reconcile_table_rounded_values_total", "Values that a configured rounding changed.")
	read := f.family(promtext.Counter, "reconcile_table_read_bytes_total", "Bytes of part files that applies read.")
	written := f.family(promtext.Counter, "reconcile_table_written_bytes_total", "Bytes of data files that applies wrote.")
	counts := map[string]plan.Counts{}
	if r.After == nil {
		for _, fam := range []*promtext.Family{changes, rounded, read, written} {
			f.earlier.Keep(fam)
		}
		return
	}
	for _, t := range r.After.Tables {
		counts[t.Name] = plan.Counts{}
	}
	if r.Result != nil {
		for _, t := range r.Result.Tables {
			if _, there := counts[t.Name]; there {
				counts[t.Name] = t.Counts
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		c := counts[name]
		for _, change := range []struct {
			what string
			rows int64
		}{{"added", c.Added}, {"replaced", c.Replaced}, {"rekeyed", c.Rekeyed}, {"collapsed", c.Collapsed}, {"revived", c.Revived}, {"removed", c.Removed},
			{"quarantined", c.Quarantined}, {"rescued", c.Rescued}} {
			f.earlier.Count(f.File, changes, float64(change.rows), ofTable(name), promtext.Label{Name: "change", Value: change.what})
		}
		f.earlier.Count(f.File, rounded, float64(c.Rounded), ofTable(name))
		f.earlier.Count(f.File, read, float64(c.Bytes), ofTable(name))
		f.earlier.Count(f.File, written, float64(c.Written), ofTable(name))
	}
}

// ofTables adds what the state says of its tables.
func (f *figures) ofTables(r *Run) {
	list := []struct {
		name, help string
		of         func(t *inspect.TableFigures) (float64, bool)
	}{
		{"reconcile_table_rows", "Published rows.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Rows), true }},
		{"reconcile_table_hidden_rows", "Rows that another row of the same event and person hides.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Hidden), true }},
		{"reconcile_table_quarantined_rows", "Rows in the quarantine, as they lack their keys.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Quarantined), true }},
		{"reconcile_table_bytes", "Bytes of the data files, in all sinks.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Bytes), true }},
		{"reconcile_table_files", "Data files, in all sinks.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Files), true }},
		{"reconcile_table_commit", "The number of the last commit.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Commit), true }},
		{"reconcile_table_last_commit_timestamp_seconds", "When the last commit was made.", func(t *inspect.TableFigures) (float64, bool) { return seconds(t.Committed), !t.Committed.IsZero() }},
		{"reconcile_table_last_delivery_dump", "The newest dump that the table has.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Dump), true }},
		{"reconcile_table_last_delivery_timestamp_seconds", "When the manifest of the newest dump that the table has arrived.", func(t *inspect.TableFigures) (float64, bool) { return seconds(t.Arrived), !t.Arrived.IsZero() }},
		{"reconcile_table_waiting_dumps", "Delivered dumps that the last apply left.", func(t *inspect.TableFigures) (float64, bool) { return float64(t.Waiting), true }},
		{"reconcile_table_mapping_lag_seconds", "How much older the user mapping of the table is than the one in force.", func(t *inspect.TableFigures) (float64, bool) {
			if t.MappingLag == nil {
				return 0, false
			}
			return t.MappingLag.Seconds(), true
		}},
	}
	for _, l := range list {
		fam := f.gauge(l.name, l.help)
		if r.After == nil {
			f.earlier.Keep(fam)
			continue
		}
		for i := range r.After.Tables {
			if v, ok := l.of(&r.After.Tables[i]); ok {
				fam.Add(v, ofTable(r.After.Tables[i].Name))
			}
		}
	}
	f.ofHolds(r)
}

// ofHolds says of each table whether it is held, and how many holds are of whole sinks,
// dumps and of guards.
func (f *figures) ofHolds(r *Run) {
	held := f.gauge("reconcile_table_held", "1 if the table is held.")
	since := f.gauge("reconcile_table_held_since_timestamp_seconds", "Since when the table is held.")
	holds := f.gauge("reconcile_holds", "What is held: by a guard, or by something else.")
	if r.After == nil {
		for _, fam := range []*promtext.Family{held, since, holds} {
			f.earlier.Keep(fam)
		}
		return
	}
	tables, first, guards := map[string]float64{}, map[string]time.Time{}, 0
	for _, t := range r.After.Tables {
		tables[t.Name] = 0
	}
	for _, h := range r.After.Holds {
		if h.Guard != "" {
			guards++
		}
		if h.Table == "" {
			continue
		}
		tables[h.Table] = 1
		if at := first[h.Table]; at.IsZero() || !h.Since.IsZero() && h.Since.Before(at) {
			first[h.Table] = h.Since
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		held.Add(tables[name], ofTable(name))
		if at := first[name]; !at.IsZero() {
			since.Add(seconds(at), ofTable(name))
		}
	}
	holds.Add(float64(guards), promtext.Label{Name: "kind", Value: "guard"})
	holds.Add(float64(len(r.After.Holds)-guards), promtext.Label{Name: "kind", Value: "other"})
}

// seconds is a time as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
