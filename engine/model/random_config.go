package model

import (
	"fmt"
	"math/rand"
	"strings"
)

// Partitionings are the ways of partitioning that a configuration can ask for.
var Partitionings = []string{`[]`, `[year(time)]`, `[year(time), month(time)]`, `[year(time), month(time), day(time)]`,
	`[year(time), month(time), day(time), hour(time)]`, `[date(time)]`}

// RandomConfig invents the tables and masks of a configuration with the sink
// sink.parquet.lake, as HCL.
func RandomConfig(r *rand.Rand) string {
	one := func(list ...string) string { return list[r.Intn(len(list))] }
	var b strings.Builder
	fmt.Fprintf(&b, "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = %s\n", one(Partitionings...))
	if r.Intn(2) == 0 {
		fmt.Fprintf(&b, "  column \"revenue\" {\n    type = %s\n  }\n", one(`"decimal(12,2)"`, `"decimal(24,3)"`, "\"decimal(12,2)\"\n    round = \"half_even\"",
			"\"decimal(24,3)\"\n    round = \"half_even\"", `"double"`, `"string"`))
		fmt.Fprintf(&b, "  column \"qty\" { type = %q }\n", one("int64", "double"))
		b.WriteString("  column \"ok\" { type = \"boolean\" }\n  column \"payload\" { type = \"json\" }\n  column \"born\" { type = \"date\" }\n  column \"seen\" {\n    type = \"timestamp\"\n")
		if unit := one("", "auto", "s", "ms", "ns"); unit != "" {
			fmt.Fprintf(&b, "    time_unit = %q\n", unit)
		}
		b.WriteString("  }\n")
	}
	if r.Intn(3) == 0 {
		b.WriteString("  column \"path\" { as = \"route\" }\n")
	}
	if r.Intn(4) == 0 {
		b.WriteString("  column \"PATH\" { as = \"shout\" }\n")
	}
	masked := ""
	switch r.Intn(5) {
	case 0:
		fmt.Fprintf(&b, "  column \"Order_Total\" { as = %q }\n", one("total", "sum"))
	case 1:
		b.WriteString("  column \"order_total\" { type = \"decimal(12,2)\" }\n  column \"Time\" { type = \"timestamp\" }\n")
	case 2:
		masked = `, "Order_Total", "Time_", "User_ID"`
	}
	b.WriteString("}\ntable \"users\" {\n  sinks = [sink.parquet.lake]\n")
	if r.Intn(2) == 0 {
		fmt.Fprintf(&b, "  column \"count\" { \n type = \"int64\" \n merge = %q \n }\n  column \"plan\" { merge = %q }\n", one("min", "max", "latest"), one("min", "max"))
	}
	b.WriteString("}\n")
	if r.Intn(2) == 0 {
		b.WriteString("table \"user_migrations\" { sinks = [sink.parquet.lake] }\n")
	}
	if r.Intn(3) == 0 {
		fmt.Fprintf(&b, "mask \"pii\" {\n  columns = [\"email\", \"br*\"%s]\n  optional = true\n  method = %q\n}\n", masked, one("null", "drop"))
	} else if r.Intn(3) == 0 {
		fmt.Fprintf(&b, "mask \"pii\" {\n  columns = [\"email\", \"br*\"%s]\n  optional = true\n  method = \"hmac-sha256\"\n  key = \"k1\"\n}\n", masked)
	}
	return b.String()
}

// RandomUnit invents a time_unit of a source, empty for none: mostly one by which most
// times of a world are what they are without.
func RandomUnit(r *rand.Rand) string {
	return []string{"", "", "auto", "ms", "ms", "us"}[r.Intn(6)]
}
