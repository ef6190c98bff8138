package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/definition"
	"reconcile/internal/shell"
	"reconcile/state"
)

// What the configuration destroys needs a flag. The refusal also says how to keep it,
// which depends on why it goes.

// destroys notes that the files in a folder of a sink go, and how to keep them.
func (t *Table) destroys(what string, at state.SinkTable, keep string) {
	t.Destroys = append(t.Destroys, fmt.Sprintf("%s in %s/%s", what, at.Root, at.Folder))
	if !slices.Contains(t.Keeping, keep) {
		t.Keeping = append(t.Keeping, keep)
	}
}

// keepForgotten keeps the files of a table that left the configuration. A removed block
// takes no name that reads as a glob.
func keepForgotten(table string) string {
	if strings.ContainsAny(table, "*?[") {
		return "keep a table block for it"
	}
	return fmt.Sprintf("keep the files with removed %s { destroy = false }", quoted(table))
}

// keepFolder keeps a table where it was before its folder changed.
func keepFolder(table, folder string) string {
	name, ok := definition.DecodeFolder(folder)
	if !ok || name == table {
		return "keep the table there by taking as = ... out again"
	}
	return fmt.Sprintf("keep the table there with as = %s", quoted(name))
}

// keepSink keeps the files of a table in a sink that is none of its sinks any more.
func keepSink(p *Session, root string) string {
	if p.Declared.Has(root) {
		return fmt.Sprintf("keep %s among its sinks", p.Declared.Address(root))
	}
	return fmt.Sprintf("forget that sink, which keeps its files, with %s", shell.Word("-forget-sink="+root))
}

// quoted writes a text as HCL does.
func quoted(text string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(text)).Bytes())
}
