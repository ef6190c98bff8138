package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// saved backs the state up and returns what restores it, over the state that is there
// then, one that is damaged, or none.
func (w *backupWorld) saved() (restore func()) {
	w.t.Helper()
	place := w.t.TempDir()
	if _, err := w.engine().States().Backup(w.t.Context(), place); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		at := filepath.Join(w.dir, "state")
		var err error
		switch w.r.Intn(3) {
		case 0:
			if err = os.Truncate(filepath.Join(at, "state.db"), 5000); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		case 1:
			err = os.RemoveAll(at)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		res, err := w.engine().States().Restore(w.t.Context(), place)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, lake := range w.said {
			for name, t := range lake {
				if t.Commit >= res.Serial {
					w.t.Fatalf("the restored state is at commit %d, %s at %d", res.Serial, name, t.Commit)
				}
			}
		}
	}
}
