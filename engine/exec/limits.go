package exec

// A column of a batch takes heldColumn bytes beside its values. Columns that would take
// more than one part of the memory for rows so are very many.
const (
	heldColumn      = 1 << 10
	wideColumnsPart = 16
)

// Limits are what a task may use.
type Limits struct {
	Budget Budget
	// Scratch is the folder for what does not fit.
	Scratch string
	// SpillGroup is how many rows of a scratch file are read at once, if not as many as the
	// budget says.
	SpillGroup int
	// WideFrom is how many columns are very many, if not as many as the budget says.
	WideFrom int
}

// Wide reports whether so many columns are very many: a table of them holds rows in a form
// without a cost of each column.
func (l Limits) Wide(columns int) bool {
	if l.WideFrom > 0 {
		return columns >= l.WideFrom
	}
	return l.much(columns)
}

// ForColumns is what the task of a table with so many columns may use: of very many, only
// one goroutine holds rows.
func (l Limits) ForColumns(columns int) Limits {
	if l.much(columns) {
		l.Budget.workers = 1
	}
	return l
}

// much reports whether so many columns take much of the memory for rows, whatever rows
// there are.
func (l Limits) much(columns int) bool {
	return l.Budget.limit > 0 && columns*heldColumn > l.Budget.rows/wideColumnsPart
}

// ScratchRows is how many rows of a scratch file are read at once.
func (l Limits) ScratchRows() int {
	if l.SpillGroup > 0 {
		return l.SpillGroup
	}
	return l.Budget.ScratchRows()
}
