package planner

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"reconcile/config"
	"reconcile/engine/plan"
)

// Every hold by a file, or by what a manifest says of a table, has a reviewed way past
// it: a skip_dump block in the source, which leaves that delivery out.

// NamesWayPast gives each hold that a skip_dump block would release the tables of the
// block: its own, and those that the configuration skips of that dump already.
func NamesWayPast(cfg *config.Config, holds []plan.Hold) {
	for i := range holds {
		h := &holds[i]
		if h.OfCheck() || h.Table == "" || h.Object != "" || h.File == "" && h.Dump == 0 {
			continue
		}
		h.SkipTables = []string{h.Table}
		for _, s := range cfg.Skips {
			if s.Dump == h.Dump {
				h.SkipTables = append(slices.Clone(s.Tables), h.Table)
			}
		}
		h.Skip = skipBlock(h.Dump, h.SkipTables)
	}
}

// SkipBlocks returns the skip_dump blocks that release the holds, one for each dump.
func SkipBlocks(holds []plan.Hold) []string {
	tables := map[int64][]string{}
	for _, h := range holds {
		for _, t := range h.SkipTables {
			if !slices.Contains(tables[h.Dump], t) {
				tables[h.Dump] = append(tables[h.Dump], t)
			}
		}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(tables)) {
		out = append(out, skipBlock(id, tables[id]))
	}
	return out
}

// skipBlock is a block as it stands in a configuration.
func skipBlock(dump int64, tables []string) string {
	var names []cty.Value
	for _, t := range tables {
		names = append(names, cty.StringVal(t))
	}
	f := hclwrite.NewEmptyFile()
	b := f.Body().AppendNewBlock("skip_dump", []string{strconv.FormatInt(dump, 10)}).Body()
	b.SetAttributeValue("tables", cty.TupleVal(names))
	b.SetAttributeValue("reason", cty.StringVal("..."))
	return strings.TrimSpace(string(f.Bytes()))
}
