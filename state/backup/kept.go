package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/kv"
)

// keptBackups is how many backups a state keeps of itself.
const keptBackups = 10

// BeforeChange backs the state up to where it keeps such backups, before it is
// changed otherwise than by an apply; the newest ten stay. The caller holds the lock. Of
// a state that cannot be read, a local one's file is put there as it is. The result is
// nil where there is nothing to keep. Its Place is what people are told.
func BeforeChange(ctx context.Context, s *state.Store) (*Result, error) {
	store, folder, err := s.KeptBackups(true)
	if err != nil {
		return nil, fmt.Errorf("back up state %s: %w", s.Place(), err)
	}
	stamp := time.Now().UTC().Format("20060102T150405.000Z")
	serial, err := s.Serial(ctx)
	if err == nil && serial == 0 {
		return nil, nil
	}
	var res *Result
	if err == nil {
		to := Place{Store: store, Folder: blob.Join(folder, fmt.Sprintf("%s-%d", stamp, serial)), Shared: true}
		res, err = makeTo(ctx, s, to, options{trust: true, lenient: true, known: newestKept(ctx, store, folder)})
	}
	if errors.Is(err, state.ErrDamaged) {
		place, err := s.SetAside(stamp)
		if err != nil || place == "" {
			return nil, err
		}
		return &Result{Place: place, Warnings: []string{"the state is damaged, and its file was kept as it is"}}, nil
	}
	if err != nil {
		return nil, err
	}
	res.Warnings = append(res.Warnings, removeOldBackups(ctx, store, folder, path.Base(res.Place))...)
	return res, nil
}

// newestKept returns what the newest backup that can be read has.
func newestKept(ctx context.Context, store blob.Store, folder string) []ManifestObject {
	list, err := store.List(ctx, folder)
	if err != nil {
		return nil
	}
	for _, name := range slices.Backward(namesIn(list, folder)) {
		m, _, err := Place{Store: store, Folder: blob.Join(folder, name), Shared: true}.ReadManifest(ctx)
		if err == nil {
			return m.Objects
		}
	}
	return nil
}

// removeOldBackups removes the backups above the number that stay, but not one, and what none
// that stays names. It returns what went wrong.
func removeOldBackups(ctx context.Context, store blob.Store, folder, but string) []string {
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
	p := &remover{store: store}
	needed, whole := p.needed(ctx, folder, stay)
	for _, o := range orderForRemoval(list) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, folderPrefix(folder)), "/")
		switch {
		case name == backupObjects && whole && kv.ValidDigest(rest) && !needed[rest]:
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

// remover removes what backups do not need.
type remover struct {
	store    blob.Store
	warnings []string
}

// needed returns the digests of the objects that backups name; false says that one of
// them cannot be read.
func (p *remover) needed(ctx context.Context, folder string, stay map[string]bool) (map[string]bool, bool) {
	needed, whole := map[string]bool{}, true
	for name := range stay {
		m, _, err := Place{Store: p.store, Folder: blob.Join(folder, name), Shared: true}.ReadManifest(ctx)
		switch {
		case errors.Is(err, ErrNone): // never finished, or a damaged state
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

func (p *remover) remove(ctx context.Context, key string) {
	if err := p.store.Delete(ctx, key, blob.Cond{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.warnings = append(p.warnings, fmt.Sprintf("an older backup of the state stays: %v", err))
	}
	_ = p.store.RemoveEmptyFolders(ctx, blob.Dir(key), "")
}
