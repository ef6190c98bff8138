package engine

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The name of a data file is given by the transaction that commits it: one that the
// state lists keeps its name, and any other name has the serial of the commit. So a
// name that the state does not list never comes back, and a request of an earlier
// commit that a store carries out late cannot meet a file of a later one.

// fileName is that of a data file of a partition. Files that earlier versions wrote,
// and those that no transaction has named yet, have the serial 0.
func fileName(number int, serial uint64) string {
	if serial == 0 {
		return fmt.Sprintf("part-%05d.parquet", number)
	}
	return fmt.Sprintf("part-%05d-%d.parquet", number, serial)
}

// fileNumber returns the number in the name of a path that fileName gave; -1 if it has
// another name.
func fileNumber(name string) int {
	name = path.Base(name)
	text, serialText, named := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, "part-"), ".parquet"), "-")
	n, err := strconv.Atoi(text)
	serial := uint64(0)
	if err == nil && named {
		serial, err = strconv.ParseUint(serialText, 10, 64)
	}
	if err != nil || n < 0 || name != fileName(n, serial) {
		return -1
	}
	return n
}

// numbered is a data file of a table, as it is known whatever commit named it.
type numbered struct {
	root, folder string
	number       int
}

// nameFiles gives the files that were staged their names in the commit of a serial. It
// may be called again, for another serial too.
func (r *tableStep) nameFiles(c *change, serial uint64) {
	listed := map[numbered]string{}
	for _, p := range r.oldParts {
		for _, f := range p.Files {
			listed[numbered{r.old.Sinks[f.Sink].Root, path.Dir(f.Path), fileNumber(f.Path)}] = f.Path
		}
	}
	for _, p := range c.parts {
		for i := range p.record.Files {
			if p.staged[i] == "" {
				continue
			}
			f := &p.record.Files[i]
			at := numbered{c.table.Sinks[f.Sink].Root, path.Dir(f.Path), fileNumber(f.Path)}
			name, ok := listed[at]
			if !ok {
				name = path.Join(at.folder, fileName(at.number, serial))
			}
			f.Path = name
		}
	}
}
