package planner

import "reconcile/internal/shell"

// Flags as holds and refusals print them: as a shell takes them.

// AcceptFlag is the flag that lets through what a hold calls by a name.
func AcceptFlag(name string) string { return shell.Word("-accept=" + name) }

// repairFlags are the flags that repair one table.
func repairFlags(table string) string { return "-repair " + shell.Word("-target=table."+table) }

// lossFlag is the flag that accepts that a table loses rows.
func lossFlag(table string) string { return shell.Word("-accept-loss=" + table) }
