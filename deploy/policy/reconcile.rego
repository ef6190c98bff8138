# What a change of the configuration may not do unless its review says so. The input is
# what `reconcile plan -config-only -json` prints, as a list, and the labels of the pull
# request:
#
#	reconcile plan -config-only -json |
#	  jq -s '{records: ., labels: ["allow-destroy"]}' |
#	  opa eval --fail-defined --data reconcile.rego --stdin-input 'data.reconcile.deny[_]'
#
# The records of a whole plan are judged as well, but for masks.
package reconcile

deny contains message if {
	some change in changes
	change.action == "-"
	not labelled("allow-destroy")
	message := sprintf("%s is destroyed: that needs the label allow-destroy", [change.address])
}

deny contains message if {
	some change in changes
	some setting in change.settings
	setting.setting == "mask"
	strength(setting.after, 0) < strength(setting.before, 4)
	not labelled("allow-unmask")
	message := sprintf(
		"%s: the mask %q of the column %s becomes %q: that needs the label allow-unmask",
		[change.address, setting.before, setting.column, setting.after],
	)
}

# A plan that failed, or of which a part is missing, is no plan without these.
deny contains "there is no whole plan: its last record is missing" if {
	not ends_with_plan
}

deny contains message if {
	some record in input.records
	record.format_version != 1
	message := sprintf("the records are of format_version %v, and this policy is for 1", [record.format_version])
}

changes contains record if {
	some record in input.records
	record.type in {"config_change", "table"}
}

ends_with_plan if input.records[count(input.records) - 1].type == "plan"

labelled(name) if name in input.labels

# strength orders masks: what a stronger one leaves tells less. One that is not known is
# weak where it comes and strong where it goes.
strength(method, unknown) := object.get({"": 0, "hmac-sha256": 1, "null": 2, "drop": 3}, method, unknown)
