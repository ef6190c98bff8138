package column

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// HMAC replaces values by the lower-case hex of their HMAC-SHA256 under one
// key. It has one user at a time; it must never be printed or stored.
type HMAC struct {
	h   hash.Hash
	sum [sha256.Size]byte
}

// MaskHMAC returns the mask of a key.
func MaskHMAC(key []byte) *HMAC { return &HMAC{h: hmac.New(sha256.New, key)} }

// AppendHex appends the 64 hex digits that stand for v.
func (m *HMAC) AppendHex(dst, v []byte) []byte {
	m.h.Reset()
	m.h.Write(v)
	return hex.AppendEncode(dst, m.h.Sum(m.sum[:0]))
}

// MaskColumn replaces the values of c, as delivered and before any cast, by
// what MaskHMAC makes of their bytes; of what is not text, by what it makes of
// the text. c becomes a String column with a new dictionary; its old one stays
// as it was. Null stays null.
func MaskColumn(c *Column, key []byte) { MaskHMAC(key).MaskColumn(c) }

// MaskColumn is the function of that name under m's key.
func (m *HMAC) MaskColumn(c *Column) {
	if !isText(c.Type) {
		var text Column
		Cast(c, Type{ID: String}, &text)
		c.Codes, c.Dict = text.Codes, text.Dict
		c.Ints, c.Floats, c.Null = nil, nil, nil
	}
	c.Type = Type{ID: String}
	masked := NewDict()
	memo := newCodeMemo(c).vals
	var buf [2 * sha256.Size]byte
	for i, code := range c.Codes {
		switch {
		case code == 0:
		case memo != nil && memo[code] != 0:
			c.Codes[i] = memo[code]
		default:
			c.Codes[i] = masked.Add(m.AppendHex(buf[:0], c.Dict.Value(code)))
			if memo != nil {
				memo[code] = c.Codes[i]
			}
		}
	}
	c.Dict = masked
}
