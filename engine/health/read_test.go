package health

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/planner"
	"reconcile/internal/blob"
	"reconcile/state/local"
)

// readerOf reads a folder with a manifest and some reports, by how old they are, and a
// state that is not there.
func readerOf(t *testing.T, reports map[string]time.Duration) *Reader {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string, age time.Duration) {
		t.Helper()
		file, at := filepath.Join(dir, name), now.Add(-age)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	put("manifests/sync_1.json", `{"dump_id":1,"tables":[]}`, time.Hour)
	i := 0
	for status, age := range reports {
		i++
		put(fmt.Sprintf("sync_reports/%s-%d.json", status, i), fmt.Sprintf(`{"status":%q,"finish_time":%d}`, status, now.Add(-age).UnixMilli()), age)
	}
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &Reader{Ask: &planner.Request{Config: loadConfig(t, testConfig)}, Source: dump.Open(store, dump.Options{}),
		Store: local.Open(filepath.Join(dir, "state.db"), local.Options{})}
}

// TestReportsThatAreRead: those of two weeks are read, of a greater -max-age those of that
// time, and the last twenty in any case.
func TestReportsThatAreRead(t *testing.T) {
	const day = 24 * time.Hour
	list := map[string]time.Duration{"succeeded": 20 * day}
	for i := range 25 {
		list[fmt.Sprintf("failed%02d", i)] = time.Duration(i+1) * time.Hour
	}
	r := readerOf(t, list)
	for maxAge, found := range map[time.Duration]bool{0: false, 10 * day: false, 30 * day: true} {
		h, err := r.Read(t.Context(), Options{MaxAge: maxAge}, now)
		if err != nil || (h.Sync.Success != nil) != found || h.Sync.All != 26 {
			t.Errorf("-max-age=%v: %v, %+v", maxAge, err, h.Sync)
		}
	}
	h, err := readerOf(t, map[string]time.Duration{"succeeded": 100 * day, "failed": 90 * day}).Read(t.Context(), Options{}, now)
	if err != nil || h.Sync.Success == nil || h.Sync.Failure == nil {
		t.Errorf("of two old reports: %v, %+v", err, h.Sync)
	}
}
