// Package filename is the names of data files.
//
// The name of a data file is given by the transaction that commits it: one that the
// state lists keeps its name, and any other name has the serial of the commit. So a
// name that the state does not list never comes back, and a request of an earlier
// commit that a store carries out late cannot meet a file of a later one.
package filename

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Of is the name of a data file of a partition. Files that earlier versions wrote, and
// those that no transaction has named yet, have the serial 0.
func Of(number int, serial uint64) string {
	if serial == 0 {
		return fmt.Sprintf("part-%05d.parquet", number)
	}
	return fmt.Sprintf("part-%05d-%d.parquet", number, serial)
}

// Number returns the number in the name of a path that Of gave; -1 if it has another
// name.
func Number(name string) int {
	name = path.Base(name)
	text, serialText, named := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, "part-"), ".parquet"), "-")
	n, err := strconv.Atoi(text)
	serial := uint64(0)
	if err == nil && named {
		serial, err = strconv.ParseUint(serialText, 10, 64)
	}
	if err != nil || n < 0 || name != Of(n, serial) {
		return -1
	}
	return n
}
