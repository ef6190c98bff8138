package definition

import (
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// full is a table that says something of everything.
func full() *Table {
	half, many := Share(500_000), Bytes(10_000_000_000)
	decimal, unit := column.Type{ID: column.Decimal, Precision: 12, Scale: 2}, column.UnitMillis
	return &Table{
		Name: "Check out", Kind: feed.KindEvents, Key: feed.EventID, Folder: EncodeFolder("Check out"), Exact: true, TableBlocks: []string{"Check out", "Check*"},
		Sinks: []Sink{
			{Kind: "parquet", Label: "lake", Path: "/lake", Compression: "zstd"},
			{Kind: "parquet", Label: "far", Path: "s3://b/p", Compression: "none", Encodings: Compact},
		},
		Partition: Partition{Column: feed.Time, Unit: UnitDay}, PartitionBy: "year(time), month(time), day(time)",
		OnSchemaChange: Ignore, Columns: []string{"time", "Plan", "revenue", "mail"}, OnCastError: Fail, TimeUnit: column.UnitSeconds,
		Blocks: []Block{
			{Name: "Plan", As: "shop_plan"},
			{Name: "revenue", Type: &decimal, Round: HalfEven},
			{Name: "mail", Level: 1, Mask: &BlockMask{Method: MaskHMAC, Verifier: "0123"}, Merge: "max"},
			{Name: "joindate", Level: 1, Unit: &unit},
		},
		Renamed: []string{"Plan"},
		Guard:   Guard{MaxRemovedRows: &half, HoldsEmpty: true, MaxRewrittenBytes: &many},
		Masks: []Mask{
			{Method: MaskHMAC, Verifier: "4567", Columns: []glob.Pattern{"*mail", "[a-f]x"}},
			{Method: MaskNull, Columns: []glob.Pattern{"secret*"}},
			{Method: MaskDrop, Columns: []glob.Pattern{"secret_shop"}},
		},
	}
}

// A table encodes and decodes equal, and then says the same of each column.
func TestTableRoundTrip(t *testing.T) {
	want := full()
	codecs := map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{"CBOR": {cbor.Marshal, cbor.Unmarshal}, "JSON": {json.Marshal, json.Unmarshal}}
	for name, codec := range codecs {
		got := new(Table)
		b, err := codec.marshal(want)
		if err == nil {
			err = codec.unmarshal(b, got)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Table{}, Mask{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, c := range []string{"user_id", "event_id", "time", "Time", "joindate", "Plan", "plan", "revenue", "MAIL", "work_mail", "ax", "secret", "secret_shop", "Year", "other"} {
			if d := cmp.Diff(want.Column(c), got.Column(c)); d != "" {
				t.Errorf("%s, column %s (-want +got):\n%s", name, c, d)
			}
			if want.Takes(c) != got.Takes(c) || want.ID(c) != got.ID(c) {
				t.Errorf("%s: column %s is taken %v, with ID %q", name, c, got.Takes(c), got.ID(c))
			}
		}
	}
}

// The strongest mask wins, and neither keys nor timestamps have one.
func TestMasks(t *testing.T) {
	table := full()
	for name, want := range map[string]Column{
		"mail":        {As: "mail", Mask: MaskHMAC, Verifier: "0123", Merge: "max"},
		"Work_Mail":   {As: "Work_Mail", Mask: MaskHMAC, Verifier: "4567"},
		"secret":      {As: "secret", Mask: MaskNull},
		"SECRET_shop": {As: "SECRET_shop", Mask: MaskDrop},
		"day":         {As: "day_"},
		"user_id":     {As: "user_id", Type: column.Type{ID: column.Int64}, Rule: column.Rule{Type: column.Type{ID: column.Int64}}},
	} {
		if d := cmp.Diff(want, table.Column(name)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
