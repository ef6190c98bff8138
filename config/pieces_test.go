package config

import (
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1GiB": 1 << 30, "512MiB": 512 << 20, "800MB": 800e6, "67108864": 64 << 20, "1.5 KiB": 1536, " 2 tb ": 2e12, "10b": 10, "1kb": 1000, "0": 0,
	} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", s, got, err, want)
		}
	}
	for _, bad := range []string{"", "GiB", "1G", "1XB", "-1MiB", "1e9", "1.2.3MB", "99999999TiB", "1 GiB GiB", "1/2MB", "é"} {
		if got, err := parseSize(bad); err == nil {
			t.Errorf("%q was taken for %d", bad, got)
		}
	}
}

// parsePartition reads a canonical text as canonicalPartition writes it.
func parsePartition(text string) (definition.Partition, error) {
	fail := func(err error) (definition.Partition, error) {
		return definition.Partition{}, fmt.Errorf("read partitioning %q: %w", text, err)
	}
	expr, diags := hclsyntax.ParseExpression([]byte("["+text+"]"), "", hcl.InitialPos)
	if diags.HasErrors() {
		return fail(diags)
	}
	elems, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		return fail(diags)
	}
	var calls []partitionCall
	for _, e := range elems {
		c, ok, err := parsePartitionCall(e)
		if err == nil && !ok {
			err = errNotACall
		}
		if err != nil {
			return fail(err)
		}
		calls = append(calls, c)
	}
	p, err := nestPartition(calls)
	if err != nil {
		return fail(err)
	}
	return p, nil
}

func TestPartitionText(t *testing.T) {
	for _, p := range []definition.Partition{
		{}, {Column: "time", Unit: definition.UnitYear}, {Column: "time", Unit: definition.UnitMonth}, {Column: "joindate", Unit: definition.UnitDay}, {Column: "at", Unit: definition.UnitHour}, {Column: "at", Unit: definition.UnitDate},
		{Column: "weird \"col\" ${x} %{ \\ ), month(y", Unit: definition.UnitMonth}, {Column: "tab\tnew\n", Unit: definition.UnitDate}, {Column: "é", Unit: definition.UnitDate},
	} {
		got, err := parsePartition(canonicalPartition(p))
		if err != nil || got != p {
			t.Errorf("%v is written %q and read as %v, %v", p, canonicalPartition(p), got, err)
		}
	}
	for name, want := range map[string]string{"SeenAt": "date(seenat)", "Time": "date(time_)", "TIME_": "date(time__)"} {
		if got := canonicalPartition(definition.Partition{Column: name, Unit: definition.UnitDate}); got != want {
			t.Errorf("canonical text is %q instead of %q", got, want)
		}
	}
	for _, bad := range []string{"time", "year(time) month(time)", "month(time)", "year(time), date(time)", "year(time, x)", "year(\"${x}\")", "year(time)]", "year(\"\")", "1"} {
		if p, err := parsePartition(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
}

func TestNaturalType(t *testing.T) {
	for name, want := range map[string]column.TypeID{"user_id": column.Int64, "USER_ID": column.String, "time": column.Timestamp, "Time": column.String, "session_time": column.String} {
		if got := definition.NaturalType(name).ID; got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}
