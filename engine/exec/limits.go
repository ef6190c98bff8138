package exec

// A column of a batch takes heldColumn bytes beside its values. Columns that would take
// more than one part of the memory for rows so are very many.
const (
	heldColumn      = 1 << 10
	wideColumnsPart = 16
)

// contestedOfProbed is how many times as many rows may be contested as entries are compared
// at once.
const contestedOfProbed = 2

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
	// ProbeAtOnce is how many rows and entries of an index are compared at once, if not as many
	// as the budget says.
	ProbeAtOnce int
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

// Probed is how many delivered rows and entries of an index are compared at once, while no
// rows are collected or wait for their verdict.
func (l Limits) Probed() int {
	if l.ProbeAtOnce > 0 {
		return l.ProbeAtOnce
	}
	return max(l.Budget.rows/probedPart/probedSize, 1)
}

// Contested is how many stored rows are judged with delivered ones without spilling any.
func (l Limits) Contested() int { return contestedOfProbed * l.Probed() }

// ScratchRows is how many rows of a scratch file are read at once.
func (l Limits) ScratchRows() int {
	if l.SpillGroup > 0 {
		return l.SpillGroup
	}
	return l.Budget.ScratchRows()
}
