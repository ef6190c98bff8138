package s3blob

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// checksums are the algorithms by the names that configurations use.
var checksums = map[string]types.ChecksumAlgorithm{
	"":          types.ChecksumAlgorithmCrc32c,
	"crc32c":    types.ChecksumAlgorithmCrc32c,
	"crc64nvme": types.ChecksumAlgorithmCrc64nvme,
	"crc32":     types.ChecksumAlgorithmCrc32,
	"sha256":    types.ChecksumAlgorithmSha256,
	"none":      "",
}

// checksum is that of a body, as a header of its request: one field at most is set.
//
// The SDK would send it behind the body where the connection has TLS, which makes the body
// aws-chunked. Not all stores take that.
type checksum struct{ crc32, crc32c, crc64nvme, sha256 *string }

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// nvme is the polynomial of CRC-64/NVME, reversed as hash/crc64 wants it.
	nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

func checksumOf(algorithm types.ChecksumAlgorithm, body []byte) (c checksum) {
	switch algorithm {
	case types.ChecksumAlgorithmCrc32:
		c.crc32 = encoded(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	case types.ChecksumAlgorithmCrc32c:
		c.crc32c = encoded(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)))
	case types.ChecksumAlgorithmCrc64nvme:
		c.crc64nvme = encoded(binary.BigEndian.AppendUint64(nil, crc64.Checksum(body, nvme)))
	case types.ChecksumAlgorithmSha256:
		sum := sha256.Sum256(body)
		c.sha256 = encoded(sum[:])
	}
	return c
}

func encoded(sum []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sum)) }
