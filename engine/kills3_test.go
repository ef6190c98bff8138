package engine

import (
	"flag"
	"testing"

	"reconcile/internal/blob/s3test"
	"reconcile/internal/failpoint"
)

// The tests that interrupt, from bucket to bucket. Each step is a request then,
// and what a dead process asked for last can still happen.

var (
	flagKillsS3        = flag.Int("kills-s3", 0, "hits of each failpoint that are tried on S3 in each case, 0 for one in one of the cases")
	flagProcessKillsS3 = flag.Int("processkills-s3", 10, "processes on S3 that are killed at a random moment")
)

// onS3 starts a server for a test; each call of what it returns makes two
// buckets there.
func onS3(t *testing.T) func() *bucketPair {
	s := s3test.Start(t)
	s.Setenv(t)
	return func() *bucketPair { return newBucketPair(t, s) }
}

// TestFailpointsOnS3 is TestFailpoints there.
func TestFailpointsOnS3(t *testing.T) {
	remote := onS3(t)
	beds, hits := killBeds(killCases(), func(c killCase) *killBed { return newKillBed(t, c, remote()) })
	failAt(t, *flagKillSeed+100, beds, hits, failpoint.All(), *flagKillsS3)
}

// TestExitAtFailpointsOnS3 is TestExitAtFailpoints there.
func TestExitAtFailpointsOnS3(t *testing.T) {
	remote := onS3(t)
	exitAtFailpoints(t, killCases(), failpoint.All(), func(c killCase) *killBed { return newKillBed(t, c, remote()) })
}

// TestKilledAtAnyMomentOnS3 is TestKilledAtAnyMoment there.
func TestKilledAtAnyMomentOnS3(t *testing.T) {
	remote := onS3(t)
	killedAtAnyMoment(t, killCases(), *flagProcessKillsS3, func(t *testing.T, c killCase) *killBed { return newKillBed(t, c, remote()) })
}
