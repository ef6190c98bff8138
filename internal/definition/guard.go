package definition

import (
	"fmt"
	"math/big"
	"strings"
)

// Guard says what a table does not take on its own. It says nothing of the table's
// content: what is accepted gives the content that it gives without a guard.
type Guard struct {
	MaxRemovedRows *Share // of its rows, that a full resync may leave out; nil for all
	HoldsEmpty     bool   // a full resync without rows
	// MaxRewrittenBytes is how much of the table's files one apply may write again; nil for
	// all.
	MaxRewrittenBytes *Bytes
}

// JudgesResyncs reports whether a full resync can trip the guard.
func (g Guard) JudgesResyncs() bool {
	return g.HoldsEmpty || g.CountsRows()
}

// CountsRows reports whether the guard asks how many rows a full resync leaves out, and not
// only whether it has any.
func (g Guard) CountsRows() bool { return g.MaxRemovedRows != nil && *g.MaxRemovedRows < Whole }

// Share is a part of a whole, in millionths of it.
type Share int64

// Whole is all of it.
const Whole Share = 1_000_000

const (
	// perCent is a hundredth.
	perCent = Whole / 100
	// mostShare is far more than anybody asks for.
	mostShare = 1_000_000 * Whole
)

// ParseShare reads a share as "50%" or "0.5%", with at most four decimal places.
func ParseShare(s string) (Share, error) {
	n, err := ParsePercent(s)
	if err == nil && n > Whole {
		return 0, fmt.Errorf("%q is more than all, which is \"100%%\"", s)
	}
	return n, err
}

// ParsePercent is ParseShare of what can be more than all, as "300%".
func ParsePercent(s string) (Share, error) {
	digits, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	digits = strings.TrimSpace(digits)
	if !ok || digits == "" || len(digits) > 20 || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a share; write it as \"50%%\" or \"0.5%%\"", s)
	}
	n, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, fmt.Errorf("%q is not a share; write it as \"50%%\" or \"0.5%%\"", s)
	}
	n.Mul(n, new(big.Rat).SetInt64(int64(perCent)))
	switch {
	case !n.IsInt():
		return 0, fmt.Errorf("%q has more than four decimal places", s)
	case n.Cmp(new(big.Rat).SetInt64(int64(mostShare))) > 0:
		return 0, fmt.Errorf("%q is more than %s", s, mostShare)
	}
	return Share(n.Num().Int64()), nil
}

// String writes a share as ParseShare reads it.
func (s Share) String() string {
	text := fmt.Sprintf("%d.%04d", s/perCent, s%perCent)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

// IsExceeded reports whether a part of a whole number of things is more than the share.
func (s Share) IsExceeded(part, whole int64) bool {
	l, r := new(big.Int).SetInt64(part), new(big.Int).SetInt64(whole)
	l.Mul(l, big.NewInt(int64(Whole)))
	return l.Cmp(r.Mul(r, big.NewInt(int64(s)))) > 0
}

// Bytes is an amount of them.
type Bytes int64

// String writes an amount in decimal units.
func (b Bytes) String() string {
	if b < 1000 {
		return fmt.Sprintf("%d B", int64(b))
	}
	v, unit := float64(b)/1000, 0
	for v >= 999.95 && unit < 4 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, "kMGTP"[unit])
}
