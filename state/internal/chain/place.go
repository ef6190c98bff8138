package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// place is the store of a chain. It reads, lists and writes what lies there by its keys,
// and knows nothing of the order of records.
type place struct {
	store  blob.Store
	newest uint32 // format of records that are read
}

func (p place) damaged(key, reason string) error {
	return &DamagedError{Place: p.store.Root(), Key: key, Reason: reason}
}

// record reads the record in a slot. It fails with fs.ErrNotExist where none is.
func (p place) record(ctx context.Context, serial uint64) (*Record, blob.Object, error) {
	key := logKey(serial)
	data, o, err := p.readWhole(ctx, key)
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return nil, o, p.damaged(key, err.Error())
	case err != nil:
		return nil, o, fmt.Errorf("read the log: %w", err)
	}
	r, err := decode(data, p.newest)
	var newer newerVersion
	switch {
	case errors.As(err, &newer):
		return nil, o, &NewerError{Place: p.store.Root(), Key: key, Found: newer.found, Newest: max(p.newest, version), Program: newer.program, Needs: newer.needs}
	case err != nil:
		return nil, o, p.damaged(key, err.Error())
	case r.Serial != serial:
		return nil, o, p.damaged(key, fmt.Sprintf("it holds the record with serial %d", r.Serial))
	}
	return r, o, nil
}

// wholeReader is a store that reads an object in one request, whatever its size.
type wholeReader interface {
	ReadWhole(ctx context.Context, key string, max int) ([]byte, blob.Object, error)
}

func (p place) readWhole(ctx context.Context, key string) ([]byte, blob.Object, error) {
	if s, ok := p.store.(wholeReader); ok {
		return s.ReadWhole(ctx, key, maxRecord)
	}
	return blob.ReadAll(ctx, p.store, key, maxRecord)
}

// list lists a folder, which may be missing.
func (p place) list(ctx context.Context, folder string) ([]blob.Object, error) {
	list, err := p.store.List(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// rangeLister is a store that lists a range of keys for the price of what is in it.
type rangeLister interface {
	ListRange(ctx context.Context, after, before string) ([]blob.Object, error)
}

// survey lists the checkpoints, newest first, and the serials at which something
// stands in the log, in one request per thousand where the store can. The lease,
// which lies between them, is passed over.
func (p place) survey(ctx context.Context) (list []Checkpoint, serials []uint64, err error) {
	var found []blob.Object
	if s, ok := p.store.(rangeLister); ok {
		found, err = s.ListRange(ctx, checkpointFolder, logFolder+"0") // '0' follows '/'
	} else {
		found, err = p.list(ctx, checkpointFolder)
		if err == nil {
			var entries []blob.Object
			entries, err = p.list(ctx, logFolder)
			found = append(found, entries...)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list the log and its checkpoints: %w", err)
	}
	for _, o := range found {
		if n, ok := parseLogKey(o.Key); ok {
			serials = append(serials, n)
		}
	}
	return checkpoints(found), serials, nil
}

// upload writes an object of a known size.
func (p place) upload(ctx context.Context, key string, r io.Reader, size int64, cond blob.Cond) error {
	w, err := p.store.Create(ctx, key, cond)
	if err != nil {
		return err
	}
	defer w.Abort()
	n, err := io.Copy(struct{ io.Writer }{w}, r)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return err
	}
	_, err = w.Commit()
	return err
}

// replaceByStub takes the content of one entry, unless it is gone or a stub.
func (p place) replaceByStub(ctx context.Context, serial uint64) (bool, error) {
	rec, o, err := p.record(ctx, serial)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || rec.Stub {
		return false, err
	}
	data, err := encode(rec.stub())
	if err == nil {
		err = failpoint.Hit(ctx, failpoint.CollectRemove)
	}
	if err != nil {
		return false, err
	}
	if _, err := blob.Put(ctx, p.store, logKey(serial), data, blob.Match(o.Pin)); err != nil {
		return false, fmt.Errorf("take the content of record %d: %w", serial, err)
	}
	return true, nil
}

// backups lists the names of the backups.
func (p place) backups(ctx context.Context) ([]string, error) {
	list, err := p.list(ctx, backupFolder)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	var names []string
	for _, o := range list {
		name, _, _ := strings.Cut(strings.TrimPrefix(o.Key, backupFolder+"/"), "/")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names, nil
}
