package dump

import (
	"strings"
	"sync"
)

// columnLists holds, of each table, the list of columns that was read last. From
// one manifest to the next these are mostly the same text, which then needs to be
// compared only. The zero value is empty.
type columnLists struct {
	mu      sync.Mutex
	byTable map[string]columnList
}

// columnList is a list without fault: as JSON, and what it says, which nobody
// changes.
type columnList struct {
	text  string
	names []string
}

// follow returns the last list of a table if text begins with it.
func (l *columnLists) follow(table, text string) (columnList, bool) {
	l.mu.Lock()
	last, ok := l.byTable[table]
	l.mu.Unlock()
	return last, ok && strings.HasPrefix(text, last.text)
}

func (l *columnLists) keep(table string, list columnList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byTable == nil {
		l.byTable = map[string]columnList{}
	}
	l.byTable[table] = list
}
