package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"reconcile/engine/model"
	"reconcile/engine/planner"
	"reconcile/state"
)

// masking is a mask block, in front of the tables that most tests take.
func masking(columns string) string {
	return "mask \"pii\" {\n  columns = [" + columns + "]\n  method = \"null\"\n}\n" + lakeTables
}

// refused applies, which must be an error of the configuration and change nothing.
func (a *bed) refused(want string) {
	a.t.Helper()
	before := strings.Join(a.tree(), "\n")
	_, err := a.apply()
	var bad *planner.DiagnosticsError
	if !errors.As(err, &bad) || !strings.Contains(bad.Error(), want) {
		a.t.Fatalf("the apply ended with %v, want %q", err, want)
	}
	if after := strings.Join(a.tree(), "\n"); after != before {
		a.t.Fatalf("the refused apply changed something:\n%s\nwas\n%s", after, before)
	}
}

// warned plans, and expects warnings of these summaries.
func (a *bed) warned(want ...string) {
	a.t.Helper()
	p, err := a.engine().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	var got []string
	for _, d := range p.Warnings() {
		if d.Severity == hcl.DiagWarning {
			got = append(got, d.Summary)
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		a.t.Errorf("the plan warns of %q, want %q", got, want)
	}
}

// nowhere fails if a text is anywhere but in the source.
func (a *bed) nowhere(secret string) {
	a.t.Helper()
	for _, top := range []string{"lake", "state", "scratch"} {
		err := filepath.WalkDir(filepath.Join(a.dir, top), func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(p)
			if bytes.Contains(text, []byte(secret)) {
				a.t.Errorf("%s holds %q", p, secret)
			}
			return err
		})
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

const secretMail = "ada.lovelace@example.com"

// TestContractMaskMeetsNothing: a new or edited mask that meets nothing, or that has a
// name which is near one that was delivered, is an error, and nothing of the values
// that it was meant for is stored anywhere.
func TestContractMaskMeetsNothing(t *testing.T) {
	for name, hcl := range map[string]string{
		"a mask block":   masking(`"emial"`),
		"a glob":         masking(`"*_mail"`),
		"keys":           masking(`"*_id", "tim?"`),
		"a near name":    masking(`"e_mail", "name"`),
		"a column block": lakeTables + "table \"e*\" {\n  column \"emial\" { mask = \"drop\" }\n}\n",
		"another table":  strings.Replace(masking(`"email"`), "method", "tables = [\"users\"]\n  method", 1),
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, hcl)
			a.arrive(dumpOf(1, full("e", avroPart("event_id user_id time email name", row(1, 10, "2026-01-05", secretMail, "Ada"), row(nil, 10, nil, secretMail, nil))),
				full("users", avroPart("user_id plan", row(10, "gold")))))
			a.refused("")
			a.nowhere(secretMail)
			// Nor where the state is there already.
			a.hcl = masking(`"email", "NAME"`)
			a.run()
			a.hcl = hcl
			a.refused("")
			a.nowhere(secretMail)
			a.hcl = masking(`"email", "NAME"`)
			a.held(a.run())
			a.checkIdle()
		})
	}
}

// TestContractMaskJudgedOnce: what is delivered later is a warning at most, until the
// mask is edited; and a mask that could not be judged is judged once it can be.
func TestContractMaskJudgedOnce(t *testing.T) {
	one := dumpOf(1, full("e", avroPart("event_id user_id email", row(1, 10, secretMail))))
	two := dumpOf(2, more("e", avroPart("event_id user_id email Phone_", row(2, 10, "x", "1"))))
	a := newBed(t, masking(`"email", "phone"`))
	a.warned("Mask that meets nothing") // no dump
	a.held(a.run())
	a.run(one)
	a.warned("Name that meets nothing", "Table not delivered", "Table not delivered")
	a.run(two)
	a.warned("Misspelt name in a mask", "Table not delivered", "Table not delivered")
	a.checkIdle()
	a.hcl = masking(`"email", "phone", "x"`)
	a.refused("Phone_")
	a.hcl = strings.Replace(a.hcl, "method", "optional = true\n  method", 1)
	a.run()

	a = newBed(t, masking(`"emial"`))
	a.held(a.run())
	a.arrive(one)
	a.refused(`Did you mean "email"?`)
}

