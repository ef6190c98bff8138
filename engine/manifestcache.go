package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"reconcile/engine/dump"
	"reconcile/state"
)

// A source behind a network has a request for each manifest to pay and to wait
// for, and manifests stay for ever. Those that were read are kept in the state,
// with their pins, by the first commit of an apply; the next plan reads the new
// ones. Folders are read anew each time: that is cheap, and a pin of theirs is
// weaker.

// listSource lists the source.
func (e *Engine) listSource(ctx context.Context, snap *state.Snapshot) (*dump.Listing, error) {
	if e.cfg.Source.S3 == nil || snap.Manifests.IsZero() {
		return e.source.List(ctx)
	}
	known, err := loadManifests(ctx, e.store, snap.Manifests)
	if err != nil {
		return nil, err
	}
	return e.source.ListKnown(ctx, known)
}

// manifestsObject makes the object of the manifests that the plan saw, nil if
// the state has them.
func (e *Engine) manifestsObject(ctx context.Context, p *Plan) (*state.Sealed, error) {
	if e.cfg.Source.S3 == nil || p.manifestsKept || p.listing.Fresh == 0 {
		return nil, nil
	}
	return storeManifests(ctx, e.store, p.listing.Manifests)
}

// putManifests makes it what the state knows.
func (p *Plan) putManifests(tx *state.Tx, o *state.Sealed) error {
	if o == nil {
		return nil
	}
	p.manifestsKept = true // if the transaction fails, so does the apply
	return errors.Join(tx.PutObject(o), tx.SetManifests(o.Ref))
}

// The stored form is a zstd stream of key, pin and text of each manifest, each
// behind its length.
func storeManifests(ctx context.Context, store *state.Store, list []dump.Manifest) (*state.Sealed, error) {
	o := store.NewObject()
	z, err := zstd.NewWriter(o, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, errors.Join(err, o.Abort())
	}
	for _, m := range list {
		for _, part := range [][]byte{[]byte(m.Key), []byte(m.Pin), m.Text} {
			_, werr := z.Write(binary.AppendUvarint(nil, uint64(len(part))))
			_, perr := z.Write(part)
			err = errors.Join(err, werr, perr)
		}
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the manifests: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = int64(len(list))
	return obj, nil
}

func loadManifests(ctx context.Context, store *state.Store, ref state.Ref) (list []dump.Manifest, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the manifests that the state keeps: %w", err)
		}
	}()
	o, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.Verify(ctx); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	r := bufio.NewReader(z)
	for range ref.Rows {
		var parts [3][]byte
		for i := range parts {
			if parts[i], err = readPart(r); err != nil {
				return nil, err
			}
		}
		list = append(list, dump.Manifest{Key: string(parts[0]), Pin: string(parts[1]), Text: parts[2]})
	}
	return list, ctx.Err()
}

func readPart(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxStoredPart {
		return nil, fmt.Errorf("a part of %d bytes", n)
	}
	p := make([]byte, n)
	_, err = io.ReadFull(r, p)
	return p, err
}

// maxStoredPart is more than a manifest that is read can have.
const maxStoredPart = 1 << 30
