package planner

import (
	"fmt"
	"strings"

	"reconcile/internal/near"
	"reconcile/internal/shell"
)

// Flags as holds and refusals print them: as a shell takes them.

// AcceptFlag is the flag that lets through what a hold calls by a name.
func AcceptFlag(name string) string { return shell.Word("-accept=" + name) }

// repairFlags are the flags that repair one table.
func repairFlags(table string) string { return "-repair " + shell.Word("-target=table."+table) }

// lossFlag is the flag that accepts that a table loses rows.
func lossFlag(table string) string { return shell.Word("-accept-loss=" + table) }

// meant is the flag with the table that was most likely meant by an address that is none.
func meant(flag, address string, drafts []*Table) string {
	given := strings.TrimPrefix(address, "table.")
	var names []string
	for _, t := range drafts {
		if t.Name == given || t.Definition != nil && t.Definition.Folder == given {
			return fmt.Sprintf(". Did you mean %s?", shell.Word(flag+"=table."+t.Name))
		}
		names = append(names, t.Name)
	}
	if n := near.Name(given, names); n != "" {
		return fmt.Sprintf(". Did you mean %s?", shell.Word(flag+"=table."+n))
	}
	return ""
}
