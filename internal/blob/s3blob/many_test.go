package s3blob_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// TestManyKeys lists and removes 5,000 objects, five pages of a listing.
func TestManyKeys(t *testing.T) {
	t.Run("fake", func(t *testing.T) { manyKeys(t, open(t, fake(t))) })
	t.Run("versitygw", func(t *testing.T) { manyKeys(t, open(t, real(t, s3test.Start(t)))) })
}

func manyKeys(t *testing.T, s *s3blob.Store) {
	const many, page = 5000, 1000
	var g errgroup.Group
	g.SetLimit(32)
	key := func(i int) string { return fmt.Sprintf("t/d=%d/p-%05d", i%7, i/7) }
	for i := range many {
		g.Go(func() error {
			_, err := blob.Put(ctx, s, key(i), nil, blob.Cond{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(ctx, "t")
	if err != nil || len(list) != many {
		t.Fatalf("listed %d of %d keys, %v", len(list), many, err)
	}
	for i := 1; i < len(list); i++ {
		if list[i-1].Key >= list[i].Key {
			t.Fatalf("%s stands before %s", list[i-1].Key, list[i].Key)
		}
	}
	if n := s.Stats().Requests["ListObjectsV2"]; n != many/page {
		t.Errorf("%d requests for %d pages", n, many/page)
	}
	if err := blob.DeleteAll(ctx, s, "t", blob.Below("t/d=3")); err != nil {
		t.Fatal(err)
	}
	if list, err = s.List(ctx, ""); err != nil || len(list) != many/7 {
		t.Errorf("%d keys are left, %v", len(list), err)
	}
}
