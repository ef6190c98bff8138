package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/internal/column"
)

// texts is a column of texts, of which "-" stands for null.
func texts(values ...string) *column.Column {
	c := &column.Column{Dict: column.NewDict()}
	for _, v := range values {
		if v == "-" {
			c.AppendNulls(1)
		} else {
			c.AppendBytes([]byte(v))
		}
	}
	return c
}

func listOf(c *column.Column) []string {
	var out []string
	for row := range c.Len() {
		out = append(out, text(c, row))
	}
	return out
}

// TestRepairTexts: of the last values those that are not valid UTF-8 are replaced.
func TestRepairTexts(t *testing.T) {
	c := texts("a\xff", "-", "b\xfe\xfd", "c", "b\xfe\xfd")
	fails := RepairTexts(c, 4)
	if d := cmp.Diff([]string{"a\xff", "-", "b\ufffd", "c", "b\ufffd"}, listOf(c)); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
	want := []column.Fail{{Row: 1, Text: []byte("b\xfe\xfd"), Kept: true}, {Row: 3, Text: []byte("b\xfe\xfd"), Kept: true}}
	if d := cmp.Diff(want, fails); d != "" {
		t.Errorf("originals (-want +got):\n%s", d)
	}
	if fails := RepairTexts(texts("a", "-"), 2); fails != nil {
		t.Errorf("%+v was repaired", fails)
	}
}

// TestRestoreOriginals: what was repaired is again what was delivered, if it is told, of
// this column.
func TestRestoreOriginals(t *testing.T) {
	s := events()
	at := s.ByID("page")
	c := texts("b\ufffd", "b\ufffd", "c", "-", "b\ufffd", "\ufffd", "b\ufffd")
	rescued := texts(`{"page":"Yv79"}`, `{"E-Mail":"Yv79"}`, `{"page":"Yv79"}`, `{"page":"Yv79"}`, "-", `{"page":"\ufffd"}`, `broken`)
	s.RestoreOriginals(c, rescued, at)
	if d := cmp.Diff([]string{"b\xfe\xfd", "b\ufffd", "c", "-", "b\ufffd", "\ufffd", "b\ufffd"}, listOf(c)); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
}

// TestCarryRescued: a row keeps what it had rescued of columns that are still there and
// plain, and gets what does not cast now, unless it has that already.
func TestCarryRescued(t *testing.T) {
	s := events()
	old := texts("-", `{"page":"x"}`, `{"E-Mail":"secret","gone":"y"}`, "-", `{"PAGE":"first"}`, `{"time":"late"}`)
	fresh := map[int][]column.Rescued{
		3: {{Name: "time", Value: []byte("never")}},
		4: {{Name: "page", Value: []byte("second")}},
		5: {{Name: "page", Value: []byte("\xff")}},
	}
	dst := texts()
	selection := []column.SourceRow{{Row: 5}, {Row: 0}, {Row: 1}, {Row: 2}, {Row: 3}, {Row: 4}}
	if err := s.CarryRescued(dst, old, selection, fresh); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"page":"/w==","time":"late"}`, "-", `{"page":"x"}`, "-", `{"time":"never"}`, `{"PAGE":"first"}`}
	if d := cmp.Diff(want, listOf(dst)); d != "" {
		t.Errorf("_rescued_data (-want +got):\n%s", d)
	}
	if err := s.CarryRescued(dst, texts("broken"), []column.SourceRow{{}}, nil); err == nil {
		t.Error("rescued values that are none are carried")
	}
}
