package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"reconcile/engine"
	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/notify"
	"reconcile/internal/promtext"
)

var day = time.Date(2026, 3, 7, 8, 0, 0, 0, time.UTC)

func hold(table string, dump int64, guard string) inspect.Hold {
	return inspect.Hold{Hold: plan.Hold{Table: table, Dump: dump, Guard: guard, Accept: fmt.Sprintf("%s@%d", table, dump), Reason: "why"}, Since: day}
}

// told are the events of a run, each as kind, table and dump.
func told(r *Run) (out []string) {
	for _, e := range r.Message().Events {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %d", e.Event, e.Table, e.Dump)))
	}
	return out
}

func TestEvents(t *testing.T) {
	resync := &engine.Result{Tables: []engine.TableResult{{Name: "cart", Resyncs: []int64{44}, Counts: plan.Counts{Rows: 5, Removed: 7}}, {Name: "x"}}}
	for name, c := range map[string]struct {
		run  Run
		want []string
	}{
		"nothing":           {Run{Planned: true, After: &inspect.Figures{}}, nil},
		"begins":            {Run{Code: 13, Planned: true, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "g")}}}, []string{"hold_began a 43", "exit_13  0"}},
		"goes on":           {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("a", 43, "g")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "g")}}}, []string{"exit_13  0"}},
		"ends":              {Run{Planned: true, Before: []inspect.Hold{hold("a", 43, "g")}, After: &inspect.Figures{}}, []string{"hold_ended a 43"}},
		"of another dump":   {Run{Code: 3, Planned: true, Before: []inspect.Hold{hold("a", 43, "")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 44, "")}}}, []string{"hold_began a 44", "hold_ended a 43", "exit_3  0"}},
		"now by a guard":    {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("a", 43, "")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "g")}}}, []string{"hold_began a 43", "hold_ended a 43", "exit_13  0"}},
		"a check goes on":   {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("a", 43, "check.x")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 44, "check.x")}}}, []string{"exit_13  0"}},
		"another check":     {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("a", 43, "check.x")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "check.y")}}}, []string{"hold_began a 43", "hold_ended a 43", "exit_13  0"}},
		"a mapping goes on": {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("user_migrations", 43, "g")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("user_migrations", 44, "g")}}}, []string{"exit_13  0"}},
		"another resync":    {Run{Code: 13, Planned: true, Before: []inspect.Hold{hold("a", 43, "g")}, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "g"), hold("a", 44, "g")}}}, []string{"hold_began a 44", "exit_13  0"}},
		"never planned":     {Run{Code: 1, After: &inspect.Figures{Holds: []inspect.Hold{hold("a", 43, "g")}}}, []string{"exit_1  0"}},
		"state unreadable":  {Run{Code: 1, Planned: true, Before: []inspect.Hold{hold("a", 43, "g")}}, []string{"exit_1  0"}},
		"resync":            {Run{Planned: true, Result: resync, After: &inspect.Figures{}}, []string{"resync_applied cart 44"}},
		"locked":            {Run{Code: 11}, []string{"exit_11  0"}},
		"stale":             {Run{Code: 12}, []string{"exit_12  0"}},
		"interrupted":       {Run{Code: 130}, nil},
	} {
		if got := told(&c.run); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	m := (&Run{Planned: true, Result: resync, After: &inspect.Figures{}}).Message()
	if e := m.Events[0]; *e.Rows != 5 || *e.Removed != 7 || e.Event != notify.ResyncApplied {
		t.Errorf("%+v", e)
	}
}

