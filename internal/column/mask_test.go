package column

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func slowMask(key, v string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(v))
	return hex.EncodeToString(h.Sum(nil))
}

func TestMaskHMAC(t *testing.T) {
	// RFC 4231, test case 2.
	m := MaskHMAC([]byte("Jefe"))
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	for range 2 {
		if got := string(m.AppendHex([]byte("x"), []byte("what do ya want for nothing?"))); got != "x"+want {
			t.Errorf("got %s, want %s", got[1:], want)
		}
	}
	for _, key := range []string{"", "k", strings.Repeat("long", 40)} {
		m := MaskHMAC([]byte(key))
		for _, v := range []string{"", "a@example.com", "\xff\xfe", strings.Repeat("v", 1000)} {
			if got := string(m.AppendHex(nil, []byte(v))); got != slowMask(key, v) {
				t.Errorf("key %q, value %q: %s", key, v, got)
			}
		}
	}
	buf, v := make([]byte, 0, 64), []byte("a@example.com")
	if n := testing.AllocsPerRun(100, func() { buf = m.AppendHex(buf[:0], v) }); n != 0 {
		t.Errorf("%v allocations per value", n)
	}
}

func TestMaskColumn(t *testing.T) {
	c := Column{Name: "email", Dict: NewDict()}
	texts := []string{"a", "b", "", "a", "\xff"}
	for _, s := range texts {
		c.AppendBytes([]byte(s))
	}
	c.AppendNulls(1)
	old := c.Dict
	MaskColumn(&c, []byte("key"))
	for i, s := range texts {
		if got := string(c.Bytes(i)); got != slowMask("key", s) {
			t.Errorf("row %d: %s, want that of %q", i, got, s)
		}
	}
	if !c.IsNull(5) || c.Codes[0] != c.Codes[3] || c.Len() != 6 || len(c.Dict.Invalid()) != 0 || c.Name != "email" {
		t.Errorf("masked column is %+v", c)
	}
	if string(old.Value(1)) != "a" {
		t.Error("the old dictionary was changed")
	}
	for _, c := range []Column{
		{Type: Type{ID: Int64}, Ints: []int64{-5, 0}, Null: []bool{false, true}},
		{Type: Type{ID: Double}, Floats: []float64{1e21, 0}, Null: []bool{false, true}},
		{Type: Type{ID: Boolean}, Ints: []int64{1, 0}, Null: []bool{false, true}},
	} {
		want := slowMask("key", string(AppendText(nil, &c, 0)))
		was := c.Type
		MaskColumn(&c, []byte("key"))
		if c.Type.ID != String || c.Len() != 2 || string(c.Bytes(0)) != want || !c.IsNull(1) {
			t.Errorf("masked %s column is %+v", was, c)
		}
	}
}

// A dictionary that serves more rows than a batch has is masked by what is used.
func TestMaskColumnOfLargeDict(t *testing.T) {
	c := Column{Dict: NewDict()}
	for i := range 5000 {
		c.AppendBytes(fmt.Append(nil, "v", i))
	}
	c.Codes = []uint32{4000, 0, 4000, 1}
	MaskColumn(&c, []byte("key"))
	if c.Dict.Len() != 3 || c.Codes[0] != c.Codes[2] || string(c.Bytes(3)) != slowMask("key", "v0") || !c.IsNull(1) {
		t.Errorf("masked codes %v of %d", c.Codes, c.Dict.Len())
	}
}
