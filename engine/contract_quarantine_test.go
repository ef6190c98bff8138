package engine

import (
	"reconcile/engine/inspect"
	"testing"
)

// TestContractQuarantineFollows: whatever the configuration was before, quarantined
// rows are those of an apply from scratch under the one now.
func TestContractQuarantineFollows(t *testing.T) {
	mask := func(method string) string {
		return lakeTables + "mask \"m\" {\n  columns = [\"v\"]\n  method = \"" + method + "\"\n" +
			map[bool]string{true: "  key = \"k\"\n"}[method == "hmac-sha256"] + "}\n"
	}
	narrow := func(columns string) string {
		return "table \"*\" {\n  sinks = [sink.parquet.lake]\n  on_schema_change = \"ignore\"\n  columns = [" + columns + "]\n}\n" +
			"table \"users\" {\n  sinks = [sink.parquet.lake]\n  on_schema_change = \"ignore\"\n  columns = [" + columns + "]\n}\n"
	}
	configs := map[string]string{"plain": lakeTables, "hmac": mask("hmac-sha256"), "null": mask("null"), "drop": mask("drop"),
		"without": narrow(`"w"`), "with": narrow(`"v", "w"`)}
	arrive := func(a *bed) {
		e := avroPart("event_id user_id v:string w:string", row(nil, 5, "secret", "x"), row(1, 5, "secret", "y"))
		a.run(dumpOf(1, full("e", e), full("users", avroPart("user_id v:string w:string", row(nil, "secret", "x"), row(5, "secret", "y")))))
	}
	quarantined := func(a *bed) []string {
		var out []string
		if err := a.engine().Inspect().Quarantine(t.Context(), "", func(q inspect.Row) error {
			out = append(out, q.Table+" "+string(q.Data))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, was := range sortedKeys(configs) {
		for _, now := range sortedKeys(configs) {
			scratch := newBed(t, configs[now])
			arrive(scratch)
			a := newBed(t, configs[was])
			arrive(a)
			a.hcl = configs[now]
			a.run()
			if diff := diffLines(quarantined(scratch), quarantined(a)); diff != "" {
				t.Errorf("%s, then %s:\n%s", was, now, diff)
			}
		}
	}
}
