package main

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/internal/near"
)

// later says that a command of the contract is not in this version.
const later = "comes in a later version of reconcile. "

// habits answers verbs that users of other tools try, or that later versions
// have.
func habits() map[string]string {
	return map[string]string{
		"destroy":    "reconcile has no destroy. Remove the tables' blocks from the configuration and run `reconcile apply -allow-destroy`; removed \"x\" { destroy = false } keeps the files.",
		"import":     "reconcile has no import: tables come from the export alone. Move foreign files out of the sink's folder, and apply.",
		"refresh":    "reconcile has no refresh: every plan compares the sinks with the state (-refresh=false skips that).",
		"workspace":  "reconcile has no workspaces. Keep one folder for each environment and choose with -chdir=DIR, or set variables with -var-file=FILE.",
		"output":     "reconcile has no outputs. `reconcile show -json` says where every table lies.",
		"console":    "reconcile has no console. `reconcile validate` checks expressions, `reconcile plan` shows what follows from them.",
		"graph":      "reconcile has no graph: tables do not depend on each other.",
		"providers":  "reconcile has no providers: sources and sinks are built in.",
		"get":        "reconcile has no modules: all *.hcl files of one folder are the configuration.",
		"modules":    "reconcile has no modules: all *.hcl files of one folder are the configuration.",
		"metadata":   "reconcile has no metadata command. `reconcile show -json` describes every table.",
		"login":      "reconcile needs no login.",
		"logout":     "reconcile needs no login, so no logout.",
		"taint":      "reconcile has no taint. `reconcile apply -replace=table.x` rebuilds a table; one whose files were changed or removed is rebuilt without it.",
		"untaint":    "reconcile has no untaint: nothing is ever tainted.",
		"test":       "reconcile has no test command. `reconcile validate` checks the configuration, `reconcile plan` says what it would do.",
		"rebuild":    "rebuild " + later + "A plan rebuilds a table whose files were changed or removed.",
		"ddl":        "ddl " + later + "`reconcile show -json` lists columns, types and folders.",
		"properties": "properties " + later,
	}
}

// flagHabits answers flags that users of other tools try.
func flagHabits() map[string]string {
	return map[string]string{
		"destroy":             "remove the tables' blocks from the configuration and run `reconcile apply -allow-destroy`",
		"refresh-only":        "every plan and apply compares the sinks with the state; `reconcile plan -refresh-only` does nothing else",
		"backend-config":      "there are no partial configurations: reconcile { state \"s3\" { ... } } says where the state is, and variables of -var-file can differ from one environment to the next",
		"recursive":           "a configuration is one folder: run `reconcile fmt DIR` for each",
		"generate-config-out": "`reconcile init -from-source=PLACE` writes a configuration of what an export delivers",
		"state":               "the configuration says where the state is: reconcile { state \"local\" { path = ... } }",
	}
}

// answer replies to a verb that is no command: with what to do instead, or with
// the nearest command.
func (p *program) answer(name string, args []string) int {
	wantsHelp := slices.ContainsFunc(args, func(a string) bool { return strings.TrimLeft(a, "-") == "help" || a == "-h" || a == "--h" })
	if text, ok := habits()[name]; ok {
		text = strings.TrimSpace(text)
		if wantsHelp {
			say(p.out, "%s\n", text)
			return exitDone
		}
		return p.reject(fmt.Errorf("%s", text))
	}
	var known []string
	for _, c := range commands() {
		known = append(known, c.name)
	}
	hint := ""
	if n := near.Name(name, known); n != "" {
		hint = fmt.Sprintf(" Did you mean %q?", n)
	}
	return p.reject(fmt.Errorf("there is no command %q.%s Run `reconcile -help` for all of them", name, hint))
}
