package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func macOf(key, s string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// TestContractRepairedText: what was not valid UTF-8 is masked and cast by its
// original, also when the configuration changes later.
func TestContractRepairedText(t *testing.T) {
	for _, table := range []string{"e", "users"} {
		a := newBed(t, lakeTables)
		fields, first := "event_id user_id s", row(1, 7, "\"a\xffb\"")
		if table == "users" {
			fields, first = "user_id s", row(7, "\"a\xffb\"")
		}
		a.run(dumpOf(1, more(table, avroPart(fields, first))))
		a.want(table, "user_id s _rescued_data", "7 \"a\uFFFDb\" {\"s\":\"ImH/YiI=\"}")
		block := func(what string) string {
			return fmt.Sprintf("table %q {\n sinks = [sink.parquet.lake]\n %s\n}\n", table, what)
		}
		a.hcl = block(`column "s" { type = "json" }`)
		a.run()
		a.want(table, "user_id s _rescued_data", "7 - {\"s\":\"ImH/YiI=\"}")
		a.hcl = block("")
		a.run()
		a.hcl = block("") + "mask \"m\" {\n columns = [\"s\"]\n method = \"hmac-sha256\"\n key = \"k\"\n}\n"
		a.run()
		a.want(table, "user_id s _rescued_data", "7 "+macOf("k", "\"a\xffb\"")+" -")
		a.checkIdle()
	}
}

// TestContractReleasedCast: a hold for a value that does not cast goes when the
// column's type changes so that it does.
func TestContractReleasedCast(t *testing.T) {
	for _, table := range []string{"e", "users"} {
		a := newBed(t, "")
		set := func(typ string) {
			a.hcl = fmt.Sprintf("table %q {\n sinks = [sink.parquet.lake]\n on_cast_error = \"fail\"\n column \"n\" { type = %q }\n}\n", table, typ)
		}
		set("int64")
		fields, ok, bad := "event_id user_id n", row(1, 7, "5"), row(2, 8, "x")
		if table == "users" {
			fields, ok, bad = "user_id n", row(7, "5"), row(8, "x")
		}
		a.run(dumpOf(1, more(table, avroPart(fields, ok))))
		res := a.run(dumpOf(2, more(table, avroPart(fields, bad))))
		a.held(res, table+" 2 part-00000.avro n \"x\" int64")
		res = a.run()
		a.held(res, table+" 2 part-00000.avro n \"x\" int64")
		a.want(table, "user_id n", "7 5")
		set("string")
		res = a.run()
		a.held(res)
		a.want(table, "user_id n", "7 5", "8 x")
		a.checkIdle()
	}
}

// TestContractExtremeIDs: dump ids are all of int64, and compared as such.
func TestContractExtremeIDs(t *testing.T) {
	const lo, hi = -9223372036854775808, 9223372036854775807
	a := newBed(t, lakeTables)
	a.run(dumpOf(hi, more("e", avroPart("event_id user_id a", row(1, 7, "hi")))))
	a.run(dumpOf(lo, more("e", avroPart("event_id user_id a", row(1, 7, "lo"), row(2, 7, "lo")))))
	a.run(dumpOf(0, more("e", avroPart("event_id user_id a", row(1, 7, "0"), row(2, 7, "0"), row(3, 7, "0")))))
	a.want("e", "event_id a _dump_id", fmt.Sprintf("1 hi %d", hi), "2 0 0", "3 0 0")
	a.run(dumpOf(-5, full("e")))
	a.want("e", "event_id a _dump_id", fmt.Sprintf("1 hi %d", hi), "2 0 0", "3 0 0")
	a.checkIdle()
	b := newBed(t, lakeTables)
	f := avroPart("event_id user_id a", row(1, 7, "x"))
	f.Fault = 1
	res := b.run(dumpOf(lo, more("e", f)))
	b.held(res, "e")
}
