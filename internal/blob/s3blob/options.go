package s3blob

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/internal/blob"
)

// Options says where the objects are, who asks for them and how they are
// written. Bucket is required; all else has a default. What is not said here
// comes from where the AWS SDK looks: the environment, the shared configuration
// files, web identity, the container or the machine.
type Options struct {
	Bucket string
	Prefix string // a folder in the bucket, empty for the whole of it

	Region         string
	Endpoint       string // URL of a server that is not AWS
	ForcePathStyle bool   // the bucket in the path, not in the host name
	Profile        string // of the shared configuration files
	RoleARN        string // a role to assume, with the credentials found otherwise
	ExternalID     string // for RoleARN
	SessionName    string // for RoleARN; "reconcile" if empty
	// Credentials replaces what the SDK finds by itself.
	Credentials aws.CredentialsProvider

	// Retry says how requests are tried again. Attempts 0 takes what the SDK's
	// configuration says, else 8.
	Retry blob.Retry
	// Adaptive slows all requests down while the server throttles some.
	Adaptive bool
	// Grace is how long an object that Stat and Open do not find may take to
	// appear. It is spent on at most four objects of a store.
	Grace time.Duration
	// Idle is how long a server may stay silent until the request is given up
	// and tried again; 0 means a minute. Copies and completions may take 15
	// times as long.
	Idle time.Duration

	Write Write

	PartSize     int64 // of multipart uploads, the largest single PUT too; 0 means 8 MiB
	PartsAtOnce  int   // parts of one object that are sent at a time, beside the one that is filled; 0 means 2
	CopyLimit    int64 // the largest object copied in one request; 0 means 5 GiB
	CopyPartSize int64 // of multipart copies; 0 means 512 MiB
	ReadAhead    int   // bytes that one request reads when a reader goes on and on; 0 means 8 MiB
	Concurrency  int   // requests that move content at once; 0 means 16
	ListPage     int32 // keys a listing request asks for; 0 means as many as the server gives
	// ProbeFolder is where the server's capabilities are tried out; empty means
	// "_reconcile".
	ProbeFolder string
	// WrapTransport lets tests stand between the SDK and the network.
	WrapTransport func(aws.HTTPClient) aws.HTTPClient
}

// Write is what is asked for each object that is written.
type Write struct {
	SSE          string            // "AES256", "aws:kms" or "aws:kms:dsse"; empty leaves it to the bucket
	KMSKeyID     string            // needs an SSE of KMS
	BucketKey    bool              // S3 bucket keys, which save requests to KMS
	ACL          string            // a canned ACL
	StorageClass string            // "STANDARD", "STANDARD_IA", ...
	Tags         map[string]string // at most 10
	// Checksum is "crc32c" (also if empty), "crc64nvme", "crc32" or "sha256".
	// "none" is for servers that know no checksums; empty is that, too, where the
	// configuration of the SDK says request_checksum_calculation = when_required.
	Checksum string
}

const (
	defaultPartSize     = 8 << 20
	defaultPartsAtOnce  = 2
	defaultCopyLimit    = 5 << 30
	defaultCopyPartSize = 512 << 20
	defaultReadAhead    = 8 << 20
	defaultConcurrency  = 16
	defaultIdle         = time.Minute
	defaultAttempts     = 8
	defaultWait         = 100 * time.Millisecond
	maxKey              = 1024 // bytes of a key, says S3
)

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// withDefaults returns o checked and complete.
func (o Options) withDefaults() (Options, error) {
	o.Prefix = strings.Trim(o.Prefix, "/")
	o.PartSize = orDefault(o.PartSize, defaultPartSize)
	o.PartsAtOnce = orDefault(o.PartsAtOnce, defaultPartsAtOnce)
	o.CopyLimit = orDefault(o.CopyLimit, defaultCopyLimit)
	o.CopyPartSize = orDefault(o.CopyPartSize, defaultCopyPartSize)
	o.ReadAhead = orDefault(o.ReadAhead, defaultReadAhead)
	o.Concurrency = orDefault(o.Concurrency, defaultConcurrency)
	o.Idle = orDefault(o.Idle, defaultIdle)
	o.Retry.Wait = orDefault(o.Retry.Wait, defaultWait)
	if o.SessionName == "" {
		o.SessionName = "reconcile"
	}
	if o.ProbeFolder == "" {
		o.ProbeFolder = "_reconcile"
	}
	return o, o.check()
}

