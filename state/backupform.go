package state

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
)

// A backup is a folder, here or in a bucket, in the same form of every kind of state:
//
//	backup.json          what it holds: written last, so that nothing counts before
//	state/<sha256>.db    the state, in the form of a local one
//	objects/<sha256>     its bulky objects
//
// Backups that a state keeps of itself share the objects: there they lie in ../objects.

const (
	manifestName  = "backup.json"
	sharedObjects = "../objects"
	backupObjects = "objects"
	backupFiles   = "state"
	backupFormat  = 1
	maxManifest   = 1 << 30
)

// BackupPlace is where a backup lies.
type BackupPlace struct {
	Store  blob.Store
	Folder string // of the backup, below the store's root; empty for the root
	Shared bool   // its objects lie in the folder beside it
}

// String is what messages call it.
func (p BackupPlace) String() string {
	if p.Folder == "" {
		return p.Store.Root()
	}
	return p.Store.Root() + "/" + p.Folder
}

func (p BackupPlace) key(name string) string { return blob.Join(p.Folder, name) }

// objects is the folder of the objects.
func (p BackupPlace) objects() string {
	if p.Shared {
		return blob.Join(blob.Dir(p.Folder), backupObjects)
	}
	return p.key(backupObjects)
}

func (p BackupPlace) objectKey(digest string) string { return p.objects() + "/" + digest }

// BackupManifest says what a backup holds.
type BackupManifest struct {
	Format  int            `json:"format"`
	Lineage string         `json:"lineage"`
	Serial  uint64         `json:"serial"`
	Program string         `json:"program"` // that made the backup
	Time    time.Time      `json:"time"`    // when that began
	File    BackupFile     `json:"file"`
	Folder  string         `json:"objects_folder"`
	Objects []BackupObject `json:"objects"` // by digest
	// Lacks names the objects that the state itself lacked, or had damaged.
	Lacks []string `json:"lacks,omitempty"`
}

// BackupFile is the state's file in a backup.
type BackupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest string `json:"sha256"`
}

// BackupObject is an object in a backup.
type BackupObject struct {
	Digest string `json:"sha256"`
	Size   int64  `json:"size"`
	// Pin is the store's of what was written and proved. It may differ where the backup
	// was copied.
	Pin string `json:"pin,omitempty"`
}

// ErrNoBackup says that there is no whole backup at a place.
var ErrNoBackup = errors.New("there is no backup of a state, or none that was finished")

// BackupError says that a backup is not what was written.
type BackupError struct {
	Place  string // of the backup
	Key    string // of what is wrong, below it
	Reason string
}

func (e *BackupError) Error() string {
	return fmt.Sprintf("the backup %s is damaged: %s %s; nothing was changed", e.Place, e.Key, e.Reason)
}

// Is reports whether target is ErrDamaged.
func (e *BackupError) Is(target error) bool { return target == ErrDamaged }

func (p BackupPlace) damaged(key, format string, args ...any) error {
	return &BackupError{Place: p.String(), Key: key, Reason: fmt.Sprintf(format, args...)}
}

// ReadManifest reads what a backup holds, and the pin of that. It fails with ErrNoBackup
// where there is none.
func (p BackupPlace) ReadManifest(ctx context.Context) (*BackupManifest, string, error) {
	data, o, err := blob.ReadAll(ctx, p.Store, p.key(manifestName), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s: %w", p, ErrNoBackup)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read backup %s: %w", p, err)
	}
	var head struct {
		Format int `json:"format"`
	}
	m := &BackupManifest{}
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

// check sees that names in a manifest are such as were ever written.
func (m *BackupManifest) check(p BackupPlace) error {
	if m.Format < 1 || !validLineage(m.Lineage) || m.Serial == 0 || !validDigest(m.File.Digest) || m.File.Name != stateFileName(m.File.Digest) || m.File.Size < 0 {
		return p.damaged(manifestName, "does not say what the backup is")
	}
	if m.Folder != backupObjects && m.Folder != sharedObjects {
		return p.damaged(manifestName, "says that objects lie in %q", m.Folder)
	}
	for _, o := range m.Objects {
		if !validDigest(o.Digest) || o.Size < 0 {
			return p.damaged(manifestName, "names the object %q", o.Digest)
		}
	}
	return nil
}

// InShared reports whether the objects lie in the folder beside the backup.
func (m *BackupManifest) InShared() bool { return m.Folder == sharedObjects }

func stateFileName(digest string) string { return backupFiles + "/" + digest + ".db" }

func (m *BackupManifest) encode() ([]byte, error) {
	slices.SortFunc(m.Objects, func(a, b BackupObject) int { return strings.Compare(a.Digest, b.Digest) })
	slices.Sort(m.Lacks)
	data, err := json.MarshalIndent(m, "", " ")
	return append(data, '\n'), err
}
