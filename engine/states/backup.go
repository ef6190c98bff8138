package states

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"reconcile/config"
	"reconcile/internal/shell"
	"reconcile/state"
	"reconcile/state/backup"
)

// Backup backs the state up to a place: a folder, or "s3://bucket/prefix". It takes no
// lock and waits for no apply.
func (k *Keeper) Backup(ctx context.Context, to string) (*backup.Result, error) {
	p, err := k.Config.BackupPlace(to)
	if err != nil {
		return nil, err
	}
	return k.backUpTo(ctx, p, false)
}

// BackupConfigured backs the state up to where the configuration says. The result is nil
// if it does not say.
func (k *Keeper) BackupConfigured(ctx context.Context) (*backup.Result, error) {
	if k.Config.Backup == nil {
		return nil, nil
	}
	return k.backUpTo(ctx, *k.Config.Backup, true)
}

func (k *Keeper) backUpTo(ctx context.Context, p config.Place, trust bool) (*backup.Result, error) {
	if p.S3 == nil { // what a state holds is nobody else's to read
		if err := os.MkdirAll(p.Path, 0o700); err != nil {
			return nil, fmt.Errorf("back up the state: %w", err)
		}
	}
	st, err := k.Opener.backups(ctx, p)
	if err != nil {
		return nil, err
	}
	return backup.Make(ctx, k.Store, backup.Place{Store: st}, trust)
}

// openBackup finds the backup at a place, and proves it.
func (k *Keeper) openBackup(ctx context.Context, from string) (*backup.Backup, error) {
	p, err := k.Config.ParsePlace(from)
	if err != nil {
		return nil, err
	}
	st, err := k.Opener.backups(ctx, p)
	if err != nil {
		return nil, err
	}
	at := backup.Place{Store: st}
	m, _, err := at.ReadManifest(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", p.Path, backup.ErrNone)
	}
	if err != nil {
		return nil, err
	}
	if m.InShared() {
		if at, err = k.sharedBackup(ctx, p); err != nil {
			return nil, err
		}
	}
	return backup.Open(ctx, at, k.Opener.Program, k.Opener.Format)
}

// sharedBackup is the place of a backup whose objects lie in the folder beside it.
func (k *Keeper) sharedBackup(ctx context.Context, p config.Place) (backup.Place, error) {
	name := path.Base(p.Path)
	if p.S3 == nil {
		p.Path = filepath.Dir(p.Path)
	} else {
		c := *p.S3
		c.Prefix = strings.TrimSuffix(strings.TrimSuffix(c.Prefix, name), "/")
		p = config.Place{Path: c.URL(), S3: &c}
	}
	st, err := k.Opener.backups(ctx, p)
	return backup.Place{Store: st, Folder: name, Shared: true}, err
}

// Restored is what restoring a backup came to.
type Restored struct {
	State   string
	From    string
	Backup  backup.Manifest
	Serial  uint64         // that the state has now
	Before  *backup.Result // of the state that was there; nil if there was none
	Notices []string
}

// Restore puts a backup in the place of the state, which is backed up before, in one
// transaction. The backup is proved first. A state of another lineage is refused.
func (k *Keeper) Restore(ctx context.Context, from string) (_ *Restored, err error) {
	b, err := k.openBackup(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	out := &Restored{State: k.Store.Place(), From: from, Backup: b.Manifest}
	top, err := k.topInSinks(ctx, b.Manifest.Lineage)
	if err != nil {
		if serial, serr := k.Store.Serial(ctx); serr != nil || serial == 0 {
			return nil, fmt.Errorf("restore state %s: nothing but the sinks says which commits there were, and one cannot be read: %w; nothing was changed", k.Store.Place(), err)
		}
		out.Notices = append(out.Notices, err.Error())
	}
	if err := k.checkOpen(ctx); err != nil {
		return nil, err
	}
	lock, err := k.LockOver(ctx, "state restore")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	ctx = lock.Context(ctx)
	if _, err := lock.Over(ctx, b.Manifest.Lineage); err != nil {
		return nil, err
	}
	if out.Before, err = backup.BeforeChange(ctx, k.Store); err != nil {
		return nil, fmt.Errorf("%w; nothing was changed", err)
	}
	if out.Serial, err = backup.Restore(ctx, k.Store, lock, b, top); err != nil {
		return out, err
	}
	out.Notices = append(out.Notices, lock.Warnings()...)
	return out, nil
}

// checkOpen fails if the state is closed, as it was moved: there would be two.
func (k *Keeper) checkOpen(ctx context.Context) error {
	snap, err := k.Store.Load(ctx)
	var moved *state.MovedError
	if errors.As(err, &moved) && moved.To != "" {
		return fmt.Errorf("%w; if that place is gone for good, restore at a new one, and give %s", err, shell.Word("-state-lost="+moved.To))
	}
	if err != nil {
		return nil // what is damaged is to be replaced
	}
	return snap.Close()
}

// topInSinks is the greatest commit of a lineage that the configured sinks name.
func (k *Keeper) topInSinks(ctx context.Context, lineage string) (uint64, error) {
	top := uint64(0)
	for _, s := range k.Config.Sinks {
		says, err := k.Lake.Head(ctx, s.Path)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", s.Address(), err)
		}
		if says.Current == nil || says.Current.Lineage != lineage {
			continue
		}
		for _, t := range says.Current.Tables {
			top = max(top, t.Commit)
		}
	}
	return top, nil
}
