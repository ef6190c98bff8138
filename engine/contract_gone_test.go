package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unmount puts an empty folder, or nothing, in the place of a folder of the bed.
func (a *bed) unmount(name string, empty bool) {
	a.t.Helper()
	at := filepath.Join(a.dir, name)
	err := os.Rename(at, at+".aside")
	if err == nil && empty {
		err = os.Mkdir(at, 0o755)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// mount undoes it, and checks that nothing was written in between.
func (a *bed) mount(name string) {
	a.t.Helper()
	at := filepath.Join(a.dir, name)
	list, err := os.ReadDir(at)
	if len(list) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		a.t.Fatalf("what stood in the place of the sink holds %v, %v", list, err)
	}
	if err := errors.Join(os.RemoveAll(at), os.Rename(at+".aside", at)); err != nil {
		a.t.Fatal(err)
	}
}

const gonePrelude = `
sink "parquet" "pond" { path = "../pond" }
`

// TestContractSinkGone: a lake that is not mounted is not rewritten. Its tables are
// held, the sink is named once, the others go on, and nothing is written in its place.
func TestContractSinkGone(t *testing.T) {
	for _, empty := range []bool{false, true} {
		a := newBed(t, gonePrelude+`
table "*" { sinks = [sink.parquet.lake] }
table "f" { sinks = [sink.parquet.pond] }
table "e" { sinks = [sink.parquet.lake, sink.parquet.pond] }
`)
		a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10))), full("f", avroPart("event_id user_id", row(7, 10))),
			full("g", avroPart("event_id user_id", row(9, 10))), full("none")))
		a.unmount("lake", empty)
		lake := filepath.Join(a.dir, "lake")
		a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10))), more("f", avroPart("event_id user_id", row(8, 10))),
			full("new", avroPart("event_id user_id", row(3, 10)))))
		for range 2 {
			res, err := a.apply()
			if err != nil || len(res.Holds) != 1 || res.Holds[0].Sink != lake || res.Holds[0].Table != "" {
				t.Fatalf("%v: %+v", err, res)
			}
			for _, word := range []string{"not there", "mount it", "e, g", "-moved-sink=" + lake + "=", "-sink-lost=" + lake} {
				if !strings.Contains(res.Holds[0].Reason, word) {
					t.Errorf("the hold does not say %q: %s", word, res.Holds[0].Reason)
				}
			}
		}
		p, err := a.engine().Plan(t.Context())
		if err != nil || len(p.Holds) != 1 || p.Changes() {
			t.Fatalf("%+v, %v", p, err)
		}
		_ = p.Close()
		if _, err := os.Stat(filepath.Join(a.dir, "pond", "f")); err != nil {
			t.Fatal(err)
		}
		a.mount("lake")
		a.must()
	}
}

// TestContractSinkLost: a sink that is lost is rewritten, from another sink or from
// the source; where the source no longer has all, its loss has to be accepted.
func TestContractSinkLost(t *testing.T) {
	a := newBed(t, gonePrelude+`
table "*" { sinks = [sink.parquet.lake] }
table "e" { sinks = [sink.parquet.lake, sink.parquet.pond] }
`)
	lake := filepath.Join(a.dir, "lake")
	a.opts.SinksLost = []string{lake, "../nowhere"}
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10))), full("g", avroPart("event_id user_id", row(9, 10)))))
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10))), more("g", avroPart("event_id user_id", row(8, 10)))))
	notices := func() string {
		p, err := a.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return strings.Join(p.Notices, "\n")
	}
	if got := notices(); !strings.Contains(got, lake+" has no effect") || !strings.Contains(got, "../nowhere has no effect") {
		t.Errorf("notices: %s", got)
	}
	a.unmount("lake", true)
	a.forgetDump("1")
	if got := notices(); strings.Contains(got, lake+" has no effect") || !strings.Contains(got, "../nowhere has no effect") {
		t.Errorf("notices: %s", got)
	}
	a.held(a.run(), "g dump 1 -accept-loss=g")
	a.want("e", "event_id", "1", "2")
	a.held(a.run(), "g -accept-loss=g") // the sink is there by now, and the flag still means g
	a.opts.AcceptLoss = []string{"g"}
	a.held(a.run())
	a.want("g", "event_id", "8")
	a.opts.SinksLost, a.opts.AcceptLoss = nil, nil
	a.checkIdle()
}

// TestContractSinkGoneInMidCommit: a commit that is being made visible waits for its
// sink; its list is not given up. Where the sink is lost, it is finished in the others.
func TestContractSinkGoneInMidCommit(t *testing.T) {
	for _, point := range []string{"publish.current.incomplete", "publish.move.before", "publish.clear.before"} {
		for _, lost := range []bool{false, true} {
			a := newBed(t, gonePrelude+`
table "e" { sinks = [sink.parquet.lake, sink.parquet.pond] }
`)
			a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
			a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)))))
			a.listOf(point + "=error")
			a.unmount("lake", true)
			if !lost {
				res, err := a.apply()
				if err != nil || len(res.Holds) != 1 || res.Holds[0].Sink == "" || len(res.Tables) > 0 {
					t.Fatalf("%s: %v: %+v", point, err, res)
				}
				a.mount("lake")
			}
			a.forgetDump("1")
			a.forgetDump("2")
			if lost {
				a.opts.SinksLost = []string{filepath.Join(a.dir, "lake")}
			}
			a.held(a.run())
			a.want("e", "event_id", "1", "2")
			a.opts.SinksLost = nil
			a.checkIdle()
		}
	}
}

// A first commit that died before its sink had anything but staged files goes on.
func TestContractSinkNewInMidCommit(t *testing.T) {
	a := newBed(t, lakeTables)
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	a.listOf("publish.current.incomplete=error")
	a.must()
	if got := sortedKeys(a.commits()); !slices.Equal(got, []string{"e"}) {
		t.Errorf("the sink has %v", got)
	}
}
