package config

import (
	"github.com/hashicorp/hcl/v2"
)

// habits answer what users of Terraform write, by the type of a block or the name of an
// argument that the language does not have.
func habits() map[string]string {
	const noneNested = "A table block takes every table that its label matches, as table \"order_*\" does; "
	return map[string]string{
		"terraform":          "reconcile { required_version = \"...\" } says which versions may read the configuration, and a state block in it where the state is.",
		"required_providers": "Sources and sinks are built in: there are no providers to require.",
		"backend":            "The reconcile block says where the state is: reconcile { state \"s3\" { bucket = \"...\" } }.",
		"provider":           "There are no providers. The blocks of the source and of the sinks say how their buckets are reached.",
		"resource":           "What is made is a table: table \"name\" { ... }.",
		"data":               "There are no data sources: what is read is the export, named by source \"s3\" or source \"local\".",
		"module":             "There are no modules: all *.hcl files of one folder are one configuration.",
		"output":             "There are no outputs. `reconcile show -json` says where every table lies.",
		"import":             "There is no import: tables come from the export alone.",
		"lifecycle":          "What the configuration destroys always needs -allow-destroy; a guard block holds what the vendor would remove.",
		"provisioner":        "There are no provisioners. Run a command after `reconcile apply`.",
		"dynamic":            "There are no dynamic blocks. " + noneNested + "column blocks are inherited from the more general one.",
		"for_each":           "There is no for_each. " + noneNested + "masks match columns by patterns, too.",
		"count":              "There is no count. " + noneNested + "ignore \"name\" {} leaves one out.",
		"depends_on":         "There is no depends_on: tables do not depend on each other.",
	}
}

// misplaced answers what belongs into another block, and what is no setting of one.
func misplaced(name string) string {
	switch name {
	case "required_version", "memory_limit", "scratch_dir":
		return name + " is an argument of the reconcile block: reconcile { " + name + " = \"...\" }."
	case "state":
		return "The state block stands in the reconcile block: reconcile { state \"local\" { path = \"...\" } }."
	case "time_zone", "timezone", "tz":
		return "There is no time zone to set: timestamps are read, written and partitioned in UTC."
	case "path":
		return "A source in a bucket is named by bucket, and a folder in it by prefix. The folder of a table is its name, or as = \"...\"."
	}
	return ""
}

// answerHabits says what to write instead of blocks and arguments of Terraform, and where
// those of the whole configuration belong.
func (l *loader) answerHabits(diags hcl.Diagnostics) hcl.Diagnostics {
	for i, d := range diags {
		if d.Subject == nil || d.Summary != "Unsupported block type" && d.Summary != "Unsupported argument" {
			continue
		}
		f := l.src[d.Subject.Filename]
		if f == nil || !d.Subject.CanSliceBytes(f.Bytes) {
			continue
		}
		name := string(d.Subject.SliceBytes(f.Bytes))
		answer := habits()[name]
		if answer == "" {
			answer = misplaced(name)
		}
		if answer == "" && isSecretName(name) {
			answer = "Credentials do not belong into a configuration. Set profile or role_arn, or the environment of the AWS SDK."
		}
		if answer != "" {
			c := *d
			c.Detail = answer
			diags[i] = &c
		}
	}
	return diags
}
