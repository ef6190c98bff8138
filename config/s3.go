package config

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// S3 says how a bucket is reached and what is asked for what is written to it.
// Credentials are not part of a configuration: they are what the AWS SDK finds.
type S3 struct {
	Bucket         string
	Prefix         string // a folder in the bucket, without slashes at its ends; empty for the whole
	Region         string
	Endpoint       string // URL of a server that is not AWS
	ForcePathStyle bool
	Profile        string
	RoleARN        string
	ExternalID     string
	SessionName    string

	SSE          string // "AES256", "aws:kms" or "aws:kms:dsse"; empty leaves it to the bucket
	KMSKeyID     string
	BucketKey    bool
	ACL          string
	StorageClass string
	Tags         map[string]string
	Checksum     string // "crc32c", "crc64nvme", "crc32", "sha256" or "none"; empty for the first
}

// URL is the address of the folder in the bucket.
func (s *S3) URL() string {
	if s.Prefix == "" {
		return "s3://" + s.Bucket
	}
	return "s3://" + s.Bucket + "/" + s.Prefix
}

// connectArgs and writeArgs are the arguments of what lies on S3.
var (
	connectArgs = []string{"region", "endpoint", "force_path_style", "profile", "role_arn", "external_id", "session_name"}
	writeArgs   = []string{"sse", "kms_key_id", "bucket_key", "acl", "storage_class", "tags", "checksum"}
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// bucket checks the name of a bucket.
func (l *loader) bucket(name string, rng hcl.Range) bool {
	if bucketName.MatchString(name) || strings.HasPrefix(name, "arn:") {
		return true
	}
	if scheme, ok := urlScheme(name); ok {
		l.add(errorAt(rng, "Invalid bucket", "%q is an address. Name the bucket alone, without %s:// before it or a folder behind it.", name, scheme))
		return false
	}
	l.add(errorAt(rng, "Invalid bucket", "%q is not the name of a bucket: 3 to 63 lower-case letters, digits, \"-\" or \".\".", name))
	return false
}

// prefix reads a folder in a bucket.
func (l *loader) prefix(text string, rng hcl.Range) string {
	p := strings.Trim(text, "/")
	for part := range strings.SplitSeq(p, "/") {
		if p != "" && (part == "" || part == "." || part == "..") {
			l.add(errorAt(rng, "Invalid prefix", "%q is not a folder in a bucket, as in \"heap/exports\".", text))
			return ""
		}
	}
	return p
}

// s3Path reads "s3://bucket/prefix".
func (l *loader) s3Path(s *setting[string]) *S3 {
	bucket, prefix, _ := strings.Cut(s.value[len("s3://"):], "/")
	if !l.bucket(bucket, s.rng) {
		return nil
	}
	return &S3{Bucket: bucket, Prefix: l.prefix(prefix, s.rng)}
}

// connect reads how a bucket is reached.
func (l *loader) connect(c *hcl.BodyContent, s *S3) {
	for name, to := range map[string]*string{"region": &s.Region, "profile": &s.Profile, "role_arn": &s.RoleARN,
		"external_id": &s.ExternalID, "session_name": &s.SessionName} {
		if v := l.set(c.Attributes[name]); v != nil {
			*to = v.value
		}
	}
	if v := l.set(c.Attributes["endpoint"]); v != nil {
		s.Endpoint = v.value
		if scheme, ok := urlScheme(v.value); !ok || scheme != "http" && scheme != "https" {
			l.add(errorAt(v.rng, "Invalid endpoint", "%q is not the URL of a server, as in \"https://minio.example.com:9000\".", v.value))
		}
	}
	if v := l.boolean(c.Attributes["force_path_style"]); v != nil {
		s.ForcePathStyle = v.value
	}
	if a := c.Attributes["external_id"]; s.ExternalID != "" && c.Attributes["role_arn"] == nil {
		l.add(errorAt(a.NameRange, "Missing role", "\"external_id\" belongs to \"role_arn\", which is missing."))
	}
}

// written reads what is asked for what is written.
func (l *loader) written(c *hcl.BodyContent, s *S3) {
	for name, to := range map[string]*string{"kms_key_id": &s.KMSKeyID, "storage_class": &s.StorageClass} {
		if v := l.set(c.Attributes[name]); v != nil {
			*to = v.value
		}
	}
	for name, o := range map[string]struct {
		to    *string
		words []string
	}{
		"sse":      {&s.SSE, []string{"AES256", "aws:kms", "aws:kms:dsse"}},
		"checksum": {&s.Checksum, []string{"crc32c", "crc64nvme", "crc32", "sha256", "none"}},
		"acl": {&s.ACL, []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
			"bucket-owner-read", "bucket-owner-full-control"}},
	} {
		if v := l.oneOf(c.Attributes[name], o.words...); v != nil {
			*o.to = v.value
		}
	}
	if v := l.boolean(c.Attributes["bucket_key"]); v != nil {
		s.BucketKey = v.value
	}
	if a := c.Attributes["kms_key_id"]; s.KMSKeyID != "" && c.Attributes["sse"] == nil {
		l.add(errorAt(a.NameRange, "Missing encryption", "\"kms_key_id\" needs sse = \"aws:kms\"."))
	}
	l.tags(c.Attributes["tags"], s)
}

func (l *loader) tags(a *hcl.Attribute, s *S3) {
	v, ok := l.get(a, cty.Map(cty.String))
	if !ok {
		return
	}
	if v.LengthInt() > 10 {
		l.add(errorAt(a.Expr.Range(), "Too many tags", "An object can have 10 tags, not %d.", v.LengthInt()))
	}
	s.Tags = map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		s.Tags[k.AsString()] = e.AsString()
	}
}

// location reads a bucket, a prefix, and how they are reached.
func (l *loader) location(c *hcl.BodyContent) *S3 {
	s := &S3{}
	if v := l.str(c.Attributes["bucket"], true); v != nil && l.bucket(v.value, v.rng) {
		s.Bucket = v.value
	}
	if v := l.str(c.Attributes["prefix"], false); v != nil {
		s.Prefix = l.prefix(v.value, v.rng)
	}
	l.connect(c, s)
	return s
}

func (l *loader) loadS3Source(b *hcl.Block) {
	c := l.content(b, schema{
		required: []string{"bucket"}, optional: append([]string{"prefix", "manifests", "manifest_bucket", "manifest_prefix", "time_unit", "until_dump"}, connectArgs...),
		blocks: []hcl.BlockHeaderSchema{{Type: "skip_dump", LabelNames: []string{"dump_id"}}},
	})
	s := l.location(c)
	l.cfg.Source = Source{Kind: "s3", Manifests: defaultManifests, S3: s, Path: s.URL(), ManifestBucket: s.Bucket, ManifestPrefix: s.Prefix}
	if v := l.set(c.Attributes["manifest_bucket"]); v != nil && l.bucket(v.value, v.rng) {
		l.cfg.Source.ManifestBucket = v.value
	}
	l.sourceBlocks(c)
	if a := c.Attributes["bucket"]; a != nil && s.Bucket != "" {
		l.paths = append(l.paths, placedPath{what: "source", written: s.URL(), abs: s.URL(), rng: a.Expr.Range()})
	}
}
