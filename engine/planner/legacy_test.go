package planner

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/config"
	"reconcile/engine/commit"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// legacyTable is an event table with a renamed column.
func legacyTable(t *testing.T) *definition.Table {
	t.Helper()
	dir := t.TempDir()
	text := `source "local" { path = "./dumps" }
		sink "parquet" "lake" { path = "./lake" }
		table "e" {
			sinks = [sink.parquet.lake]
			column "path" { as = "route" }
		}`
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, diags := config.Load(dir, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	table, diags := cfg.Table("e", []string{feed.UserID, feed.EventID})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return table
}

// TestLegacyColumns: what an older program named and typed by names in any case stays
// as it is, and takes the exact names; what is new comes under the rules of today.
func TestLegacyColumns(t *testing.T) {
	table := legacyTable(t)
	have := []rules.Column{
		{Name: "Time", Delivered: "Time", Type: column.Type{ID: column.Timestamp}, Listed: true}, {Name: "Session_ID", Delivered: "Session_ID", Type: column.Type{ID: column.Int64}, Listed: true},
		{Name: "time_", Delivered: "time_", Listed: true}, {Name: "route", Delivered: "Path", Listed: true}}
	var brought []rules.Delivered
	for _, name := range []string{"time", "TIME", "session_id", "Session_ID", "Time_", "path", "Path", "route"} {
		brought = append(brought, rules.Delivered{Name: name, Dump: 2, Listed: true})
	}
	s := rules.NewSchema(table, feed.KindEvents, feed.EventID, have, brought, rules.AllLive, true)
	for field, want := range map[string]string{"time": "Time timestamp", "TIME": "TIME__ string", "session_id": "Session_ID int64", "Session_ID": "Session_ID_ string",
		"Time_": "time_ string", "path": "route string", "Path": "Path string", "route": "route_ string"} {
		i, ok := s.Target(field)
		if p := s.Payload[max(i, 0)]; !ok || p.Name+" "+p.Type.String() != want {
			t.Errorf("%s feeds %s %s instead of %s", field, p.Name, p.Type, want)
		}
	}
	step := &Table{Table: plan.Table{Name: "e"}, Kind: feed.KindEvents, Definition: table, Old: &state.Table{Columns: commit.RecordColumns(s)}}
	diffRenamed(step)
	diffColumns(step)
	if d := step.Change; d.Class != plan.ClassNone {
		t.Errorf("nothing changed, but the plan says %s: %q", d.Class, d.Reasons)
	}
	// A rebuild, and a new table, go by the rules of today.
	fresh := rules.NewSchema(table, feed.KindEvents, feed.EventID, nil, brought, rules.AllLive, false)
	for field, want := range map[string]string{"time": "time timestamp", "TIME": "TIME_ string", "session_id": "session_id int64", "Session_ID": "Session_ID_ string",
		"Time_": "Time__ string", "path": "route string", "Path": "Path string", "route": "route_ string"} {
		i, ok := fresh.Target(field)
		if p := fresh.Payload[max(i, 0)]; !ok || p.Name+" "+p.Type.String() != want {
			t.Errorf("%s feeds %s %s instead of %s", field, p.Name, p.Type, want)
		}
	}
}
