package measure

import (
	"fmt"
	"slices"
	"strings"
)

// Series is the samples of one thing.
type Series struct {
	Name    string
	Samples []Sample
}

// Add adds a sample, unless err says that there is none.
func (s *Series) Add(x Sample, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	s.Samples = append(s.Samples, x)
	return nil
}

// What a sample can be asked for.
func Wall(s Sample) float64 { return s.Wall }
func CPU(s Sample) float64  { return s.CPU }
func Peak(s Sample) float64 { return s.Peak }
func IO(s Sample) float64   { return s.IO }

// Median returns the median of something.
func (s *Series) Median(of func(Sample) float64) float64 {
	if len(s.Samples) == 0 {
		return 0
	}
	v := make([]float64, len(s.Samples))
	for i, x := range s.Samples {
		v[i] = of(x)
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// Peak returns the most memory that any of the samples took.
func (s *Series) Peak() float64 {
	most := 0.0
	for _, x := range s.Samples {
		most = max(most, x.Peak)
	}
	return most
}

// Each lists something of all samples.
func (s *Series) Each(of func(Sample) float64) string {
	out := make([]string, len(s.Samples))
	for i, x := range s.Samples {
		out[i] = fmt.Sprintf("%.2f", of(x))
	}
	return strings.Join(out, " ")
}
