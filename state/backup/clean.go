package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"reconcile/internal/blob"
	"reconcile/state/internal/kv"
)

// clean removes what lay there before and is not needed. Objects that backups share
// are for removeOldBackups.
func (w *writer) clean(ctx context.Context) {
	needed := map[string]bool{w.to.key(w.made.File.Name): true}
	for _, o := range w.made.Objects {
		needed[w.to.objectKey(o.Digest)] = true
	}
	for key := range w.listed {
		name := path.Base(key)
		file := blob.Dir(key) == w.to.key(backupFiles) && kv.ValidDigest(strings.TrimSuffix(name, ".db")) && strings.HasSuffix(name, ".db")
		object := blob.Dir(key) == w.to.objects() && kv.ValidDigest(name) && !w.to.Shared
		if (file || object) && !needed[key] {
			w.remove(ctx, key)
		}
	}
	for _, folder := range []string{w.to.key(backupFiles), w.to.objects()} {
		err := w.to.Store.RemoveLeftovers(ctx, blob.Leftovers{Prefix: folder}) // of backups that were killed
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("what killed backups left stays there: %v", err))
		}
	}
}

// remove removes what is of no use any more; that it cannot is a warning.
func (w *writer) remove(ctx context.Context, key string) {
	if err := w.to.Store.Delete(ctx, key, blob.Cond{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("what the backup does not need stays there: %v", err))
	}
}
