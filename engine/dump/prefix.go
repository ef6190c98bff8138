package dump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"reconcile/internal/blob"
)

// PrefixError says that the files of a source lie where the addresses in its manifests
// lead without their first folders.
type PrefixError struct {
	Prefix string // these folders
	Root   string // of the source
	Listed string // an address that a manifest lists, as a key
}

func (e *PrefixError) Error() string {
	return fmt.Sprintf("source %s: in its manifests %s: set manifest_prefix = %q in the source block", e.Root, e.reason(), e.Prefix)
}

func (e *PrefixError) reason() string {
	return fmt.Sprintf("all files begin with %s/, which the source lacks, while the rest of their names is there, as in %.200q", e.Prefix, strings.TrimPrefix(e.Listed, e.Prefix+"/"))
}

// folderStore is what is asked where the files of a source lie.
type folderStore interface {
	Stat(ctx context.Context, key string) (blob.Object, error)
	ListFolder(ctx context.Context, folder string) ([]blob.Object, error)
}

// misplaced returns the error if all files of a manifest begin with folders that the source
// lacks while the rest of the first one is there, nil if not. Then certain says whether
// that can be kept of the manifest: what is not there may still be copied.
func misplaced(ctx context.Context, s folderStore, root string, files lead) (found *PrefixError, certain bool, err error) {
	first, folders := files.first, files.folders
	if folders == 0 {
		return nil, true, nil
	}
	if there, err := has(ctx, s, first); there || err != nil {
		return nil, there, err
	}
	parts := strings.SplitN(first, "/", folders+1)
	for n := 1; n <= folders; n++ {
		there, err := has(ctx, s, strings.Join(parts[n:], "/"))
		if err != nil {
			return nil, false, err
		}
		if !there {
			continue
		}
		prefix := strings.Join(parts[:n], "/")
		in, err := s.ListFolder(ctx, prefix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) || len(in) > 0 {
			return nil, false, onlyUnavailable(err)
		}
		return &PrefixError{prefix, root, first}, false, nil
	}
	return nil, false, nil
}

// has reports whether a file is there. It fails only if the source is Unavailable.
func has(ctx context.Context, s folderStore, key string) (bool, error) {
	if blob.CheckKey(key) != nil {
		return false, nil
	}
	_, err := s.Stat(ctx, key)
	return err == nil, onlyUnavailable(err)
}

func onlyUnavailable(err error) error {
	if Unavailable(err) {
		return err
	}
	return nil
}

// mostFolders is how many folders before that of a dump are looked for.
const mostFolders = 8

// lead is the first file of a dump, and how many folders all its files have in common before
// the one that the vendor names by the dump; none where that is the first.
type lead struct {
	first   string
	folders int
}

// leadOf is that of a dump whose manifest is being read.
func leadOf(entries []*Entry) lead {
	var first, prefix string
	var common []string
	begun := false
	for _, e := range entries {
		for _, f := range e.listed {
			if !begun {
				begun, first, common = true, strings.Clone(f), leading(f)
				prefix = strings.Join(common, "/") + "/"
			}
			for len(common) > 0 && !strings.HasPrefix(f, prefix) {
				common = common[:len(common)-1]
				prefix = strings.Join(common, "/") + "/"
			}
		}
	}
	return lead{first, len(common)}
}

// leading returns the folders of a key before that of its dump.
func leading(key string) []string {
	parts := strings.Split(key, "/")
	parts = parts[:len(parts)-1]
	for i, p := range parts {
		if id, ok := strings.CutPrefix(p, "sync_"); ok && id != "" && strings.Trim(id, "0123456789") == "" {
			return parts[:i]
		}
	}
	return parts[:min(len(parts), mostFolders)]
}
