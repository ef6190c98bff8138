package engine

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// copyLake copies all objects of the lake to another prefix of its bucket, and has the
// configuration name that.
func (h *harness) copyLake(prefix string) {
	h.t.Helper()
	client := h.remote.server.Client()
	out, err := client.ListObjectsV2(h.t.Context(), &s3.ListObjectsV2Input{Bucket: &h.remote.out})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, o := range out.Contents {
		rest, ok := strings.CutPrefix(*o.Key, "lake/")
		if !ok {
			continue
		}
		key, from := prefix+"/"+rest, h.remote.out+"/"+(&url.URL{Path: *o.Key}).EscapedPath()
		if _, err := client.CopyObject(h.t.Context(), &s3.CopyObjectInput{Bucket: &h.remote.out, Key: &key, CopySource: &from}); err != nil {
			h.t.Fatal(err)
		}
	}
	h.prelude = strings.Replace(h.prelude, h.remote.out+"/lake\"", h.remote.out+"/"+prefix+"\"", 1)
}

// TestMovedSinkOnS3 copies a lake to another place, also in mid-commit: the state goes
// on there once a flag or a block says so, and not before.
func TestMovedSinkOnS3(t *testing.T) {
	buckets := onS3(t)
	for _, point := range []string{"", "publish.move.before=error@2", "publish.clear.before=error"} {
		for _, by := range []string{"flag", "block"} {
			t.Run(point+" "+by, func(t *testing.T) { movedOnS3(t, buckets(), point, by) })
		}
	}
}

func movedOnS3(t *testing.T, b *bucketPair, point, by string) {
	h := newHarness(t, strings.ReplaceAll(tablesIn("sink.parquet.lake"), "sink.parquet.desk", "sink.parquet.lake"))
	h.remote = b
	h.prelude = h.remote.prelude()
	h.arrive(killDumps()[:1]...)
	h.must()
	h.arrive(killDumps()[1:2]...)
	if point != "" {
		h.interruptAt(point)
	} else {
		h.must()
	}
	before := h.tree()
	h.copyLake("lake2")
	from, to := "s3://"+h.remote.out+"/lake", "s3://"+h.remote.out+"/lake2"
	for range 2 {
		if _, err := h.apply(); err == nil || !strings.Contains(err.Error(), "-moved-sink="+from+"="+to+" goes on there") {
			t.Fatalf("got %v", err)
		}
	}
	if by == "flag" {
		h.opts.MovedSinks = []string{from + "=" + to}
	} else {
		h.prelude += fmt.Sprintf("moved {\n from = %q\n to = %q\n}\n", from+"/", to)
	}
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
	h.opts.MovedSinks = nil
	h.arrive(killDumps()[2:]...)
	h.must()
	lakeOf := func(tree []string) []string {
		return slices.DeleteFunc(tree, func(line string) bool { return !strings.Contains(line, h.remote.out+"/lake/") })
	}
	if after := h.tree(); !slices.Equal(lakeOf(before), lakeOf(after)) {
		t.Errorf("the old place was %q, it is %q", lakeOf(before), lakeOf(after))
	}
}
