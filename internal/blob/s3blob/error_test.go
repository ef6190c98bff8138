package s3blob_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// TestErrorsSayWhatIsMissing holds answers of S3 against what people read.
func TestErrorsSayWhatIsMissing(t *testing.T) {
	get := func(s *s3blob.Store) error { _, err := s.Open(ctx, "k"); return err }
	put := func(s *s3blob.Store) error { _, err := blob.Put(ctx, s, "k", nil, blob.Cond{}); return err }
	list := func(s *s3blob.Store) error { _, err := s.List(ctx, "x"); return err }
	stat := func(s *s3blob.Store) error { _, err := s.Stat(ctx, "k"); return err }
	removeLeftovers := func(s *s3blob.Store) error { return s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "x"}) }
	for _, c := range []struct {
		name          string
		do            func(*s3blob.Store) error
		status        int
		code, message string
		kind          error
		want          []string
	}{
		{"get", get, 403, "AccessDenied", "Access Denied", fs.ErrPermission, []string{"open s3://bucket/p/k", "s3:GetObject on arn:aws:s3:::bucket/p/k", "kms:Decrypt", "s3:ListBucket", "request R1"}},
		{"get, said by AWS", get, 403, "AccessDenied",
			"User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:1:key/2 because no identity-based policy allows the kms:Decrypt action",
			fs.ErrPermission, []string{"the action kms:Decrypt on arn:aws:kms:eu-west-1:1:key/2 is not allowed"}},
		{"head", stat, 403, "", "", fs.ErrPermission, []string{"s3:GetObject on arn:aws:s3:::bucket/p/k"}},
		{"list", list, 403, "AccessDenied", "Access Denied", fs.ErrPermission, []string{"s3:ListBucket on arn:aws:s3:::bucket"}},
		{"uploads", removeLeftovers, 403, "AccessDenied", "Access Denied", fs.ErrPermission, []string{"s3:ListBucketMultipartUploads on arn:aws:s3:::bucket"}},
		{"put", put, 403, "AccessDenied", "Access Denied", fs.ErrPermission,
			[]string{"s3:PutObject on arn:aws:s3:::bucket/p/k", "kms:GenerateDataKey and kms:Decrypt on key-1", "s3:PutObjectTagging", "s3:PutObjectAcl"}},
		{"key", put, 400, "KMS.DisabledException", "key-1 is disabled", nil, []string{"the KMS key cannot be used: key-1 is disabled"}},
		{"bucket", list, 404, "NoSuchBucket", "no", nil, []string{"no such bucket"}},
		{"bucket of a get", get, 404, "NoSuchBucket", "no", nil, []string{"no such bucket"}},
		{"user of a get", get, 404, "XAdminUserNotFound", "No user exists", fs.ErrPermission, []string{"the credentials are not valid here: No user exists", "XAdminUserNotFound"}},
		{"user of a list", list, 404, "XAdminUserNotFound", "No user exists", fs.ErrPermission, []string{"the credentials are not valid here: No user exists"}},
		{"user of a head", stat, 404, "XAdminUserNotFound", "No user exists", fs.ErrPermission, []string{"the credentials are not valid here: No user exists"}},
		{"another 404 of a get", get, 404, "NoSuchThing", "no such thing", nil, []string{"no such thing (NoSuchThing"}},
		{"another 404 of a head", stat, 404, "NoSuchThing", "no such thing", nil, []string{"no such thing (NoSuchThing"}},
		{"bucket of a head", stat, 404, "", "", nil, []string{"no such bucket"}},
		{"region", list, 301, "PermanentRedirect", "elsewhere", nil, []string{`set region = "ap-south-2"`}},
		{"archived", get, 403, "InvalidObjectState", "GLACIER", nil, []string{"it is archived", "restore it"}},
		{"archived, head", stat, 403, "", "", fs.ErrPermission, []string{"access denied"}},
		{"key of a get", get, 400, "KMS.DisabledException", "key-1 is disabled.", nil, []string{"the KMS key cannot be used: key-1 is disabled; see", "kms:Decrypt"}},
		{"customer's key", get, 400, "InvalidRequest", "stored with a key", nil, []string{"the server refuses it: stored with a key"}},
		{"expired in a get", get, 400, "ExpiredToken", "expired", nil, []string{"credentials have expired"}},
		{"key id of a get", get, 403, "InvalidAccessKeyId", "unknown", fs.ErrPermission, []string{"credentials are not valid"}},
		{"key id", list, 403, "InvalidAccessKeyId", "unknown", fs.ErrPermission, []string{"credentials are not valid"}},
		{"clock", list, 403, "RequestTimeTooSkewed", "too large", nil, []string{"the clock of this machine is wrong"}},
		{"expired", list, 400, "ExpiredToken", "expired", nil, []string{"credentials have expired"}},
		{"folder", put, 409, "ExistingObjectIsDirectory", "no", nil, []string{"write s3://bucket/p/k", "has one of this name"}},
		{"unknown", list, 400, "Strange", "a strange thing", nil, []string{"a strange thing", "Strange"}},
	} {
		o := fake(t)
		o.Prefix, o.Retry.Attempts = "p", 2
		o.Write = s3blob.Write{SSE: "aws:kms", KMSKeyID: "key-1", ACL: "private", Tags: map[string]string{"a": "b"}}
		wrap(&o, func(_ aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
			a := answer(r, c.status, c.code, c.message)
			a.Header.Set("X-Amz-Bucket-Region", "ap-south-2")
			return a, nil
		})
		err := c.do(open(t, o))
		for _, kind := range []error{fs.ErrPermission, fs.ErrNotExist, blob.ErrConflict, blob.ErrUnsupported} {
			if errors.Is(err, kind) != (kind == c.kind) {
				t.Errorf("%s: %v matches %v: %v", c.name, err, kind, errors.Is(err, kind))
			}
		}
		if of := errors.Is(err, blob.ErrRefused); of != slices.Contains(refusedAlone, c.name) {
			t.Errorf("%s: it is about this object alone: %v", c.name, of)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", c.name, err, want)
			}
		}
		if blob.Transient(err) {
			t.Errorf("%s: %v counts as passing", c.name, err)
		}
	}
}

