package dump_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"reconcile/engine/dump"
	"reconcile/internal/blob"
)

// reportTimes are when the reports of a test changed.
var reportTimes = time.Date(2026, 3, 5, 2, 0, 0, 0, time.UTC)

// putReport writes a report that changed some time before reportTimes.
func putReport(t *testing.T, dir, name, text string, before time.Duration) {
	t.Helper()
	file := filepath.Join(dir, "sync_reports", name)
	at := reportTimes.Add(-before)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666), os.Chtimes(file, at, at)); err != nil {
		t.Fatal(err)
	}
}

func reports(t *testing.T, store blob.Store, since time.Time, atLeast int) *dump.SyncReports {
	t.Helper()
	r, err := dump.Open(store, dump.Options{}).SyncReports(ctx, since, atLeast)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNoSyncReports(t *testing.T) {
	store, _ := source(t, nil)
	if r := reports(t, store, reportTimes, 20); r.All+len(r.Reports)+len(r.Broken) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestWhatAReportSays(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	for text, want := range map[string]dump.SyncReport{
		`{"start_time":1772668800000,"finish_time":1772672400123,"next_sync_at":1772755200000,"status":"succeeded","error":null}`: {
			Start: at(1772668800000), Finish: at(1772672400123), Next: at(1772755200000), Status: "succeeded", Succeeded: true},
		`{"finish_time":"1772672400000","status":"Success","dump_id":7,"more":{"a":[1]}}`: {Finish: at(1772672400000), Status: "Success", Succeeded: true},
		"\ufeff" + `{"finish_time":1772672400000.0,"status":"failed","error":"out of disk"}`: {
			Finish: at(1772672400000), Status: "failed", Error: "out of disk"},
		`{"finish_time":1.7726724e12,"status":"failed","error":{"code":3}}`:  {Finish: at(1772672400000), Status: "failed", Error: `{"code":3}`},
		`{"start_time":1772668800000,"finish_time":null,"status":"running"}`: {Start: at(1772668800000), Status: "running"},
	} {
		store, dir := source(t, nil)
		putReport(t, dir, "a.json", text, 0)
		r := reports(t, store, reportTimes, 1)
		want.Key = "sync_reports/a.json"
		if len(r.Broken) != 0 || len(r.Reports) != 1 || r.Reports[0] != want {
			t.Errorf("%s\ngives %+v\nwant  %+v", text, r, want)
		}
	}
}

func TestBrokenReportsAreNamed(t *testing.T) {
	store, dir := source(t, nil)
	putReport(t, dir, "good.json", `{"finish_time":1772672400000,"status":"succeeded"}`, 0)
	bad := map[string]string{
		"cut.json": `{"finish_time":17726724`, "empty.json": "", "list.json": "[]", "number.json": "7", "nothing.json": "{}",
		"no-finish.json": `{"status":"succeeded"}`, "text.json": `{"finish_time":"yesterday","status":"failed"}`,
		"micros.json": `{"finish_time":1772672400000000,"status":"failed"}`, "before.json": `{"finish_time":-1e15,"status":"failed"}`,
		"nan.json": `{"finish_time":"NaN","status":"failed"}`, "huge.json": `{"finish_time":1e300,"status":"failed"}`,
		"long.json":      `{"status":"failed","error":"` + strings.Repeat("x", 1<<20) + `"}`,
		"hostile\n.json": "{",
	}
	for name, text := range bad {
		putReport(t, dir, name, text, time.Minute)
	}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "sync_reports", "link.json")); err != nil {
		t.Fatal(err)
	}
	r := reports(t, store, time.Time{}, 0)
	if len(r.Reports) != 1 || len(r.Broken) != len(bad)+1 || r.All != len(bad)+2 {
		t.Fatalf("%+v", r)
	}
	for _, b := range r.Broken {
		if b.Reason == "" || len(b.Reason) > 300 {
			t.Errorf("%q: %q", b.Key, b.Reason)
		}
	}
	if !slices.IsSortedFunc(r.Broken, func(a, b dump.BrokenReport) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("the broken ones are in no order")
	}
}

// TestNewestReports: those that changed since a time are read, and at least some number
// of the last changed ones, whatever their names and their finish times say.
func TestNewestReports(t *testing.T) {
	store, dir := source(t, nil)
	for i := range 30 {
		putReport(t, dir, fmt.Sprintf("%02d.json", (i*7)%30), fmt.Sprintf(`{"finish_time":%d,"status":"failed"}`, 1_700_000_000_000+int64(i)), time.Duration(i)*time.Hour)
	}
	putReport(t, dir, "notes.txt", "x", 0)
	putReport(t, dir, ".hidden.json", "x", 0)
	putReport(t, dir, "old/31.json", "x", 0)
	for _, c := range []struct {
		since   time.Duration
		atLeast int
		want    int
	}{{5 * time.Hour, 0, 6}, {5 * time.Hour, 20, 20}, {5 * time.Hour, 100, 30}, {100 * time.Hour, 3, 30}, {-time.Hour, 0, 0}} {
		counted := &countingOpens{Store: store}
		r := reports(t, counted, reportTimes.Add(-c.since), c.atLeast)
		if len(r.Reports) != c.want || r.All != 30 || int(counted.opens.Load()) != c.want {
			t.Errorf("since %v, at least %d: %d reports of %d, %d opened, want %d", c.since, c.atLeast, len(r.Reports), r.All, counted.opens.Load(), c.want)
		}
		for i := 1; i < len(r.Reports); i++ {
			if r.Reports[i-1].Finish.Before(r.Reports[i].Finish) {
				t.Errorf("report %d finished after the one in front of it", i)
			}
		}
	}
}

type countingOpens struct {
	blob.Store
	opens atomic.Int64
}

func (c *countingOpens) Open(ctx context.Context, key string) (blob.Handle, error) {
	c.opens.Add(1)
	return c.Store.Open(ctx, key)
}

// failingReports fails for what is in the folder of the reports.
type failingReports struct {
	blob.Store
	list, open error
}

func (f *failingReports) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	if f.list != nil {
		return nil, f.list
	}
	return f.Store.List(ctx, prefix)
}

func (f *failingReports) Open(ctx context.Context, key string) (blob.Handle, error) {
	if f.open != nil {
		return nil, f.open
	}
	return f.Store.Open(ctx, key)
}

func TestSyncReportsOfAFailingSource(t *testing.T) {
	store, dir := source(t, nil)
	putReport(t, dir, "a.json", `{"finish_time":1772672400000,"status":"succeeded"}`, 0)
	retry := blob.Retry{Attempts: 1}
	read := func(s blob.Store) (*dump.SyncReports, error) {
		return dump.Open(s, dump.Options{Retry: retry}).SyncReports(ctx, time.Time{}, 20)
	}
	for _, err := range []error{syscall.EIO, fs.ErrPermission} {
		if _, got := read(&failingReports{Store: store, list: err}); !errors.Is(got, err) || !strings.Contains(got.Error(), "sync reports") {
			t.Errorf("a listing that fails with %v: %v", err, got)
		}
	}
	if _, got := read(&failingReports{Store: store, open: syscall.EIO}); !errors.Is(got, syscall.EIO) || !strings.Contains(got.Error(), "a.json") {
		t.Errorf("a source out of reach: %v", got)
	}
	for _, err := range []error{fs.ErrPermission, fs.ErrNotExist} {
		if r, got := read(&failingReports{Store: store, open: err}); got != nil || len(r.Broken) != 1 {
			t.Errorf("a report with %v: %+v, %v", err, r, got)
		}
	}
}
