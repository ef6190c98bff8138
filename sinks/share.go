package sinks

// Share is a part of the row groups of a data file, which one goroutine reads: part N, from 0
// on, of so many.
type Share struct{ N, Of int }

// WholeFile is the share of whoever reads a file alone.
func WholeFile() Share { return Share{0, 1} }

// LeastShare is how many bytes of a data file are worth a goroutine of their own.
const LeastShare = 4 << 20

// Shares divides a data file of so many bytes among so many goroutines.
func Shares(bytes int64, workers int) []Share {
	of := max(min(int(bytes/LeastShare), workers), 1)
	out := make([]Share, of)
	for n := range out {
		out[n] = Share{n, of}
	}
	return out
}

// Groups returns the row groups of the share, of so many that the file has.
func (s Share) Groups(all int) (from, to int) { return all * s.N / s.Of, all * (s.N + 1) / s.Of }