// refusedAlone are the refusals that say nothing of other objects.
var refusedAlone = []string{"get", "get, said by AWS", "head", "archived", "archived, head", "key of a get", "customer's key"}

// TestRealRefusals asks a real server for what it refuses.
func TestRealRefusals(t *testing.T) {
	srv := s3test.Start(t)
	o := real(t, srv)
	o.Credentials = credentials.NewStaticCredentialsProvider(srv.AccessKey, "wrong", "")
	for i, err := range refusals(open(t, o)) {
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("wrong secret, operation %d: %v", i, err)
		}
	}
	o = real(t, srv)
	o.Credentials = credentials.NewStaticCredentialsProvider("nobody", srv.SecretKey, "")
	for i, err := range refusals(open(t, o)) {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "credentials are not valid") {
			t.Errorf("unknown key, operation %d: %v", i, err)
		}
	}
	o = real(t, srv)
	o.Bucket = "no-such-bucket"
	for i, err := range refusals(open(t, o)) {
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such bucket") {
			t.Errorf("wrong bucket, operation %d: %v", i, err)
		}
	}
}

func refusals(s *s3blob.Store) []error {
	_, list := s.List(ctx, "")
	_, stat := s.Stat(ctx, "k")
	_, open := s.Open(ctx, "k")
	_, put := blob.Put(ctx, s, "k", nil, blob.Cond{})
	_, move := s.Move(ctx, "k", "l", blob.Cond{})
	return []error{list, stat, open, put, move, s.Delete(ctx, "k", blob.Cond{}), s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "k"})}
}