func (o Options) check() error {
	if o.Bucket == "" {
		return errors.New("bucket is missing")
	}
	if strings.ContainsAny(o.Bucket, "/ \t\n") && !strings.HasPrefix(o.Bucket, "arn:") {
		return fmt.Errorf("bucket = %q is not the name of a bucket; a folder in it is its prefix", o.Bucket)
	}
	if err := blob.CheckPrefix(o.Prefix); err != nil {
		return fmt.Errorf("prefix: %w", err)
	}
	if o.ExternalID != "" && o.RoleARN == "" {
		return errors.New("external_id is for role_arn, which is missing")
	}
	if err := checkEndpoint(o.Endpoint); err != nil {
		return err
	}
	return o.Write.check()
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("endpoint = %q is not a URL such as https://s3.example.com", endpoint)
	case u.User != nil:
		return errors.New("endpoint holds credentials; set a profile or the environment of the AWS SDK instead")
	}
	return nil
}

func (w Write) check() error {
	if err := oneOf("sse", types.ServerSideEncryption(w.SSE)); err != nil {
		return err
	}
	if err := oneOf("acl", types.ObjectCannedACL(w.ACL)); err != nil {
		return err
	}
	if err := oneOf("storage_class", types.StorageClass(w.StorageClass)); err != nil {
		return err
	}
	if w.KMSKeyID != "" && !strings.HasPrefix(w.SSE, "aws:kms") {
		return errors.New(`kms_key_id needs sse = "aws:kms"`)
	}
	if len(w.Tags) > 10 {
		return fmt.Errorf("%d tags, S3 takes at most 10", len(w.Tags))
	}
	if _, ok := checksums[w.Checksum]; !ok {
		return fmt.Errorf("checksum = %q is none of crc32c, crc64nvme, crc32, sha256, none", w.Checksum)
	}
	return nil
}

// oneOf reports a value that the SDK's enumeration does not know.
func oneOf[T interface {
	~string
	Values() []T
}](name string, v T) error {
	if v == "" || slices.Contains(v.Values(), v) {
		return nil
	}
	return fmt.Errorf("%s = %q is none of %v", name, v, v.Values())
}

// tagging returns the tags as the header wants them.
func (w Write) tagging() *string {
	if len(w.Tags) == 0 {
		return nil
	}
	pairs := make([]string, 0, len(w.Tags))
	for _, k := range slices.Sorted(maps.Keys(w.Tags)) {
		pairs = append(pairs, url.QueryEscape(k)+"="+url.QueryEscape(w.Tags[k]))
	}
	return aws.String(strings.Join(pairs, "&"))
}

// key returns what belongs to encryption with KMS.
func (w Write) key() (id *string, bucketKey *bool) {
	if w.KMSKeyID != "" {
		id = aws.String(w.KMSKeyID)
	}
	if w.BucketKey {
		bucketKey = aws.Bool(true)
	}
	return id, bucketKey
}

// needs names what a policy must allow beside s3:PutObject.
func (w Write) needs(arn string) string {
	var buf bytes.Buffer
	if w.KMSKeyID != "" || len(w.SSE) > len("aws:") && w.SSE[:4] == "aws:" {
		on := w.KMSKeyID
		if on == "" {
			on = "the bucket's key"
		}
		fmt.Fprintf(&buf, ", kms:GenerateDataKey and kms:Decrypt on %s", on)
	}
	if len(w.Tags) > 0 {
		fmt.Fprintf(&buf, ", s3:PutObjectTagging on %s", arn)
	}
	if w.ACL != "" {
		fmt.Fprintf(&buf, ", s3:PutObjectAcl on %s", arn)
	}
	if buf.Len() == 0 {
		return ""
	}
	return "and as it is configured" + buf.String()[1:]
}
