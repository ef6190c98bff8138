package index

import (
	"encoding/binary"
	"math/bits"

	"github.com/FastFilter/xorfilter"
)

// The stored form of a filter: seed u64, segment length u32, number of segments
// u32, then the fingerprints of a binary fuse filter with 8 bits. One user in
// about 250 that is not in the segment passes it.
const filterHead = 16

// maxFuseSegment is the greatest segment length of the algorithm.
const maxFuseSegment = 1 << 18

type filter = xorfilter.BinaryFuse[uint8]

// appendFilter appends the filter over users, which may be reordered.
func appendFilter(dst []byte, b *xorfilter.BinaryFuseBuilder, users []uint64) ([]byte, error) {
	f, err := xorfilter.BuildBinaryFuse[uint8](b, users)
	if err != nil {
		return dst, err
	}
	dst = binary.LittleEndian.AppendUint64(dst, f.Seed)
	dst = binary.LittleEndian.AppendUint32(dst, f.SegmentLength)
	dst = binary.LittleEndian.AppendUint32(dst, f.SegmentCount)
	return append(dst, f.Fingerprints...), nil
}

// parseFilter reads a filter; it keeps b.
func parseFilter(b []byte) (*filter, error) {
	if len(b) < filterHead {
		return nil, damaged("a filter is too short")
	}
	f := &filter{
		Seed:          binary.LittleEndian.Uint64(b),
		SegmentLength: binary.LittleEndian.Uint32(b[8:]),
		SegmentCount:  binary.LittleEndian.Uint32(b[12:]),
		Fingerprints:  b[filterHead:],
	}
	length, count := f.SegmentLength, f.SegmentCount
	if bits.OnesCount32(length) != 1 || length > maxFuseSegment || count == 0 ||
		(uint64(count)+2)*uint64(length) != uint64(len(f.Fingerprints)) || uint64(count)*uint64(length) >= 1<<32 {
		return nil, damaged("parameters of a filter")
	}
	f.SegmentLengthMask = length - 1
	f.SegmentCountLength = count * length
	return f, nil
}
