package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// TestSurvey has what only the fields of a file tell of a table.
func TestSurvey(t *testing.T) {
	table := &definition.Table{Name: "e", Kind: feed.KindEvents, Key: feed.EventID, OnSchemaChange: definition.Evolve,
		Renamed: []string{"Plan"}, Blocks: []definition.Block{{Name: "Plan", As: "shop_plan"}}}
	s := NewSchema(table, feed.KindEvents, feed.EventID, nil, []Delivered{{Name: "page", Dump: 1, Listed: true}, {Name: "Plan", Dump: 1, Listed: true}, {Name: "order total", Dump: 1, Listed: true}}, AllLive, false)
	frozen := *table
	frozen.OnSchemaChange, frozen.Columns = definition.Freeze, []string{"page"}
	f := NewSchema(&frozen, feed.KindEvents, feed.EventID, nil, []Delivered{{Name: "page", Dump: 1, Listed: true}}, AllLive, false)
	for _, c := range []struct {
		name string
		s    *Schema
		file FileNames
		want Survey
		as   map[string]string // what fields count as; "" for those that are not listed
	}{
		{"no list", s, FileNames{Fields: []string{"user_id", "event_id", "page", "new"}}, Survey{Late: []string{"new"}}, map[string]string{"page": "page"}},
		{"listed in another spelling", s, FileNames{Fields: []string{"PAGE", "other"}, Columns: []string{"page"}, HasColumns: true},
			Survey{Spelled: [][2]string{{"page", "PAGE"}}}, map[string]string{"PAGE": "PAGE", "other": ""}},
		{"a timestamp that is not listed", s, FileNames{Fields: []string{"time"}, HasColumns: true}, Survey{Unlisted: []string{"time"}, Late: []string{"time"}}, nil},
		{"a field that a name means which Avro does not allow", s,
			FileNames{Fields: []string{"order_total"}, Columns: []string{"order total"}, HasColumns: true, Claims: map[string]string{"order_total": "order total"}},
			Survey{Spelled: [][2]string{{"order total", "order_total"}}}, map[string]string{"order_total": "order total"}},
		{"a block takes the listed spelling", s, FileNames{Fields: []string{"plan"}, Columns: []string{"Plan"}, HasColumns: true},
			Survey{Spelled: [][2]string{{"plan", "plan"}}}, map[string]string{"plan": "Plan"}},
		{"but not where the file has that", s, FileNames{Fields: []string{"plan", "Plan"}, Columns: []string{"Plan"}, HasColumns: true},
			Survey{Late: []string{"plan"}}, map[string]string{"plan": "plan", "Plan": "Plan"}},
		{"a frozen table", f, FileNames{Fields: []string{"time", "page"}, Columns: []string{"page"}, HasColumns: true}, Survey{Refused: "time"}, nil},
	} {
		if d := cmp.Diff(&c.want, c.s.Survey(&c.file)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		for field, want := range c.as {
			got, ok := c.s.Meant(c.file.Listed(), field)
			if !ok {
				got = ""
			}
			if got != want {
				t.Errorf("%s: %s counts as %q, want %q", c.name, field, got, want)
			}
		}
	}
}

// The field that counts most comes last.
func TestOrder(t *testing.T) {
	f := FileNames{Fields: []string{"b", "A", "time", "a"}, Columns: []string{"a", "time", "b"}, HasColumns: true}
	if d := cmp.Diff([]int{1, 3, 2, 0}, f.Listed().Order()); d != "" {
		t.Errorf("order of fields (-want +got):\n%s", d)
	}
}
