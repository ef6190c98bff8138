package s3blob

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/internal/blob"
)

// upload is a multipart upload. Parts can be sent by several goroutines.
type upload struct {
	s    *Store
	key  string
	id   *string
	sum  types.ChecksumAlgorithm
	mu   sync.Mutex
	list map[int32]types.CompletedPart
	size int64
	// twin says that there may be another upload, whose answer was lost.
	twin bool
}

// begin starts an upload. Without a checksum the server chooses one over the
// whole object: copied parts are never seen here, and servers that pass their
// checksums on from the source get them wrong.
func (s *Store) begin(ctx context.Context, key, token string, sum types.ChecksumAlgorithm) (*upload, error) {
	a := s.o.Write
	in := &s3.CreateMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: aws.String(s.full(key)), Metadata: tokenMetadata(token), ChecksumAlgorithm: sum,
		ACL: types.ObjectCannedACL(a.ACL), StorageClass: types.StorageClass(a.StorageClass), Tagging: a.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(a.SSE),
	}
	in.SSEKMSKeyId, in.BucketKeyEnabled = a.key()
	if sum == types.ChecksumAlgorithmCrc64nvme {
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := s.api.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, explain(ctx, (&writer{s: s, key: key}).about("CreateMultipartUpload"), err)
	}
	tries, ok := retry.GetAttemptResults(out.ResultMetadata)
	return &upload{s: s, key: key, id: out.UploadId, sum: sum, list: map[int32]types.CompletedPart{}, twin: ok && len(tries.Results) > 1}, nil
}

func (u *upload) part(ctx context.Context, n int32, data []byte) error {
	release := u.s.slot(ctx)
	defer release()
	sum := checksumOf(u.sum, data)
	out, err := u.s.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.s.o.Bucket, Key: aws.String(u.s.full(u.key)), UploadId: u.id, PartNumber: aws.Int32(n),
		Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
		ChecksumCRC32: sum.crc32, ChecksumCRC32C: sum.crc32c, ChecksumCRC64NVME: sum.crc64nvme, ChecksumSHA256: sum.sha256,
	})
	if err != nil {
		return explain(ctx, (&writer{s: u.s, key: u.key}).about("UploadPart"), err)
	}
	u.add(types.CompletedPart{PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: sum.crc32, ChecksumCRC32C: sum.crc32c,
		ChecksumCRC64NVME: sum.crc64nvme, ChecksumSHA256: sum.sha256}, int64(len(data)))
	return nil
}

func (u *upload) add(p types.CompletedPart, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list[*p.PartNumber] = p
	u.size += size
}

// complete makes the object of all parts, if cond holds.
func (u *upload) complete(ctx context.Context, cond blob.Cond) (string, error) {
	parts := make([]types.CompletedPart, len(u.list))
	for n, p := range u.list {
		parts[n-1] = p
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.s.o.Bucket, Key: aws.String(u.s.full(u.key)), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, MpuObjectSize: aws.Int64(u.size),
	}
	if u.sum == types.ChecksumAlgorithmCrc64nvme {
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	in.IfMatch, in.IfNoneMatch = conditions(cond)
	out, err := u.s.api.CompleteMultipartUpload(ctx, in)
	if err != nil {
		err = explain(ctx, (&writer{s: u.s, key: u.key}).about("CompleteMultipartUpload"), err)
		return "", gone(err, cond)
	}
	return pin(out.ETag), nil
}

// abort gives the upload up, also when the context has ended. What cannot be
// aborted, RemoveLeftovers will.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	_ = u.s.abort(ctx, u.key, u.id)
}

func (s *Store) abort(ctx context.Context, key string, id *string) error {
	_, err := s.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.o.Bucket, Key: aws.String(s.full(key)), UploadId: id})
	err = explain(ctx, s.about("AbortMultipartUpload", "abort the multipart upload of", key), err)
	var e *Error
	if errors.As(err, &e) && (e.Code == "NoSuchUpload" || errors.Is(e, fs.ErrNotExist)) {
		return nil
	}
	return err
}
