package verify

import (
	"errors"
	"strconv"
	"strings"
)

// Sample is a choice of canonical users, each with all that belongs to it: the Part-th of
// Of parts, from 1 on. The zero Sample is all of them. All samples of one Of together are
// all users, and no user is in two of them.
type Sample struct{ Part, Of int }

// ParseSample reads "1/64".
func ParseSample(text string) (Sample, error) {
	part, of, ok := strings.Cut(text, "/")
	var s Sample
	var err1, err2 error
	s.Part, err1 = strconv.Atoi(part)
	s.Of, err2 = strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || s.Part < 1 || s.Part > s.Of || s.Of > 1<<20 {
		return Sample{}, errors.New("it needs a part of all users, as 1/64, or 2/64 for the next one")
	}
	return s, nil
}

// String is the text that ParseSample reads; of all users it is empty.
func (s Sample) String() string {
	if s.Of <= 1 {
		return ""
	}
	return strconv.Itoa(s.Part) + "/" + strconv.Itoa(s.Of)
}

// has reports whether a canonical user is in the sample.
func (s Sample) has(user int64) bool {
	return s.Of <= 1 || mix(uint64(user))%uint64(s.Of) == uint64(s.Part-1)
}

// mix spreads numbers that are close to each other: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// first reports whether what belongs to no user is looked at with the sample: one of all
// samples of one Of has it.
func (s Sample) first() bool { return s.Of <= 1 || s.Part == 1 }
