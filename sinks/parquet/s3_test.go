package parquet_test

import (
	"testing"

	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/sinks/parquet"
	"reconcile/sinks/sinktest"
)

// TestConformanceOnS3 is TestConformance in a folder of a bucket.
func TestConformanceOnS3(t *testing.T) {
	srv := s3test.Start(t)
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		store, err := s3blob.New(ctx, s3blob.Options{Bucket: srv.Bucket(t), Prefix: "lake", Endpoint: srv.Endpoint, Region: srv.Region,
			ForcePathStyle: true, Credentials: srv.Credentials()})
		if err != nil {
			t.Fatal(err)
		}
		return sinktest.Place{Sink: parquet.New(store, parquet.Options{RowGroup: 64}), Store: store}
	})
}
