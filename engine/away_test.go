package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/config"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3test"
)

// awayState is where the state of a harness is when it is in an object store. Each
// engine is that of a fresh machine then: it has an empty cache. The nil one is a state
// in a file.
type awayState struct {
	dir    string     // where its objects can be seen as files
	store  blob.Store // a folder that stands for a bucket; nil for a bucket
	block  string     // of the configuration, for a bucket
	caches string     // folder of the machines
	one    bool       // all is done on one machine
}

// stateInFolder keeps the state of a harness in a folder that stands for a bucket: much
// faster than a server, behind the same code.
func stateInFolder(h *harness) {
	h.t.Helper()
	dir := filepath.Join(h.dir, "state")
	store, err := blob.NewLocal(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	h.away = &awayState{dir: dir, store: store, caches: filepath.Join(h.dir, "caches")}
}

// stateInBucket keeps the state of a harness in a bucket of its own, which is asked for
// at an endpoint.
func stateInBucket(t *testing.T, h *harness, s *s3test.Server, endpoint string) {
	t.Helper()
	bucket := s.Bucket(t)
	h.away = &awayState{dir: filepath.Join(s.Dir, bucket, "state"), caches: filepath.Join(h.dir, "caches"), block: fmt.Sprintf(`state "s3" {
    bucket = %q
    prefix = "state"
    endpoint = %q
    force_path_style = true
    region = %q
  }`, bucket, endpoint, s.Region)}
}

// configure names the place in a configuration.
func (s *awayState) configure(prelude string) string {
	if s == nil || s.block == "" {
		return prelude
	}
	return strings.Replace(prelude, `state "local" { path = "../state/state.db" }`, s.block, 1)
}

// machine makes what is opened next a machine of its own.
func (s *awayState) machine(t *testing.T, cfg *config.Config, tuning *Tuning) {
	t.Helper()
	if s == nil {
		return
	}
	err := os.MkdirAll(s.caches, 0o700)
	if err == nil && s.one {
		cfg.CacheDir = filepath.Join(s.caches, "one")
	} else if err == nil {
		cfg.CacheDir, err = os.MkdirTemp(s.caches, "machine-")
	}
	if err != nil {
		t.Fatal(err)
	}
	tuning.State = s.store
}

// kind names the place for a process of its own.
func (s *awayState) kind() string {
	switch {
	case s == nil:
		return ""
	case s.store != nil:
		return "folder"
	}
	return "bucket"
}

// isLease reports whether a file is the lease, which each apply writes.
func (s *awayState) isLease(path string) bool {
	return s != nil && path == filepath.Join(s.dir, "lease")
}

// expire lets a lease that is held be one that was not renewed for long, by the clock of
// the store.
func (s *awayState) expire(t *testing.T) {
	t.Helper()
	if s == nil {
		return
	}
	long := time.Now().Add(-10 * time.Minute)
	if err := os.Chtimes(filepath.Join(s.dir, "lease"), long, long); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// stateDir returns where the files of the state are.
func (h *harness) stateDir() string {
	if h.away != nil {
		return h.away.dir
	}
	return filepath.Join(h.dir, "state")
}

// TestMasterPropertyWithStateAway plays random worlds with the state in an object store
// and a fresh machine for every apply and plan. What readers may still need goes at once
// in half of them.
func TestMasterPropertyWithStateAway(t *testing.T) {
	for i := range max(*flagWorlds/5, 1) {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, func(h *harness) {
				stateInFolder(h)
				h.shortDay = seed%2 == 0
			}, nil)
		})
	}
}

// TestMasterPropertyWithStateOnS3 plays some of them on a server, where the export and
// the lake are, too.
func TestMasterPropertyWithStateOnS3(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	for i := range max(*flagWorlds/30, 1) {
		seed := *flagSeed + 5 + 3*int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			randomWorld(t, seed, func(h *harness) {
				newBucketPair(t, s).place(h)
				stateInBucket(t, h, s, s.Endpoint)
			}, nil)
		})
	}
}
