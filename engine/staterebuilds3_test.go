package engine

import (
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/blob/s3test"
)

// TestLostStatesOnS3 loses the state of worlds whose state is in a bucket: all of it, or
// so that entries of its log and its checkpoints are damaged. What is rebuilt is what was
// there, no data file is written, and later applies go on from it.
func TestLostStatesOnS3(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	for _, seed := range []int64{3, 8, 12} {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			b := newBucketPair(t, s)
			b.stateOnS3 = true
			randomWorld(t, seed, b.place, func(h *harness, r *rand.Rand) {
				if r.Intn(2) == 0 {
					h.rebuiltOnS3(r)
				}
			})
		})
	}
}

// rebuiltOnS3 loses the state, or parts of it, and rebuilds it.
func (h *harness) rebuiltOnS3(r *rand.Rand) {
	h.t.Helper()
	if len(h.lakeTables()) == 0 {
		return
	}
	before := h.bucketFiles()
	root := filepath.Join(h.remote.server.Dir, h.remote.out, "state")
	gone := r.Intn(2) == 0
	if gone {
		if err := os.RemoveAll(root); err != nil {
			h.t.Fatal(err)
		}
	} else {
		h.damageLog(root)
	}
	if err := os.RemoveAll(filepath.Join(h.dir, "conf", ".reconcile")); err != nil { // the cache
		h.t.Fatal(err)
	}
	sr, _, err := h.rebuild()
	if err != nil {
		h.t.Fatal(err)
	}
	if gone != (sr.Damage == "") {
		h.t.Errorf("the state is gone: %v; but what is wrong with it is %q", gone, sr.Damage)
	}
	if after := h.bucketFiles(); !slices.Equal(before, after) {
		h.t.Fatalf("the rebuild wrote:\n%s\nbefore\n%s\n%+v", strings.Join(after, "\n"), strings.Join(before, "\n"), sr)
	}
	if _, err := h.apply(); err != nil {
		h.t.Fatal(err)
	}
	h.check()
	h.checkIdle()
}

// damageLog spoils all entries of the log and all checkpoints.
func (h *harness) damageLog(root string) {
	h.t.Helper()
	n := 0
	for _, folder := range []string{"log", "checkpoints", "checkpoint"} {
		_ = filepath.WalkDir(filepath.Join(root, folder), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			n++
			return os.WriteFile(p, []byte("damaged"), 0o644)
		})
	}
	if n == 0 {
		h.t.Fatalf("nothing to damage in %s", root)
	}
}

// bucketFiles lists the data files of the lake, with sizes and times.
func (h *harness) bucketFiles() []string {
	var out []string
	root := filepath.Join(h.remote.server.Dir, h.remote.out, "lake")
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return nil
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, fmt.Sprintf("%s %d %d", p, info.Size(), info.ModTime().UnixNano()))
		}
		return nil
	})
	return out
}