// measured are the samples of a run, by name and value of the label that tells them apart.
func measured(t *testing.T, r *Run, file string) map[string]float64 {
	t.Helper()
	earlier, err := promtext.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	f := r.Metrics(earlier, map[string]string{"environment": "production"})
	if err := promtext.Write(file, f); err != nil {
		t.Fatal(err)
	}
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(f.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for name, fam := range families {
		for _, m := range fam.Metric {
			key := name
			for _, l := range m.Label {
				if !slices.Contains([]string{"folder", "environment", "version"}, l.GetName()) {
					key += " " + l.GetValue()
				}
			}
			out[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.prom")
	lag := 36 * time.Hour
	cart := inspect.TableFigures{Name: "cart", Rows: 10, Hidden: 2, Quarantined: 1, Files: 3, Bytes: 999, Commit: 7, Committed: day, Dump: 43, Arrived: day, MappingLag: &lag, Waiting: 2}
	run := &Run{Program: "1", Folder: "/srv/shop", Began: day, Ended: day.Add(90 * time.Second), Planned: true,
		Result: &engine.Result{Tables: []engine.TableResult{{Name: "cart", Counts: plan.Counts{Added: 3, Rescued: 2, Written: 50}}}},
		After:  &inspect.Figures{Tables: []inspect.TableFigures{cart, {Name: "new"}}, Holds: []inspect.Hold{hold("cart", 44, "g"), hold("never", 44, "")}}}
	end := float64(day.Unix() + 90)
	check := func(want map[string]float64, absent ...string) {
		t.Helper()
		got := measured(t, run, file)
		for key, v := range want {
			if have, there := got[key]; !there || have != v {
				t.Errorf("%s is %v (%v), want %v", key, have, there, v)
			}
		}
		for _, key := range absent {
			if v, there := got[key]; there {
				t.Errorf("%s is %v", key, v)
			}
		}
	}
	check(map[string]float64{"reconcile_apply_last_duration_seconds": 90, "reconcile_apply_last_success_timestamp_seconds": end, "reconcile_applies_total 0": 1, "reconcile_applies_total 13": 0,
		"reconcile_table_rows cart": 10, "reconcile_table_hidden_rows cart": 2, "reconcile_table_quarantined_rows cart": 1, "reconcile_table_bytes cart": 999, "reconcile_table_files cart": 3,
		"reconcile_table_commit cart": 7, "reconcile_table_last_delivery_dump cart": 43, "reconcile_table_mapping_lag_seconds cart": 36 * 3600, "reconcile_table_waiting_dumps cart": 2,
		"reconcile_table_held cart": 1, "reconcile_table_held new": 0, "reconcile_table_held never": 1, "reconcile_table_held_since_timestamp_seconds cart": float64(day.Unix()),
		"reconcile_holds guard": 1, "reconcile_holds other": 1, "reconcile_table_changed_rows_total cart rescued": 2, "reconcile_table_changed_rows_total new rescued": 0},
		"reconcile_table_mapping_lag_seconds new", "reconcile_table_last_commit_timestamp_seconds new", "reconcile_table_held_since_timestamp_seconds new", "reconcile_table_changed_rows_total never added")

	// A failed run that could not read the state leaves what was known.
	run = &Run{Program: "1", Folder: "/srv/shop", Began: day.Add(time.Hour), Ended: day.Add(time.Hour), Code: 1}
	kept := map[string]float64{"reconcile_apply_last_success_timestamp_seconds": end, "reconcile_apply_last_end_timestamp_seconds": float64(day.Unix() + 3600), "reconcile_apply_last_exit_code": 1,
		"reconcile_applies_total 0": 1, "reconcile_applies_total 1": 1, "reconcile_table_rows cart": 10, "reconcile_table_held never": 1, "reconcile_holds guard": 1, "reconcile_table_changed_rows_total cart added": 3}
	check(kept)
	check(map[string]float64{"reconcile_applies_total 1": 2, "reconcile_table_changed_rows_total cart added": 3, "reconcile_table_written_bytes_total cart": 50})

	// A table that is gone takes its figures with it.
	run.After = &inspect.Figures{Tables: []inspect.TableFigures{{Name: "new"}}}
	check(map[string]float64{"reconcile_table_rows new": 0, "reconcile_applies_total 1": 3}, "reconcile_table_rows cart", "reconcile_table_changed_rows_total cart added")
}
