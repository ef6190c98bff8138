package measure

import (
	"os"
	"path/filepath"
	"strings"
)

// FolderMB returns the size of the files in a folder whose names have a suffix.
func FolderMB(dir, suffix string) (float64, error) {
	total := int64(0)
	err := filepath.Walk(dir, func(name string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() && strings.HasSuffix(name, suffix) {
			total += fi.Size()
		}
		return err
	})
	return float64(total) / 1e6, err
}
