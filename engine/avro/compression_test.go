package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// testLimits are those of the other tests.
var testLimits = Limits{Block: 256 << 20, Text: 512 << 20}

// testLimit is far below, so that bombs are cheap.
const testLimit = 16 << 20

func decompressOne(t *testing.T, codec string, data []byte) ([]byte, error) {
	t.Helper()
	return newDecompressor(codec).decompress(data, testLimit)
}

// bzip2Hello is "hello, hello, hello" as bzip2 stores it: the standard library
// only reads the format.
const bzip2Hello = "QlpoOTFBWSZTWZxFPtMAAAORAEAEAkSgACEiMDAGUifkVFhdyRThQkJxFPtM"

func TestCodecs(t *testing.T) {
	plain := []byte(strings.Repeat("some text that repeats, ", 4000))
	for _, codec := range codecs() {
		if codec == codecBzip2 {
			continue
		}
		u := newDecompressor(codec)
		// The second and third blocks meet the memory of the one before.
		for _, want := range [][]byte{plain, nil, plain[:100], plain} {
			got, err := u.decompress(compressed(t, codec, want), testLimit)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, error %v; want %d bytes", codec, len(got), err, len(want))
			}
		}
	}
	packed, err := base64.StdEncoding.DecodeString(bzip2Hello)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decompressOne(t, codecBzip2, packed); err != nil || string(got) != "hello, hello, hello" {
		t.Errorf("bzip2: %q, %v", got, err)
	}
}

func TestSnappyChecksum(t *testing.T) {
	packed := compressed(t, codecSnappy, []byte("text"))
	packed[len(packed)-1] ^= 1
	if _, err := decompressOne(t, codecSnappy, packed); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("error %v", err)
	}
	for n := range packed {
		if _, err := decompressOne(t, codecSnappy, packed[:n]); err == nil {
			t.Errorf("%d of %d bytes pass", n, len(packed))
		}
	}
}

// TestDeflateTail takes what some writers leave behind a stream.
func TestDeflateTail(t *testing.T) {
	packed := append(compressed(t, codecDeflate, []byte("text")), 0x04, 0x5d, 0x01)
	if got, err := decompressOne(t, codecDeflate, packed); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestBombs decompresses streams that are far larger than a block may be.
func TestBombs(t *testing.T) {
	huge := make([]byte, testLimit+1)
	for _, codec := range []string{codecSnappy, codecDeflate, codecZstd} {
		if got, err := decompressOne(t, codec, compressed(t, codec, huge[1:])); err != nil || len(got) != testLimit {
			t.Errorf("%s: %d bytes, error %v", codec, len(got), err)
		}
		checkTooLarge(t, codec, compressed(t, codec, huge), len(huge))
	}
	// Without the size in the frame's header zstandard must notice on the way.
	w, err := zstd.NewWriter(nil, zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	frame := w.EncodeAll(huge[:testLimit/2+1], nil)
	checkTooLarge(t, codecZstd, append(frame[:len(frame):len(frame)], frame...), testLimit+2)
	checkTooLarge(t, codecDeflate, compressed(t, codecDeflate, make([]byte, MostSize+10)), MostSize+1)
}

// checkTooLarge checks that data is refused, with the size that it decompresses to.
func checkTooLarge(t *testing.T, codec string, data []byte, size int) {
	t.Helper()
	_, err := decompressOne(t, codec, data)
	var large *LimitError
	if !errors.As(err, &large) || large.Size != size || large.Limit != testLimit {
		t.Errorf("%s: error %v for %d bytes", codec, err, size)
	}
}

func TestClaimedSizes(t *testing.T) {
	body := binary.AppendUvarint(nil, 1<<31)
	body = append(body, 0, 'x')
	if _, err := decompressOne(t, codecSnappy, binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE([]byte("x")))); err == nil {
		t.Error("snappy believes in 2 GiB of three bytes")
	}
	// A zstandard frame whose header says 1 GiB, with one empty block.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0}
	if _, err := decompressOne(t, codecZstd, frame); err == nil || !strings.Contains(err.Error(), "claim") {
		t.Errorf("zstandard: error %v", err)
	}
	packed := compressed(t, codecXZ, []byte("text"))
	at := bytes.Index(packed, []byte{0x21, 1})
	packed[at+2] = 40
	if _, err := decompressOne(t, codecXZ, packed); err == nil || !strings.Contains(err.Error(), "dictionary") {
		t.Errorf("xz: error %v", err)
	}
}

// TestEmptyBlock takes blocks of nothing whether they are compressed or not.
func TestEmptyBlock(t *testing.T) {
	for _, codec := range []string{codecNull, codecSnappy, codecDeflate, codecZstd, codecXZ} {
		for _, body := range [][]byte{nil, compressed(t, codec, nil)} {
			data := fileHeader(record(`"string"`), codec).block(0, body).block(1, compressed(t, codec, enc{}.str("x")))
			_, cols, err := readAllRows(data, -1)
			if err != nil || cols[0].Len() != 1 {
				t.Errorf("%s, %d bytes: %v", codec, len(body), err)
			}
		}
	}
}

// TestZstdWindow decompresses blocks whose frames name a window of more bytes than a block
// may have, as streams do, with and without their size.
func TestZstdWindow(t *testing.T) {
	plain := bytes.Repeat([]byte("text "), 100)
	for _, sized := range []bool{false, true} {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(4<<20), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		if sized {
			b.Write(w.EncodeAll(plain, nil))
		} else {
			_, _ = w.Write(plain[:300])
			_ = w.Flush() // so that the size is not known when the frame begins
			_, _ = w.Write(plain[300:])
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		u := newDecompressor(codecZstd)
		for _, limit := range []int{len(plain), 1 << 20} {
			if got, err := u.decompress(b.Bytes(), limit); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("sized %v, limit %d: %d bytes, %v", sized, limit, len(got), err)
			}
		}
		var large *LimitError
		if _, err := u.decompress(b.Bytes(), len(plain)-1); !errors.As(err, &large) || large.Size != len(plain) {
			t.Errorf("sized %v: %v", sized, err)
		}
	}
}