// TestContractMaskEver: delivered means ever: by a dump that is held or skipped, in a
// table that nobody takes, by the state alone, or by the header of a file.
func TestContractMaskEver(t *testing.T) {
	mail := avroPart("event_id user_id email", row(1, 10, secretMail))
	plainRows := avroPart("event_id user_id", row(2, 10))
	t.Run("only the state knows", func(t *testing.T) {
		a := newBed(t, lakeTables)
		a.run(dumpOf(1, full("e", mail)), dumpOf(2, full("f", plainRows)))
		if err := os.Remove(filepath.Join(a.dir, "dumps", "manifests", "sync_1.json")); err != nil {
			t.Fatal(err)
		}
		a.hcl = masking(`"email"`)
		a.run()
		a.nowhere(secretMail)
	})
	t.Run("a skipped dump", func(t *testing.T) {
		a := newBed(t, masking(`"email"`))
		a.prelude = strings.Replace(a.prelude, `source "local" { path = "../dumps" }`,
			"source \"local\" {\n  path = \"../dumps\"\n  skip_dump \"1\" {\n    tables = [\"e\"]\n    reason = \"x\"\n  }\n}", 1)
		a.run(dumpOf(1, withColumns(full("e", mail), "event_id user_id email")), dumpOf(2, full("f", plainRows)))
	})
	t.Run("a held dump", func(t *testing.T) {
		a := newBed(t, lakeTables)
		a.run(dumpOf(1, full("f", plainRows)))
		a.replace(dumpOf(1, withColumns(full("e", mail), "event_id user_id email"), full("f", plainRows)))
		a.hcl = masking(`"email"`)
		a.held(a.run(), "manifests/sync_1.json -accept-manifest=1")
	})
	t.Run("a table that nobody takes", func(t *testing.T) {
		a := newBed(t, masking(`"secret"`))
		a.run(dumpOf(1, full("f", plainRows), withColumns(full("_event_metadata"), "secret")))
	})
	t.Run("a file of a table that nobody takes", func(t *testing.T) {
		a := newBed(t, masking(`"secret"`)+`ignore "other" {}`)
		a.run(dumpOf(1, full("f", plainRows), full("other", avroPart("event_id user_id secret", row(1, 10, secretMail)))))
	})
	t.Run("a file of a table that nobody takes, which is gone", func(t *testing.T) {
		a := newBed(t, masking(`"secret"`)+`ignore "other" {}`)
		gone := avroPart("event_id user_id secret", row(1, 10, secretMail))
		gone.Fault = model.Missing
		a.run(dumpOf(1, full("f", plainRows), full("other", gone)))
	})
	t.Run("a header of an applied file", func(t *testing.T) {
		ignoring := `table "e" {
  sinks = [sink.parquet.lake]
  on_schema_change = "ignore"
  columns = ["user_id"]
}`
		a := newBed(t, ignoring)
		a.run(dumpOf(1, full("e", mail)))
		a.hcl = masking(`"email"`) + ignoring
		a.run()
		a.checkIdle()
	})
}

// TestContractMaskUnknown: while the columns of a table of the mask cannot be known,
// nothing is an error; once they are, it is.
func TestContractMaskUnknown(t *testing.T) {
	bad := avroPart("event_id user_id email", row(1, 10, secretMail))
	bad.Fault = model.Missing
	one := dumpOf(1, full("e", bad), full("f", avroPart("event_id user_id", row(2, 10))))
	a := newBed(t, masking(`"emial"`))
	res := a.run(one)
	if len(res.Holds) != 1 {
		t.Fatalf("held: %v", res.Holds)
	}
	a.warned("Mask that meets nothing", "Table not delivered", "Table not delivered")
	if err := one.Heal(filepath.Join(a.dir, "dumps")); err != nil {
		t.Fatal(err)
	}
	a.refused(`Did you mean "email"?`)
	a.nowhere(secretMail)
}

// TestContractMaskEmptyTables: an empty mapping hides no columns; a table of which
// nothing is said may have any.
func TestContractMaskEmptyTables(t *testing.T) {
	rows := full("e", avroPart("event_id user_id email", row(1, 10, secretMail)))
	mapping := full("user_migrations")
	a := newBed(t, masking(`"emial"`))
	a.arrive(dumpOf(1, rows, mapping, withColumns(full("f"), "event_id user_id")))
	a.refused(`Did you mean "email"?`)
	a = newBed(t, masking(`"emial"`))
	a.arrive(dumpOf(1, rows, mapping, full("f")))
	a.warned("Mask that meets nothing", "Table not delivered")
}

// TestContractMaskOldState: a state that remembers nothing of masks goes on working.
func TestContractMaskOldState(t *testing.T) {
	a := newBed(t, masking(`"email"`))
	a.run(dumpOf(1, full("e", avroPart("event_id user_id email", row(1, 10, secretMail)))))
	a.editState(func(tx *state.Tx, snap *state.Snapshot) error {
		var errs []error
		for digest := range snap.JudgedMasks {
			errs = append(errs, tx.SetJudgedMask(digest, false))
		}
		return errors.Join(errs...)
	})
	a.held(a.run())
	a.checkIdle()
}
