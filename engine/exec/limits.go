package exec

// Limits are what a task may use.
type Limits struct {
	Budget Budget
	// Scratch is the folder for what does not fit.
	Scratch string
	// SpillGroup is how many rows of a scratch file are read at once, if not as many as the
	// budget says.
	SpillGroup int
}

// ScratchRows is how many rows of a scratch file are read at once.
func (l Limits) ScratchRows() int {
	if l.SpillGroup > 0 {
		return l.SpillGroup
	}
	return l.Budget.ScratchRows()
}
