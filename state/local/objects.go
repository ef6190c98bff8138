package local

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"reconcile/internal/amount"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

// objects are those of a state: small ones in its file, bulky ones in its folder.
type objects struct {
	at     paths
	file   *file
	folder *folder
	inline int // bytes up to which an object stays inside the state file; negative for none
}

// begin begins an object.
func (s *objects) begin(ctx context.Context) *state.ObjectWriter {
	return state.NewObjectWriter(ctx, s, s.inline)
}

// bulkyFile is a bulky object that is being written to a file.
type bulkyFile struct {
	at   paths
	file *os.File
}

// Create makes the file of a bulky object under a temporary name.
func (s *objects) Create(ctx context.Context) (state.ObjectFile, error) {
	if err := s.folder.claim(ctx); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.at.objects(), files.TempPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &bulkyFile{s.at, f}, nil
}

// Write adds p to the file.
func (o *bulkyFile) Write(p []byte) (int, error) { return o.file.Write(p) }

// Finish makes the file durable and gives it its name.
func (o *bulkyFile) Finish(ctx context.Context, digest string) (string, error) {
	if err := failpoint.Hit(ctx, failpoint.ObjectWrite); err != nil {
		return "", err
	}
	if err := o.file.Sync(); err != nil {
		return "", err
	}
	if err := o.file.Close(); err != nil {
		return "", err
	}
	to := o.at.object(digest)
	if err := files.MakeDir(filepath.Dir(to)); err != nil {
		return "", err
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectRename); err != nil {
		return "", err
	}
	if err := files.Rename(o.file.Name(), to); err != nil {
		return "", err
	}
	// Another writer may have made the folder and not have synced it yet.
	return "", files.SyncDir(o.at.objects())
}

// Abort removes the file.
func (o *bulkyFile) Abort() error {
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return files.RemoveIfThere(o.file.Name())
}

// open opens the object that ref names. The size is checked, and of a small object the
// content too; that of a bulky one by Verify. One that is nowhere gives an error that
// matches state.ErrMissingObject.
func (s *objects) open(ctx context.Context, ref state.Ref) (*state.Object, error) {
	if !kv.ValidDigest(ref.Digest) {
		return nil, fmt.Errorf("open object: %q is not the digest of one", ref.Digest)
	}
	// An object is where the limit of its time put it: look first where that
	// of today would.
	look := []func(context.Context, state.Ref) (*state.Object, error){s.openInline, s.openBulky}
	if ref.Size > int64(s.inline) {
		look[0], look[1] = look[1], look[0]
	}
	for _, open := range look {
		if o, err := open(ctx, ref); o != nil || err != nil {
			return o, err
		}
	}
	return nil, s.missing(ctx, ref)
}

// missing tells an object that is not there from one that damage hides.
func (s *objects) missing(ctx context.Context, ref state.Ref) error {
	lineage := ""
	_, err := s.file.view(ctx, func(v *boltfile.View) error {
		meta, err := s.file.format.Verify(v, nil)
		lineage = meta.Lineage
		return err
	})
	if err != nil {
		return err
	}
	why := fmt.Sprintf("it is neither in the state file nor in %s; was the file copied without that folder?", s.at.objects())
	if from := s.folder.siblings(lineage); len(from) > 0 {
		why += fmt.Sprintf(" Objects of the same state are in %s: copy what is there to %s", strings.Join(from, ", "), s.at.objects())
	}
	return &state.ObjectError{Ref: ref, State: s.at.file(), Missing: true, Err: errors.New(why)}
}

// openBulky opens an object in a file: in the folder of the state or, of one that
// an earlier version wrote, in the folder that it shared with others.
func (s *objects) openBulky(_ context.Context, ref state.Ref) (*state.Object, error) {
	o, err := s.openIn(s.at.objects(), ref)
	if o != nil {
		return o, err
	}
	if old, oldErr := s.openIn(s.at.shared(), ref); old != nil && oldErr == nil {
		return old, nil
	} else if err == nil {
		err = oldErr
	}
	return nil, err
}

// pin tells whether the file of a bulky object is the one that it was; empty if
// there is none.
func (s *objects) pin(ref state.Ref) string {
	for _, dir := range []string{s.at.objects(), s.at.shared()} {
		info, err := os.Stat(objectIn(dir, ref.Digest))
		if err != nil {
			continue
		}
		pin := fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			pin += fmt.Sprintf("-%d", st.Ino)
		}
		return pin
	}
	return ""
}

func (s *objects) openIn(dir string, ref state.Ref) (*state.Object, error) {
	f, err := os.Open(objectIn(dir, ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &state.ObjectError{Ref: ref, State: s.at.file(), Err: err}
	}
	o := state.NewObject(ref, s.at.file(), f, f)
	info, err := f.Stat()
	switch {
	case err != nil:
		err = o.Damaged(err)
	case info.Size() != ref.Size:
		err = o.Damaged(fmt.Errorf("its file %s has %s instead of %s", f.Name(), amount.Of(info.Size(), "byte"), amount.Number(ref.Size)))
	default:
		return o, nil
	}
	return nil, errors.Join(err, f.Close())
}

func (s *objects) openInline(ctx context.Context, ref state.Ref) (*state.Object, error) {
	key, err := hex.DecodeString(ref.Digest)
	if err != nil {
		return nil, err
	}
	var payload []byte
	_, err = s.file.view(ctx, func(v *boltfile.View) error {
		value, err := v.Get(kv.Inline.String(), key)
		if err != nil || value == nil {
			return err
		}
		p, _, err := kv.Unseal(kv.Inline, key, value)
		if err != nil {
			return &state.ObjectError{Ref: ref, State: s.at.file(), Err: err}
		}
		payload = append([]byte{}, p...)
		return nil
	})
	if err != nil || payload == nil {
		return nil, err
	}
	return state.NewSmallObject(ctx, ref, s.at.file(), payload)
}
