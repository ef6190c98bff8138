package reconcile_test

import data.reconcile

plan := {"type": "plan", "format_version": 1}

change(more) := object.union({"type": "config_change", "format_version": 1, "address": "table.cart", "action": "~", "settings": []}, more)

denied(records, labels) := messages if {
	messages := reconcile.deny with input as {"records": array.concat(records, [plan]), "labels": labels}
}

destroys := change({"action": "-"})

mask(before, after) := change({"settings": [{"setting": "mask", "column": "email", "before": before, "after": after}]})

test_destroy if {
	denied([destroys], []) == {"table.cart is destroyed: that needs the label allow-destroy"}
	denied([destroys], ["allow-unmask"]) != set()
	denied([destroys], ["allow-destroy"]) == set()
	denied([object.union(destroys, {"type": "table"})], []) != set()
	denied([change({"action": "."}), change({"action": "-/+"})], []) == set()
}

test_masks if {
	denied([mask("hmac-sha256", "")], []) == {`table.cart: the mask "hmac-sha256" of the column email becomes "": that needs the label allow-unmask`}
	denied([mask("drop", "null")], []) != set()
	denied([mask("null", "hmac-sha256")], ["allow-destroy"]) != set()
	denied([mask("hmac-sha256", "")], ["allow-unmask"]) == set()
	denied([mask("", "hmac-sha256"), mask("hmac-sha256", "drop"), mask("null", "null")], []) == set()
}

test_unknown_mask if {
	denied([mask("rot13", "hmac-sha256")], []) != set()
	denied([mask("hmac-sha256", "rot13")], []) != set()
}

test_whole_plan if {
	denied([], []) == set()
	reconcile.deny != set() with input as {"records": [], "labels": []}
	reconcile.deny != set() with input as {"records": [change({}), {"type": "error", "format_version": 1}], "labels": []}
	denied([change({"format_version": 2})], []) != set()
}