// TestExpiredCredentials lets credentials expire in the middle.
func TestExpiredCredentials(t *testing.T) {
	o := fake(t)
	var asked, calls atomic.Int64
	o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		n := asked.Add(1)
		return aws.Credentials{AccessKeyID: "k" + string(rune('0'+n)), SecretAccessKey: "s", CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
	})
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if calls.Add(1) > 3 && strings.Contains(r.Header.Get("Authorization"), "Credential=k1/") {
			return answer(r, 400, "ExpiredToken", "The provided token has expired."), nil
		}
		return next.Do(r)
	})
	s := open(t, o)
	for range 4 {
		if _, err := blob.Put(ctx, s, "k", []byte("x"), blob.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked for credentials %d times, want 2", asked.Load())
	}
}

// TestClockSkew is about a machine whose clock is wrong: the SDK corrects it.
func TestClockSkew(t *testing.T) {
	o := fake(t)
	now := time.Now().Add(3 * time.Hour).UTC()
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		sent, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(sent).Abs() > 15*time.Minute {
			a := answer(r, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
			a.Header.Set("Date", now.Format(http.TimeFormat))
			return a, nil
		}
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z")) // the fake has our clock
		resp, err := next.Do(r)
		if err == nil {
			resp.Header.Set("Date", now.Format(http.TimeFormat))
		}
		return resp, err
	})
	if _, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{}); err != nil {
		t.Error(err)
	}
}

// TestUnreachable says that a server that is away is not an empty one.
func TestUnreachable(t *testing.T) {
	o := fake(t)
	o.Endpoint, o.Retry.Attempts = "http://127.0.0.1:1", 2
	for i, err := range refusals(open(t, o)) {
		if !blob.Transient(err) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "s3://bucket") {
			t.Errorf("operation %d: %v", i, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	for want, change := range map[string]func(*s3blob.Options){
		"bucket is missing":       func(o *s3blob.Options) { o.Bucket = "" },
		"is not the name":         func(o *s3blob.Options) { o.Bucket = "a/b" },
		"prefix":                  func(o *s3blob.Options) { o.Prefix = "a/../b" },
		"external_id":             func(o *s3blob.Options) { o.ExternalID = "x" },
		"is not a URL":            func(o *s3blob.Options) { o.Endpoint = "localhost:9000" },
		"holds credentials":       func(o *s3blob.Options) { o.Endpoint = "http://a:secret@b" },
		"sse":                     func(o *s3blob.Options) { o.Write.SSE = "rot13" },
		"needs sse":               func(o *s3blob.Options) { o.Write.KMSKeyID = "x" },
		"acl":                     func(o *s3blob.Options) { o.Write.ACL = "everyone" },
		"storage_class":           func(o *s3blob.Options) { o.Write.StorageClass = "COLD" },
		"checksum":                func(o *s3blob.Options) { o.Write.Checksum = "md4" },
		"the region is missing":   func(o *s3blob.Options) { o.Region, o.Endpoint = "", "" },
		"configuration of the AW": func(o *s3blob.Options) { o.Profile = "no-such-profile" },
	} {
		o := s3blob.Options{Bucket: "b", Region: "eu-west-1", Endpoint: "http://127.0.0.1:1"}
		change(&o)
		_, err := s3blob.New(ctx, o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	s := open(t, s3blob.Options{Bucket: "b", Prefix: "/a/b/", Endpoint: "http://127.0.0.1:1"})
	if s.Root() != "s3://b/a/b" {
		t.Errorf("root is %s", s.Root())
	}
}

// TestAssumesRole asks the token service for a role, with its external id.
func TestAssumesRole(t *testing.T) {
	srv := newSTS(t)
	o := fake(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
	o.RoleARN, o.ExternalID = "arn:aws:iam::1:role/reader", "ext"
	var with atomic.Value
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		with.Store(r.Header.Get("Authorization"))
		return next.Do(r)
	})
	if _, err := blob.Put(ctx, open(t, o), "k", nil, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	if a := with.Load().(string); !strings.Contains(a, "Credential=ASSUMED/") {
		t.Errorf("signed with %s", a)
	}
	if got := srv.asked(); !strings.Contains(got, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Freader") ||
		!strings.Contains(got, "ExternalId=ext") || !strings.Contains(got, "RoleSessionName=reconcile") {
		t.Errorf("asked for %s", got)
	}
}
