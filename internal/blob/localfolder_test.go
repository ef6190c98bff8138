package blob_test

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"reconcile/internal/blob"
)

// TestFoldersThatComeAndGo has stores that know nothing of each other, as those of several
// processes do, write, move and remove files in the same folders. Each removes the folders
// that it leaves empty, and so those in which another is about to make a file.
func TestFoldersThatComeAndGo(t *testing.T) {
	_, dir := newLocal(t)
	end := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for n := range 4 {
		l, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := 0; time.Now().Before(end) && !t.Failed(); i++ {
				if err := comeAndGo(l, n); err != nil {
					t.Errorf("store %d, round %d: %v", n, i, err)
				}
			}
		})
	}
	wg.Wait()
	list, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := list.List(ctx, ""); err != nil || len(left) > 0 {
		t.Errorf("%d files are left: %v", len(left), err)
	}
}

// comeAndGo stages a file and publishes it, writes one beside it that must be new, removes
// both, and sees what is there in between.
func comeAndGo(l *blob.Local, n int) error {
	staged, file, lock := fmt.Sprintf("own/staging/%d/f", n), fmt.Sprintf("table/day=1/f%d", n), fmt.Sprintf("table/day=1/lock%d", n)
	if _, err := blob.Put(ctx, l, staged, []byte("content"), blob.Cond{}); err != nil {
		return err
	}
	o, err := l.Move(ctx, staged, file, blob.Absent())
	if err != nil {
		return err
	}
	if err := l.RemoveEmptyFolders(ctx, blob.Dir(staged), ""); err != nil {
		return err
	}
	if _, err := l.List(ctx, "table"); err != nil {
		return err
	}
	if err := l.Delete(ctx, file, blob.Match(o.Pin)); err != nil {
		return err
	}
	if err := l.RemoveLeftovers(ctx, blob.Leftovers{Prefix: fmt.Sprintf("own/staging/%d", n)}); err != nil {
		return err
	}
	if err := l.RemoveEmptyFolders(ctx, blob.Dir(file), ""); err != nil {
		return err
	}
	if _, err := blob.Put(ctx, l, lock, nil, blob.Absent()); err != nil {
		return err
	}
	if _, err := l.Stat(ctx, fmt.Sprintf("table/day=1/f%d", n)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("what was removed is there: %v", err)
	}
	if err := l.Delete(ctx, lock, blob.Cond{}); err != nil {
		return err
	}
	return l.RemoveEmptyFolders(ctx, blob.Dir(lock), "")
}
