package blob

import (
	"fmt"
	"path/filepath"
	"strings"
)

// KeyError reports a key that no store takes, among them every key that climbs
// out of the root.
type KeyError struct {
	Key    string
	Reason string
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %q: %s", e.Key, e.Reason) }

// CheckKey reports with a *KeyError whether key can name an object. A key is a
// list of non-empty names with slashes between them; "." and ".." are not names,
// and NUL is nowhere in one.
func CheckKey(key string) error {
	if key != "" && key[0] == '/' {
		return &KeyError{key, "it is absolute"}
	}
	if err := CheckLiteralKey(key); err != nil {
		return err
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" {
			return &KeyError{key, "one of its names is empty"}
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(key)) {
		return &KeyError{key, "it names something outside of the folder"}
	}
	return nil
}

// CheckLiteralKey is CheckKey for stores that have no folders, in which others may
// have given empty names: S3 has a key "a//b" beside "a/b", and one "/a" beside "a".
func CheckLiteralKey(key string) error {
	switch {
	case key == "":
		return &KeyError{key, "it is empty"}
	case strings.IndexByte(key, 0) >= 0:
		return &KeyError{key, "it holds a NUL byte"}
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "." || name == ".." {
			return &KeyError{key, fmt.Sprintf("%q would lead elsewhere", name)}
		}
	}
	return nil
}

// CheckPrefix is CheckKey for a folder, where the empty key is the root.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(prefix)
}

// Under reports whether key lies at or below prefix, in whole names.
func Under(key, prefix string) bool {
	if prefix == "" || key == prefix {
		return true
	}
	return strings.HasPrefix(key, prefix) && key[len(prefix)] == '/'
}

// Dir returns the folder of a key, empty for the root.
func Dir(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i]
	}
	return ""
}

// Join puts a key below a prefix, which may be empty.
func Join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "/" + key
}
