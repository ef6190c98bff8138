package rules

import (
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// events is the schema of a table of events with a column of every sort.
func events() *Schema {
	decimal := column.Type{ID: column.Decimal, Precision: 12, Scale: 2}
	table := &definition.Table{
		Name: "checkout", Kind: feed.KindEvents, Key: feed.EventID, Folder: "checkout", TableBlocks: []string{"*"},
		Partition: definition.Partition{Column: feed.Time, Unit: definition.UnitDay}, OnSchemaChange: definition.Evolve, OnCastError: definition.Rescue,
		Blocks:  []definition.Block{{Name: "Plan", As: "shop_plan"}, {Name: "revenue", Type: &decimal, Round: definition.HalfEven}},
		Renamed: []string{"Plan"},
		Masks: []definition.Mask{{Method: definition.MaskHMAC, Verifier: "ab", Columns: []glob.Pattern{"*mail"}},
			{Method: definition.MaskDrop, Columns: []glob.Pattern{"phone"}}},
	}
	have := []Column{{Name: "page", Delivered: "page", Listed: true, Since: 1}}
	var brought []Delivered
	for _, name := range []string{"user_id", "event_id", "time", "Plan", "plan", "revenue", "E-Mail", "phone", "PAGE", "Time"} {
		brought = append(brought, Delivered{Name: name, Dump: 2, Listed: name != "revenue"})
	}
	s := NewSchema(table, feed.KindEvents, feed.EventID, have, brought, AllLive, false)
	s.Computed = []ComputedColumn{{Name: "cents", Type: typeInt64}}
	return s
}

func TestSchema(t *testing.T) {
	s := events()
	var names []string
	for _, c := range s.Published().Columns {
		names = append(names, c.Name+" "+c.Type.String())
	}
	want := []string{"user_id int64", "event_id int64", "page string", "time timestamp", "shop_plan string", "plan string", "revenue decimal(12,2)",
		"E-Mail string", "Time_ string", "cents int64", "_raw_user_id int64", "_dump_id int64", "_rescued_data string"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("published columns (-want +got):\n%s", d)
	}
	if len(s.Dropped) != 1 || s.Dropped[0].Delivered != "phone" || !s.Masks() {
		t.Errorf("dropped: %+v", s.Dropped)
	}
	if c := s.Payload[s.PartitionColumn]; c.Name != "time" {
		t.Errorf("partitioned by %s", c.Name)
	}
	if i := s.ByID("page"); !cmp.Equal(s.Payload[i].Spellings, []string{"PAGE"}) {
		t.Errorf("spellings of page: %q", s.Payload[i].Spellings)
	}
	for name, want := range map[string]int{"user_id": TargetUser, "event_id": TargetKey, "Event_Id": -3, "page": 0, "Page": 0, "nothing": -3, "phone": -3, "E-Mail": s.ByID("e-mail")} {
		got, ok := s.Target(name)
		if !ok {
			got = -3
		}
		if got != want {
			t.Errorf("%s feeds %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]bool{"page": true, "E_Mail": false, "phone": false, "revenue": true, "other": false} {
		if got := s.Rescues(name); got != want {
			t.Errorf("a rescued %s belongs to the rows: %v", name, got)
		}
	}
}

// A schema encodes and decodes equal, and gives the same answers then.
func TestSchemaRoundTrip(t *testing.T) {
	want := events()
	codecs := map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{"CBOR": {cbor.Marshal, cbor.Unmarshal}, "JSON": {json.Marshal, json.Unmarshal}}
	for name, codec := range codecs {
		got := new(Schema)
		b, err := codec.marshal(want)
		if err == nil {
			err = codec.unmarshal(b, got)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Schema{}, definition.Table{}, definition.Mask{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for range 2 { // before and after Prepare
			for _, c := range append(got.Columns(), want.Columns()...) {
				if a, b := got.ByID(c.ID), want.ByID(c.ID); a != b {
					t.Errorf("%s: %s is at %d instead of %d", name, c.Name, a, b)
				}
			}
			got.Prepare()
		}
	}
}

// Each layout puts every column where it says.
func TestLayouts(t *testing.T) {
	s := events()
	n := s.Rescued()
	name := func(l *Layout, at int) string {
		if at < 0 {
			return ""
		}
		return l.Columns[at].Name
	}
	for what, c := range map[string]struct {
		l    *Layout
		want []string // user, key, raw user, dump, rescued
		size int
	}{
		"published": {s.Published(), []string{"user_id", "event_id", "_raw_user_id", "_dump_id", "_rescued_data"}, n + 6},
		"stored":    {s.Stored(), []string{"", "event_id", "_raw_user_id", "_dump_id", "_rescued_data"}, n + 4},
		"kept":      {s.Uncast().Kept(), []string{"user", "", "", "dump", "notes"}, n + 3},
	} {
		l := c.l
		got := []string{name(l, l.User), name(l, l.Key), name(l, l.RawUser), name(l, l.Dump), name(l, l.Rescued)}
		if d := cmp.Diff(c.want, got); d != "" || len(l.Columns) != c.size {
			t.Errorf("%s has %d columns (-want +got):\n%s", what, len(l.Columns), d)
		}
		cols := l.NewColumns()
		payload := s.Payload
		if what == "kept" {
			payload = s.Uncast().Payload
		}
		for i := range payload[:n] {
			if l.Columns[l.PayloadAt(i)].Name != payload[i].Name || l.Payload(cols)[i].Name != payload[i].Name {
				t.Errorf("%s: column %d of the payload is %s", what, i, l.Columns[l.PayloadAt(i)].Name)
			}
		}
		if l.PayloadAt(n) != l.Rescued || len(l.Payload(cols)) != n {
			t.Errorf("%s: the payload has %d columns, and rescued is at %d", what, len(l.Payload(cols)), l.PayloadAt(n))
		}
		for i, col := range l.Computed(cols) {
			if col.Name != s.Computed[i].Name {
				t.Errorf("%s: computed column %d is %s", what, i, col.Name)
			}
		}
	}
}

func TestConversions(t *testing.T) {
	s := events()
	old := []Column{
		{Name: "time", Delivered: "time", Type: typeString}, {Name: "E-Mail", Delivered: "E-Mail"}, {Name: "page", Delivered: "PAGE"},
		{Name: "revenue", Delivered: "revenue", Mask: definition.MaskDrop},
	}
	got := map[string]Conversion{}
	list, l := s.Conversions(old, "id")
	if len(list) != s.Rescued() {
		t.Errorf("%d conversions", len(list))
	}
	for i, c := range list {
		if c.At >= 0 {
			if name := l.Columns[c.At].Name; name != s.Payload[i].Name {
				t.Errorf("%s is read of %s", s.Payload[i].Name, name)
			}
			c.At = 0
			got[s.Payload[i].Name] = c
		}
	}
	want := map[string]Conversion{"time": {Cast: true}, "E-Mail": {HMAC: true}, "page": {}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("conversions (-want +got):\n%s", d)
	}
	var names []string
	for _, at := range []int{l.Key, l.RawUser, l.Dump, l.Rescued} {
		names = append(names, l.Columns[at].Name)
	}
	if d := cmp.Diff([]string{"id", feed.RawUserID, feed.DumpID, feed.RescuedData}, names); d != "" || len(l.Columns) != 4+len(want) {
		t.Errorf("%d columns are read (-want +got):\n%s", len(l.Columns), d)
	}
}

// TestDeliveredMapping: the fields of the mapping are exact names, listed or not, and
// nothing else of its files is read.
func TestDeliveredMapping(t *testing.T) {
	s := DeliveredMapping(column.UnitSeconds)
	fields := []string{"time", "Time", "user_id", "from_user_id", "FROM_USER_ID", "to_user_id", "reason"}
	for _, columns := range [][]string{nil, {}, {"reason", "TIME", "From_User_Id"}} {
		f := &FileNames{Fields: fields, Columns: columns, HasColumns: columns != nil}
		got := map[string]string{}
		for _, field := range fields {
			if name, listed := s.Meant(f.Listed(), field); listed {
				if target, ok := s.Target(name); ok {
					got[field] = s.Payload[target].Name
				}
			}
		}
		if d := cmp.Diff(map[string]string{"time": "time", "from_user_id": "from_user_id", "to_user_id": "to_user_id"}, got); d != "" {
			t.Errorf("where %q is listed, fields feed (-want +got):\n%s", columns, d)
		}
	}
	if unit := s.Payload[s.ByID(feed.Time)].Rule.Unit; unit != column.UnitSeconds {
		t.Errorf("times count %s", unit)
	}
}

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		s    *Schema
		want []string
	}{
		{events(), []string{"user_id", "event_id"}},
		{usersSchema(), []string{"user_id"}},
		{DeliveredMapping(column.UnitAuto), []string{"from_user_id", "to_user_id"}},
	} {
		if d := cmp.Diff(c.want, c.s.Required()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.s.Kind, d)
		}
	}
}
