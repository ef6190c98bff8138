package sinktest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"reconcile/sinks"
)

const currentKey = "_reconcile/current.json"

func testCurrent(t *testing.T, p Place) {
	if c, version, err := p.Sink.Current(ctx); c != nil || version != "" || err != nil {
		t.Errorf("none: got %+v, %q, %v", c, version, err)
	}
	mapping := int64(-7)
	first := &sinks.Current{Version: 1, Lineage: "l1", State: "s3://b/state", Tables: map[string]sinks.CurrentTable{
		"t":      {Commit: 1 << 60, Complete: false, Dumps: []int64{-1, 9007199254740993}, Mapping: &mapping, Folder: "t"},
		"é":      {Commit: 1, Complete: true, Dumps: []int64{}, Folder: "%C3%A9"},
		"[\n1]]": {Commit: 1, Complete: true, Dumps: []int64{7}, Folder: "["},
	}}
	second := &sinks.Current{Version: 1, Lineage: "l1", Tables: map[string]sinks.CurrentTable{}}
	version := ""
	for n, c := range []*sinks.Current{first, second, first} {
		c.Writes = uint64(n)
		wrote, err := p.Sink.SetCurrent(ctx, c, version)
		if err != nil {
			t.Fatal(err)
		}
		c.Writes++
		got, now, err := p.Sink.Current(ctx)
		if err != nil || !reflect.DeepEqual(got, c) || now == version || now != wrote {
			t.Errorf("got %+v of version %q, %v; want %+v of version %q", got, now, err, c, wrote)
		}
		version = now
		wantAll(t, p, "", currentKey)
	}
	if text := string(content(t, p, currentKey)); !strings.Contains(text, `"dumps": [-1, 9007199254740993],`) {
		t.Errorf("written as %s", text)
	}
	if _, err := p.Sink.SetCurrent(ctx, &sinks.Current{Lineage: "l2", Tables: map[string]sinks.CurrentTable{"t": {}}}, version); err != nil {
		t.Fatal(err)
	}
	if text := string(content(t, p, currentKey)); !strings.Contains(text, `"version": 1`) || !strings.Contains(text, `"dumps": []`) ||
		!strings.Contains(text, `"mapping": null`) {
		t.Errorf("written as %s", text)
	}
	for _, c := range []*sinks.Current{{Version: 2, Lineage: "l"}, {Version: 1}} {
		unchanged(t, p, func() {
			if _, err := p.Sink.SetCurrent(ctx, c, sinks.AnyVersion); err == nil {
				t.Errorf("wrote %+v", c)
			}
		})
	}
}

func testDamagedCurrent(t *testing.T, p Place) {
	for text, want := range map[string]string{
		``: "damaged", `{`: "damaged", `[]`: "damaged", `{}`: "no version", `{"version":0}`: "no version",
		`{"version":1}`: "no lineage", `{"version":1,"lineage":"l","tables":[]}`: "damaged", `{"version":"1"}`: "damaged",
		`{"version":2,"tables":"new"}`: "version 2", "\x00\x00\x00": "damaged",
	} {
		tamper(t, p, currentKey, text)
		if c, version, err := p.Sink.Current(ctx); err == nil || version == "" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), currentKey) {
			t.Errorf("%q: got %+v, %v; want an error that says %q and names the file", text, c, err, want)
		}
	}
	tamper(t, p, currentKey, `{"version":1,"lineage":"l","later":true,"tables":{"t":{"commit":3,"complete":true,"more":[]}}}`)
	if c, _, err := p.Sink.Current(ctx); err != nil || c.Tables["t"].Commit != 3 || !c.Tables["t"].Complete {
		t.Errorf("unknown fields: got %+v, %v", c, err)
	}
}

// testCurrentVersions says that a version is replaced only while it is there.
func testCurrentVersions(t *testing.T, p Place) {
	set := func(c *sinks.Current, version string, fits bool) {
		t.Helper()
		do := func() {
			_, err := p.Sink.SetCurrent(ctx, c, version)
			if fits != (err == nil) || !fits && !errors.Is(err, sinks.ErrCurrentChanged) {
				t.Fatalf("over version %q: %v", version, err)
			}
		}
		if fits {
			do()
		} else {
			unchanged(t, p, do)
		}
	}
	read := func() (*sinks.Current, string) {
		t.Helper()
		c, version, err := p.Sink.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return c, version
	}
	stage(t, p, "a", "f", 0, 1)
	set(&sinks.Current{Lineage: "l"}, "no such version", false)
	set(&sinks.Current{Lineage: "l"}, "", true)
	set(&sinks.Current{Lineage: "l"}, "", false)
	seen := map[string]bool{}
	for n := range uint64(3) { // the same is said each time
		c, version := read()
		if c.Writes != n+1 || seen[version] {
			t.Errorf("write %d of version %s has the number %d", n+1, version, c.Writes)
		}
		for old := range seen {
			set(c, old, false)
		}
		seen[version] = true
		set(c, version, true)
	}
	set(&sinks.Current{Lineage: "l", Writes: 20}, sinks.AnyVersion, true)
	if c, _ := read(); c.Writes != 21 {
		t.Errorf("it has the number %d, want 21", c.Writes)
	}
	tamper(t, p, currentKey, "damaged")
	_, version, err := p.Sink.Current(ctx)
	if !errors.Is(err, sinks.ErrCurrentDamaged) {
		t.Fatal(err)
	}
	set(&sinks.Current{Lineage: "l"}, "", false)
	set(&sinks.Current{Lineage: "l"}, version, true)
}

// testWholeCurrent reads current.json as a consumer would while it is replaced.
func testWholeCurrent(t *testing.T, p Place) {
	set := func(n uint64) {
		t.Helper()
		c := &sinks.Current{Lineage: "l", Tables: map[string]sinks.CurrentTable{"t": {Commit: n, Dumps: make([]int64, n%7*100)}}}
		if _, err := p.Sink.SetCurrent(ctx, c, sinks.AnyVersion); err != nil {
			t.Error(err)
		}
	}
	set(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			var c sinks.Current
			if err := json.Unmarshal(content(t, p, currentKey), &c); err != nil || len(c.Tables["t"].Dumps) != int(c.Tables["t"].Commit%7*100) {
				t.Errorf("a consumer saw half a file: %v", err)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for n := range uint64(50) {
		set(n)
		if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-stopped
}
