package s3blob_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// TestReadWhole costs one request, found or not.
func TestReadWhole(t *testing.T) {
	srv := s3test.Start(t)
	o := real(t, srv)
	s := open(t, o)
	for key, data := range map[string][]byte{"large": big[:700<<10], "small": []byte("x")} {
		if _, err := blob.Put(ctx, s, key, data, blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		before := s.Stats().Total()
		got, obj, err := s.ReadWhole(ctx, key, 700<<10)
		if err != nil || !bytes.Equal(got, data) || obj.Size != int64(len(data)) || obj.Now.IsZero() || s.Stats().Total()-before != 1 {
			t.Errorf("%s: %d bytes, %+v, %v, %d requests", key, len(got), obj, err, s.Stats().Total()-before)
		}
	}
	if _, _, err := s.ReadWhole(ctx, "large", 1000); !errors.Is(err, blob.ErrTooLarge) {
		t.Error(err)
	}
	fresh := open(t, o)
	if _, _, err := fresh.ReadWhole(ctx, "none", 1000); !errors.Is(err, fs.ErrNotExist) || fresh.Stats().Total() != 1 {
		t.Errorf("%v, %d requests", err, fresh.Stats().Total())
	}
	o.Bucket += "-not"
	if _, _, err := open(t, o).ReadWhole(ctx, "none", 1000); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a bucket that does not exist: %v", err)
	}
}

// TestUndone: only an answer to the only request says that nothing will come of it.
func TestUndone(t *testing.T) {
	gate := s3test.NewGate(t, s3test.Start(t).Endpoint)
	for name, c := range map[string]struct {
		faults []s3test.Fault
		want   bool
	}{
		"refused":                    {[]s3test.Fault{s3test.Denied}, true},
		"refused after a silence":    {[]s3test.Fault{s3test.LostAnswer, s3test.Denied}, false},
		"busy":                       {[]s3test.Fault{s3test.SlowDown}, false},
		"changed at this moment":     {[]s3test.Fault{"409 ConditionalRequestConflict"}, false},
		"no answer":                  {[]s3test.Fault{s3test.CutRequest}, false},
		"it exists":                  {[]s3test.Fault{"412 PreconditionFailed"}, true},
		"it exists, after a silence": {[]s3test.Fault{s3test.CutRequest, "412 PreconditionFailed"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			gate.Rule(func(_ int, r *http.Request) s3test.Fault {
				if r.Method != http.MethodPut {
					return s3test.NoFault
				}
				n++
				return c.faults[min(n, len(c.faults))-1]
			})
			o := s3blob.Options{Bucket: "bucket", Endpoint: gate.Endpoint, Region: "us-east-1", ForcePathStyle: true, Retry: quick,
				Credentials: fake(t).Credentials}
			if _, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{}); err == nil || blob.Undone(err) != c.want {
				t.Errorf("undone %v: %v", blob.Undone(err), err)
			}
		})
	}
}
