package glob

// Set are patterns of which one is to match. Those that are names cost nothing, however
// many they are.
type Set struct {
	names map[string]bool
	globs []Pattern
}

// NewSet returns the set of some patterns.
func NewSet(patterns []Pattern) *Set {
	s := &Set{names: map[string]bool{}}
	for _, p := range patterns {
		if p.IsGlob() {
			s.globs = append(s.globs, p)
		} else {
			s.names[string(p)] = true
		}
	}
	return s
}

// Match reports whether one of the patterns matches a name.
func (s *Set) Match(name string) bool {
	if s.names[name] {
		return true
	}
	for _, p := range s.globs {
		if p.Match(name) {
			return true
		}
	}
	return false
}
