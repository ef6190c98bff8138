package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// uploadInParts writes an object of the export again, so that its ETag is another.
func (b *bucketPair) uploadInParts(t *testing.T, dir, key string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key)))
	if err != nil {
		t.Fatal(err)
	}
	client, at, first := b.server.Client(), "export/"+key, int32(1)
	up, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.in, Key: &at})
	if err != nil {
		t.Fatal(err)
	}
	part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &b.in, Key: &at, UploadId: up.UploadId, PartNumber: &first, Body: bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	done := &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: &first}}}
	if _, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &b.in, Key: &at, UploadId: up.UploadId, MultipartUpload: done}); err != nil {
		t.Fatal(err)
	}
}

// TestRewrittenOnS3: an ETag tells that an object was written again. If it has the
// same bytes, its new ETag is recorded and that is all.
func TestRewrittenOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	dumps := filepath.Join(h.dir, "dumps")
	d := killDumps()[0]
	h.arrive(d)
	h.must()
	for _, e := range d.Entries {
		for _, f := range e.Files {
			h.remote.uploadInParts(t, dumps, f.Key)
		}
	}
	res, err := h.apply()
	if err != nil || len(res.Tables) > 0 || len(res.Holds) > 0 {
		t.Fatalf("files that were written again changed something: %+v, %v", res, err)
	}
	gate.Rule(nil)
	h.checkIdle()
	if n := asked(gate)["GET"]; n > 0 {
		t.Errorf("%d objects are read again when their ETags are known", n)
	}
	for _, e := range d.Entries {
		if e.Table == feed.TableUsers {
			f := e.Files[0] // of the same size
			f.Rows[0][3] = "paid"
			if err := d.WriteFiles(dumps); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err = h.apply()
	if err != nil || len(res.Tables) != 1 || res.Tables[0].Action != plan.Rebuild {
		t.Fatalf("a file of the same size with other bytes: %+v, %v", res, err)
	}
	h.check()
	h.checkIdle()
}

// TestGoneOnS3: the files of an export that expired are not asked for one by one.
func TestGoneOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	h.arrive(killDumps()[0])
	h.must()
	if err := os.RemoveAll(filepath.Join(h.dir, "dumps", "sync_1")); err != nil {
		t.Fatal(err)
	}
	h.remote.upload(t, filepath.Join(h.dir, "dumps"))
	gate.Rule(nil)
	h.checkIdle()
	if got := asked(gate); got["HEAD"] > 0 {
		t.Errorf("files that are gone: %v", got)
	}
}

// TestGrowingOnS3 reads a dump again of which objects were replaced by longer ones.
func TestGrowingOnS3(t *testing.T) {
	h, _ := gated(t, killConfig)
	h.arrive(killDumps()[:2]...)
	h.must()
	d := killGrowing()
	h.arrive(d, &model.Dump{ID: 4, Entries: []model.Entry{killUsers(4, true, killUser(9, 1, "pro"))}})
	h.must()
	if err := d.Complete(filepath.Join(h.dir, "dumps")); err != nil {
		t.Fatal(err)
	}
	h.must()
}
