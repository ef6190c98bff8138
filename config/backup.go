package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Place is a folder, here or in a bucket.
type Place struct {
	Path string // absolute, or a URL
	S3   *S3    // bucket and prefix only; nil of a folder here
}

// BackupPlace reads where a backup of the state lies: "s3://bucket/prefix", or a folder,
// relative to that of the configuration. It is an error if others than backups lie there.
func (c *Config) BackupPlace(text string) (Place, error) {
	p, err := c.ParsePlace(text)
	if err != nil {
		return Place{}, err
	}
	if other := c.sharesWith(p.Path); other != "" {
		return Place{}, fmt.Errorf("%q lies in %s: name a folder for backups alone", text, other)
	}
	return p, nil
}

// ParsePlace reads "s3://bucket/prefix", or a folder, relative to that of the
// configuration.
func (c *Config) ParsePlace(text string) (Place, error) {
	scheme, isURL := urlScheme(text)
	switch {
	case text == "" || strings.ContainsRune(text, 0):
		return Place{}, fmt.Errorf("%q is neither a folder nor \"s3://bucket/prefix\"", text)
	case !isURL && filepath.IsAbs(text):
		return Place{Path: Resolve(filepath.Clean(text))}, nil
	case !isURL:
		return Place{Path: Resolve(filepath.Join(c.Dir, text))}, nil
	case scheme != "s3":
		return Place{}, fmt.Errorf("%q is neither a folder nor \"s3://bucket/prefix\"", text)
	}
	bucket, prefix, _ := strings.Cut(text[len("s3://"):], "/")
	prefix = strings.Trim(prefix, "/")
	bad := slices.ContainsFunc(strings.Split(prefix, "/"), func(part string) bool {
		return prefix != "" && (part == "" || part == "." || part == "..")
	})
	if bad || !bucketName.MatchString(bucket) && !strings.HasPrefix(bucket, "arn:") {
		return Place{}, fmt.Errorf("%q does not name a folder in a bucket, as in \"s3://bucket/backups\"", text)
	}
	s3 := &S3{Bucket: bucket, Prefix: prefix}
	return Place{Path: s3.URL(), S3: s3}, nil
}

// sharesWith names what a place for backups lies in; empty if it is one for backups
// alone. Backups that the state keeps of itself are not such a place.
func (c *Config) sharesWith(p string) string {
	in := func(folder string) bool { return p == folder || within(p, folder) }
	for _, s := range c.Sinks {
		if p == s.Path || within(p, s.Path) && !strings.HasPrefix(firstBelow(s.Path, p), ".") {
			return s.Address()
		}
	}
	switch {
	case in(c.Source.Path):
		return "the source"
	case c.StateS3 != nil && in(c.StatePath):
		return "the folder of the state"
	case c.StateS3 == nil && (p == filepath.Dir(c.StatePath) || in(c.StatePath) || in(c.StatePath+".objects") || in(c.StatePath+".backups")):
		return "the folder of the state"
	case in(c.ScratchDir):
		return "scratch_dir"
	}
	return ""
}

// loadBackup reads where an apply backs the state up to.
func (l *loader) loadBackup(a *hcl.Attribute) {
	if s := l.str(a, true); s != nil {
		l.backup = s
	}
}

// checkBackup judges that when all other places are known.
func (l *loader) checkBackup() {
	if l.backup == nil {
		return
	}
	p, err := l.cfg.BackupPlace(l.backup.value)
	if err != nil {
		l.add(errorAt(l.backup.rng, "Invalid place for backups", "%s.", err))
		return
	}
	l.cfg.Backup = &p
}
