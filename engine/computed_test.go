package engine

import (
	"testing"

	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// lengthOf computes how many bytes the texts of a payload column have.
func lengthOf(name string) rules.Computed {
	return rules.Computed{
		ComputedColumn: rules.ComputedColumn{Name: name + "_length", Type: column.Type{ID: column.Int64}},
		Compute: func(b *column.Batch, l *rules.Layout, out *column.Column) {
			for i := range l.Payload(b.Cols) {
				src := &l.Payload(b.Cols)[i]
				if src.Name != name {
					continue
				}
				for row := range b.N {
					if src.IsNull(row) {
						out.AppendNulls(1)
					} else {
						out.AppendInt(int64(len(src.Bytes(row))))
					}
				}
			}
		},
	}
}

// TestComputedColumn: a computed column is published with the rows of every path that
// writes some, and stands before the columns that reconcile adds.
func TestComputedColumn(t *testing.T) {
	a := newBed(t, lakeTables)
	a.unchecked = true // the model has no such column
	a.tuning.Computed = map[string][]rules.Computed{"e": {lengthOf("path")}, "users": {lengthOf("plan")}}
	a.run(dumpOf(1,
		full("e", avroPart("event_id user_id path", row(1, 10, "/a"), row(2, 10, "/bb"), row(3, 11, nil))),
		full("users", avroPart("user_id last_modified plan", row(10, "5", "free"), row(11, "6", "trial")))))
	if got, want := a.columns("e"), "user_id event_id path path_length _raw_user_id _dump_id _rescued_data"; got != want {
		t.Errorf("columns of e: %s", got)
	}
	a.want("e", "user_id event_id path path_length _dump_id", "10 1 /a 2 1", "10 2 /bb 3 1", "11 3 - - 1")
	a.want("users", "user_id plan plan_length _dump_id", "10 free 4 1", "11 trial 5 1")

	a.run(dumpOf(2, // some rows change, others are copied; two users become one
		more("e", avroPart("event_id user_id path", row(2, 10, "/longer"), row(4, 12, "/dddd"))),
		more("users", avroPart("user_id last_modified plan", row(12, "7", "business"))),
		full("user_migrations", avroPart("from_user_id to_user_id", row(11, 10)))))
	a.want("e", "user_id event_id path path_length _dump_id", "10 1 /a 2 1", "10 2 /longer 7 2", "10 3 - - 1", "12 4 /dddd 5 2")
	a.want("users", "user_id plan plan_length _dump_id", "10 trial 5 1", "12 business 8 2")
	a.checkIdle()
}
