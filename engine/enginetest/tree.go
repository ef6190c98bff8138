package enginetest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Tree lists the files below folders with sizes and times, without those of locks and
// readers of a state, and those to be left out. skip may be nil.
func Tree(skip func(path string) bool, folders ...string) []string {
	var out []string
	for _, top := range folders {
		_ = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, ".readers") || skip != nil && skip(p) {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			out = append(out, fmt.Sprintf("%s %d %d", p, info.Size(), info.ModTime().UnixNano()))
			return nil
		})
	}
	return out
}
