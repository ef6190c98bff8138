package config

import (
	"fmt"
	"math/big"
	"strings"
)

// parseSize reads an amount of memory or of files: bytes, or a number with one of the units
// B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024).
func parseSize(s string) (int64, error) {
	text := strings.TrimSpace(s)
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(text)
	}
	unit, ok := sizeUnit(strings.TrimSpace(text[i:]))
	n, good := new(big.Rat).SetString(text[:i])
	if !ok || !good || len(text) > 40 {
		return 0, fmt.Errorf("%q is not a size; write it as \"1GiB\", \"512MiB\", \"800MB\" or as a number of bytes", s)
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("%q is larger than any machine", s)
	}
	return whole.Int64(), nil
}

func sizeUnit(s string) (int64, bool) {
	if s == "" || strings.EqualFold(s, "B") {
		return 1, true
	}
	exp := strings.IndexByte("KMGT", s[0]&^0x20) + 1
	if exp == 0 {
		return 0, false
	}
	base := int64(1000)
	switch strings.ToUpper(s[1:]) {
	case "B":
	case "IB":
		base = 1024
	default:
		return 0, false
	}
	n := int64(1)
	for range exp {
		n *= base
	}
	return n, true
}
