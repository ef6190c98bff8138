package scratch

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestPlansSideBySide has plans and applies begin while plans end and remove scratch_dir,
// which was not there before, and the folder above it.
func TestPlansSideBySide(t *testing.T) {
	dir := t.TempDir()
	end := time.Now().Add(time.Second)
	for n := 0; time.Now().Before(end) && !t.Failed(); n++ {
		area := Area{Dir: filepath.Join(dir, fmt.Sprint(n), "scratch"), State: "state.db"}
		var wg sync.WaitGroup
		for _, begin := range []func() (string, func(), error){area.ForPlan, area.ForPlan, area.ForPlan, area.ForApply} {
			wg.Go(func() { work(t, begin) })
		}
		wg.Wait()
		if list, err := os.ReadDir(area.Dir); len(list) > 0 {
			t.Errorf("%d folders are left: %v", len(list), err)
		}
	}
}

// work writes a file as a command does.
func work(t *testing.T, begin func() (string, func(), error)) {
	dir, remove, err := begin()
	if err != nil {
		t.Error(err)
		return
	}
	defer remove()
	if err := os.WriteFile(filepath.Join(dir, "spill"), nil, 0o600); err != nil {
		t.Error(err)
	}
}
