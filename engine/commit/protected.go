package commit

import (
	"slices"
	"sync"
)

// Protected is the attempts that a Cleaner leaves beside those that publish lists name:
// those under way, and those of which nobody knows whether they were committed. It can
// be used by several goroutines at once.
type Protected struct {
	mu    sync.Mutex
	names []string
}

// Add protects an attempt.
func (p *Protected) Add(attempt string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = append(p.names, attempt)
}

// Remove ends the protection of an attempt.
func (p *Protected) Remove(attempt string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = slices.DeleteFunc(p.names, func(name string) bool { return name == attempt })
}

// Clear ends the protection of all.
func (p *Protected) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = nil
}

// attempts lists those that are protected.
func (p *Protected) attempts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.names)
}
