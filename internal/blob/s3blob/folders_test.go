package s3blob_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// TestFoldersThatComeAndGo has several machines write, move and remove objects below the
// same prefixes. A server that keeps them as folders removes those that become empty,
// also while it makes an object there.
func TestFoldersThatComeAndGo(t *testing.T) {
	o := real(t, s3test.Start(t))
	o.Prefix = "p/r/e/f/i/x"
	var wg sync.WaitGroup
	end := time.Now().Add(5 * time.Second)
	for n := range 6 {
		o := o
		if n%2 == 1 {
			o.CopyLimit = 1 // moves copy in parts
		}
		s := open(t, o)
		wg.Go(func() {
			for i := 0; time.Now().Before(end) && !t.Failed(); i++ {
				if err := comeAndGo(s, n); err != nil {
					t.Errorf("machine %d, round %d: %v", n, i, err)
				}
			}
		})
	}
	wg.Wait()
	if left, err := open(t, o).List(ctx, ""); len(left) > 0 {
		t.Errorf("%d objects are left: %v", len(left), err)
	}
}

// comeAndGo writes, moves and removes objects with and without conditions.
func comeAndGo(s *s3blob.Store, n int) error {
	staged, key := fmt.Sprintf("own/staging/%d/f", n), fmt.Sprintf("table/day=%d/f", n)
	if _, err := blob.Put(ctx, s, staged, []byte("content"), blob.Cond{}); err != nil {
		return err
	}
	o, err := s.Move(ctx, staged, key, blob.Absent())
	if err != nil {
		return err
	}
	if err := s.Delete(ctx, key, blob.Match(o.Pin)); err != nil {
		return err
	}
	if o, err = blob.Put(ctx, s, key, nil, blob.Absent()); err != nil {
		return err
	}
	if _, err = blob.Put(ctx, s, key, []byte("x"), blob.Match(o.Pin)); err != nil {
		return err
	}
	return s.Delete(ctx, key, blob.Cond{})
}

// TestFolderInTheWay is about a key that such a server has as a folder for good.
func TestFolderInTheWay(t *testing.T) {
	s := open(t, real(t, s3test.Start(t)))
	if _, err := blob.Put(ctx, s, "k/below", []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	_, err := blob.Put(ctx, s, "k", nil, blob.Cond{})
	if err == nil || blob.Transient(err) || !strings.Contains(err.Error(), "write "+s.Root()+"/k: the server keeps prefixes as folders") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Stat(ctx, "k/below"); err != nil {
		t.Error(err)
	}
}
