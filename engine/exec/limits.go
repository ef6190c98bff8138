package exec

// Limits are what a task may use.
type Limits struct {
	Budget Budget
	// Scratch is the folder for what does not fit.
	Scratch    string
	SpillGroup int // rows of a row group in scratch files, 0 for the default
}
