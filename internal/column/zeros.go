package column

// Zeros returns n zeros in memory that was written to. It is for tables of which
// entries anywhere are read before they are written: of fresh memory each page would
// cost a fault for the first read and another one for the first write, which
// interrupts all processors that the program runs on.
func Zeros[T any](n int) []T {
	s := make([]T, n)
	clear(s)
	return s
}
