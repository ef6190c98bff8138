package sinktest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"reconcile/sinks"
)

const currentKey = "_reconcile/current.json"

func testCurrent(t *testing.T, p Place) {
	if c, err := p.Sink.Current(ctx); c != nil || err != nil {
		t.Errorf("none: got %+v, %v", c, err)
	}
	mapping := int64(-7)
	first := &sinks.Current{Version: 1, Lineage: "l1", Tables: map[string]sinks.CurrentTable{
		"t":      {Commit: 1 << 60, Complete: false, Dumps: []int64{-1, 9007199254740993}, Mapping: &mapping, Folder: "t"},
		"é":      {Commit: 1, Complete: true, Dumps: []int64{}, Folder: "%C3%A9"},
		"[\n1]]": {Commit: 1, Complete: true, Dumps: []int64{7}, Folder: "["},
	}}
	second := &sinks.Current{Version: 1, Lineage: "l1", Tables: map[string]sinks.CurrentTable{}}
	for _, c := range []*sinks.Current{first, second, first} {
		if err := p.Sink.SetCurrent(ctx, c); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Sink.Current(ctx); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v, %v; want %+v", got, err, c)
		}
		wantAll(t, p, "", currentKey)
	}
	if text := string(content(t, p, currentKey)); !strings.Contains(text, `"dumps": [-1, 9007199254740993],`) {
		t.Errorf("written as %s", text)
	}
	if err := p.Sink.SetCurrent(ctx, &sinks.Current{Lineage: "l2", Tables: map[string]sinks.CurrentTable{"t": {}}}); err != nil {
		t.Fatal(err)
	}
	if text := string(content(t, p, currentKey)); !strings.Contains(text, `"version": 1`) || !strings.Contains(text, `"dumps": []`) ||
		!strings.Contains(text, `"mapping": null`) {
		t.Errorf("written as %s", text)
	}
	for _, c := range []*sinks.Current{{Version: 2, Lineage: "l"}, {Version: 1}} {
		unchanged(t, p, func() {
			if err := p.Sink.SetCurrent(ctx, c); err == nil {
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
		if c, err := p.Sink.Current(ctx); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), currentKey) {
			t.Errorf("%q: got %+v, %v; want an error that says %q and names the file", text, c, err, want)
		}
	}
	tamper(t, p, currentKey, `{"version":1,"lineage":"l","later":true,"tables":{"t":{"commit":3,"complete":true,"more":[]}}}`)
	if c, err := p.Sink.Current(ctx); err != nil || c.Tables["t"].Commit != 3 || !c.Tables["t"].Complete {
		t.Errorf("unknown fields: got %+v, %v", c, err)
	}
}

// testWholeCurrent reads current.json as a consumer would while it is replaced.
func testWholeCurrent(t *testing.T, p Place) {
	set := func(n uint64) {
		t.Helper()
		c := &sinks.Current{Lineage: "l", Tables: map[string]sinks.CurrentTable{"t": {Commit: n, Dumps: make([]int64, n%7*100)}}}
		if err := p.Sink.SetCurrent(ctx, c); err != nil {
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
		if err := p.Sink.Sweep(ctx, sinks.Sweeping{}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-stopped
}
