package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"reconcile/internal/blob"
)

// keptBackups is how many backups a state keeps of itself.
const keptBackups = 10

// keptFolder is where a state in an object store keeps them.
const keptFolder = "backups"

// keeper is a Backend that says where a state keeps backups of itself.
type keeper interface {
	// keeps returns a store and the folder in it that has one folder for each backup.
	keeps(make bool) (store blob.Store, folder string, err error)
	// aside keeps a damaged state under a name, and returns where; empty if nothing that
	// follows harms it.
	aside(name string) (string, error)
}

func (s *remote) keeps(bool) (blob.Store, string, error) { return s.store, keptFolder, nil }

// aside does nothing: what stands in a log is not replaced.
func (s *remote) aside(string) (string, error) { return "", nil }

func (s *local) backupsDir() string { return s.path + backupsSuffix }

func (s *local) keeps(make bool) (blob.Store, string, error) {
	if make {
		if err := makeDir(s.backupsDir()); err != nil {
			return nil, "", err
		}
	}
	store, err := blob.NewLocal(s.backupsDir())
	return store, "", err
}

// aside links the damaged file into a folder of its own.
func (s *local) aside(name string) (string, error) {
	dir := filepath.Join(s.backupsDir(), name+"-damaged")
	if err := makeDir(dir); err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(s.path))
	if err := os.Link(s.path, to); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, syncDir(dir)
}

// BackupBeforeChange backs the state up to where it keeps such backups, before it is
// changed otherwise than by an apply; the newest ten stay. The caller holds the lock. Of
// a state that cannot be read, a local one's file is put there as it is. The result is
// nil where there is nothing to keep. Its Place is what people are told.
func (s *Store) BackupBeforeChange(ctx context.Context) (*BackupResult, error) {
	k := s.Backend.(keeper)
	store, folder, err := k.keeps(true)
	if err != nil {
		return nil, fmt.Errorf("back up state %s: %w", s.Place(), err)
	}
	stamp := time.Now().UTC().Format("20060102T150405.000Z")
	serial, err := s.Serial(ctx)
	if err == nil && serial == 0 {
		return nil, nil
	}
	var res *BackupResult
	if err == nil {
		to := BackupPlace{Store: store, Folder: blob.Join(folder, fmt.Sprintf("%s-%d", stamp, serial)), Shared: true}
		res, err = s.backup(ctx, to, backupHow{trust: true, lenient: true, known: newestKept(ctx, store, folder)})
	}
	if errors.Is(err, ErrDamaged) {
		place, err := k.aside(stamp)
		if err != nil || place == "" {
			return nil, err
		}
		return &BackupResult{Place: place, Warnings: []string{"the state is damaged, and its file was kept as it is"}}, nil
	}
	if err != nil {
		return nil, err
	}
	res.Warnings = append(res.Warnings, pruneKept(ctx, store, folder, path.Base(res.Place))...)
	return res, nil
}

// newestKept returns what the newest backup that can be read has.
func newestKept(ctx context.Context, store blob.Store, folder string) []BackupObject {
	list, err := store.List(ctx, folder)
	if err != nil {
		return nil
	}
	for _, name := range slices.Backward(namesIn(list, folder)) {
		m, _, err := BackupPlace{Store: store, Folder: blob.Join(folder, name), Shared: true}.ReadManifest(ctx)
		if err == nil {
			return m.Objects
		}
	}
	return nil
}

// pruneKept removes the backups above the number that stay, but not one, and what none
// that stays names. It returns what went wrong.
func pruneKept(ctx context.Context, store blob.Store, folder, but string) []string {
	list, err := store.List(ctx, folder)
	if err != nil {
		return []string{fmt.Sprintf("older backups of the state stay: %v", err)}
	}
	names := namesIn(list, folder)
	stay := map[string]bool{but: true}
	for _, name := range slices.Backward(names) {
		if len(stay) < keptBackups {
			stay[name] = true
		}
	}
	p := &pruner{store: store}
	needed, whole := p.needed(ctx, folder, stay)
	for _, o := range orderForRemoval(list) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, folderPrefix(folder)), "/")
		switch {
		case name == backupObjects && whole && validDigest(rest) && !needed[rest]:
			p.remove(ctx, o.Key)
		case keptName.MatchString(name) && rest != "" && !stay[name]:
			p.remove(ctx, o.Key)
		}
	}
	return p.warnings
}

func folderPrefix(folder string) string {
	if folder == "" {
		return ""
	}
	return folder + "/"
}

// keptName is the form of the names of backups that a state keeps. What has another one
// is not theirs, and is left alone.
var keptName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-z]+$`)

// namesIn returns the names of the backups in a listing, in the order in which they were
// made.
func namesIn(list []blob.Object, folder string) []string {
	var names []string
	for _, o := range list {
		name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, folderPrefix(folder)), "/")
		if rest != "" && keptName.MatchString(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// orderForRemoval puts manifests first: a backup that is removed in part is none.
func orderForRemoval(list []blob.Object) []blob.Object {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b blob.Object) int { return rank(a) - rank(b) })
	return out
}

func rank(o blob.Object) int {
	if path.Base(o.Key) == manifestName {
		return 0
	}
	return 1
}

// pruner removes what backups do not need.
type pruner struct {
	store    blob.Store
	warnings []string
}

// needed returns the digests of the objects that backups name; false says that one of
// them cannot be read.
func (p *pruner) needed(ctx context.Context, folder string, stay map[string]bool) (map[string]bool, bool) {
	needed, whole := map[string]bool{}, true
	for name := range stay {
		m, _, err := BackupPlace{Store: p.store, Folder: blob.Join(folder, name), Shared: true}.ReadManifest(ctx)
		switch {
		case errors.Is(err, ErrNoBackup): // never finished, or a damaged state
		case err != nil:
			whole = false
		default:
			for _, o := range m.Objects {
				needed[o.Digest] = true
			}
		}
	}
	return needed, whole
}

func (p *pruner) remove(ctx context.Context, key string) {
	if err := p.store.Delete(ctx, key, blob.Cond{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.warnings = append(p.warnings, fmt.Sprintf("an older backup of the state stays: %v", err))
	}
	_ = p.store.Prune(ctx, blob.Dir(key), "")
}

// heldInBackups warns of backups when a mask was added.
func heldInBackups(folder string, names []string) error {
	return fmt.Errorf("the backups in %s still hold plain values that a mask hides by now: remove them by hand (%s)", folder, strings.Join(names, ", "))
}

// warnOfBackups warns when a mask was added and the state keeps backups of itself.
func (l *localLock) warnOfBackups() {
	list, err := os.ReadDir(l.store.backupsDir())
	var names []string
	for _, d := range list {
		names = append(names, d.Name())
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		l.warnings = append(l.warnings, fmt.Sprintf("whether %s holds plain values that a mask hides by now cannot be seen: %v", l.store.backupsDir(), err))
	case len(names) > 0:
		l.warnings = append(l.warnings, heldInBackups(l.store.backupsDir(), names).Error())
	}
}
