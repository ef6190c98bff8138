package engine

import (
	"flag"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

var flagStoreKills = flag.Int("storekills", 8, "times that the S3 server is killed in the middle of an apply")

// TestStoreDiesOnS3 kills the S3 server at a random moment of an apply, and has
// it back a moment later. What it was asked for then it did, did not, or did by
// half, and it may say of each that it did: the apply ends exact, or explained,
// and the next one heals it.
//
//	go test ./engine -run TestStoreDiesOnS3 -storekills 300
func TestStoreDiesOnS3(t *testing.T) {
	cases := killCases()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			s := s3test.Start(t)
			c.tuning.S3 = func(o *s3blob.Options) {
				o.Retry = blob.Retry{Attempts: 8, Wait: 20 * time.Millisecond}
				o.Credentials = s.Credentials()
			}
			b := newKillBed(t, c, newBucketPair(t, s))
			b.restore()
			began := time.Now()
			b.heal()
			took := time.Since(began)
			for range (*flagStoreKills + len(cases) - 1) / len(cases) {
				b.restore()
				b.surviveDeath(s, time.Duration(r.Int63n(int64(took))), time.Duration(r.Int63n(int64(100*time.Millisecond))))
			}
		})
	}
}

// surviveDeath applies while the server dies after a time and stays away for
// another.
func (b *killBed) surviveDeath(s *s3test.Server, after, away time.Duration) {
	b.t.Helper()
	type end struct {
		res *Result
		err error
	}
	ended := make(chan end, 1)
	go func() {
		res, err := b.apply()
		ended <- end{res, err}
	}()
	time.Sleep(after)
	s.Kill()
	time.Sleep(away)
	s.Restart(b.t)
	e := <-ended
	b.t.Logf("killed after %s, back after %s: %v", after, away, e.err)
	b.removeOfServer()
	if e.err == nil && !e.res.Partial() {
		b.checkDone()
		return
	}
	b.checkExplained(e.err, e.res)
	b.heal()
}

// removeOfServer removes what a server that keeps objects as files leaves of its own when it
// dies: empty folders below the staging folder, and files under the temporary names under
// which it replaces objects.
func (b *killBed) removeOfServer() {
	var folders []string
	staging := filepath.Join(b.top("lake"), "_reconcile", "staging")
	_ = filepath.WalkDir(b.top("lake"), func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case d.IsDir() && (p == staging || strings.HasPrefix(p, staging+string(filepath.Separator))):
			folders = append(folders, p)
		case strings.HasPrefix(d.Name(), ".") && strings.Contains(d.Name(), ".sgwtmp."):
			_ = os.Remove(p)
		}
		return nil
	})
	for _, p := range slices.Backward(folders) {
		_ = os.Remove(p)
	}
}
