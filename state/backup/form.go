package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/kv"
)

const (
	manifestName  = "backup.json"
	sharedObjects = "../objects"
	backupObjects = "objects"
	backupFiles   = "state"
	backupFormat  = 1
	maxManifest   = 1 << 30
)

// Place is where a backup lies.
type Place struct {
	Store  blob.Store
	Folder string // of the backup, below the store's root; empty for the root
	Shared bool   // its objects lie in the folder beside it
}

// String is what messages call it.
func (p Place) String() string {
	if p.Folder == "" {
		return p.Store.Root()
	}
	return p.Store.Root() + "/" + p.Folder
}

func (p Place) key(name string) string { return blob.Join(p.Folder, name) }

// objects is the folder of the objects.
func (p Place) objects() string {
	if p.Shared {
		return blob.Join(blob.Dir(p.Folder), backupObjects)
	}
	return p.key(backupObjects)
}

func (p Place) objectKey(digest string) string { return p.objects() + "/" + digest }

// Manifest says what a backup holds.
type Manifest struct {
	Format  int              `json:"format"`
	Lineage string           `json:"lineage"`
	Serial  uint64           `json:"serial"`
	Program string           `json:"program"` // that made the backup
	Time    time.Time        `json:"time"`    // when that began
	File    StateFile        `json:"file"`
	Folder  string           `json:"objects_folder"`
	Objects []ManifestObject `json:"objects"` // by digest
	// Lacks names the objects that the state itself lacked, or had damaged.
	Lacks []string `json:"lacks,omitempty"`
}

// StateFile is the state's file in a backup.
type StateFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest string `json:"sha256"`
}

// ManifestObject is an object in a backup.
type ManifestObject struct {
	Digest string `json:"sha256"`
	Size   int64  `json:"size"`
	// Pin is the store's of what was written and proved. It may differ where the backup
	// was copied.
	Pin string `json:"pin,omitempty"`
}

// ErrNone says that there is no whole backup at a place.
var ErrNone = errors.New("there is no backup of a state, or none that was finished")

// Error says that a backup is not what was written.
type Error struct {
	Place  string // of the backup
	Key    string // of what is wrong, below it
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("the backup %s is damaged: %s %s; nothing was changed", e.Place, e.Key, e.Reason)
}

// Is reports whether target is state.ErrDamaged.
func (e *Error) Is(target error) bool { return target == state.ErrDamaged }

func (p Place) damaged(key, format string, args ...any) error {
	return &Error{Place: p.String(), Key: key, Reason: fmt.Sprintf(format, args...)}
}

// ReadManifest reads what a backup holds, and the pin of that. It fails with ErrNone
// where there is none.
func (p Place) ReadManifest(ctx context.Context) (*Manifest, string, error) {
	data, o, err := blob.ReadAll(ctx, p.Store, p.key(manifestName), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s: %w", p, ErrNone)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read backup %s: %w", p, err)
	}
	var head struct {
		Format int `json:"format"`
	}
	m := &Manifest{}
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return nil, o.Pin, p.damaged(manifestName, "is no JSON: %v", err)
	case head.Format > backupFormat:
		return nil, o.Pin, fmt.Errorf("the backup %s has format %d, and this version of reconcile reads up to format %d: use the version that wrote it, or a later one", p, head.Format, backupFormat)
	}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, o.Pin, p.damaged(manifestName, "cannot be read: %v", err)
	}
	return m, o.Pin, m.check(p)
}

// check checks that names in a manifest are such as were ever written.
func (m *Manifest) check(p Place) error {
	if m.Format < 1 || !kv.ValidLineage(m.Lineage) || m.Serial == 0 || !kv.ValidDigest(m.File.Digest) || m.File.Name != stateFileName(m.File.Digest) || m.File.Size < 0 {
		return p.damaged(manifestName, "does not say what the backup is")
	}
	if m.Folder != backupObjects && m.Folder != sharedObjects {
		return p.damaged(manifestName, "says that objects lie in %q", m.Folder)
	}
	for _, o := range m.Objects {
		if !kv.ValidDigest(o.Digest) || o.Size < 0 {
			return p.damaged(manifestName, "names the object %q", o.Digest)
		}
	}
	return nil
}

// InShared reports whether the objects lie in the folder beside the backup.
func (m *Manifest) InShared() bool { return m.Folder == sharedObjects }

func stateFileName(digest string) string { return backupFiles + "/" + digest + ".db" }

func (m *Manifest) encode() ([]byte, error) {
	slices.SortFunc(m.Objects, func(a, b ManifestObject) int { return strings.Compare(a.Digest, b.Digest) })
	slices.Sort(m.Lacks)
	data, err := json.MarshalIndent(m, "", " ")
	return append(data, '\n'), err
}
