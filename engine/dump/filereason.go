package dump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"reconcile/internal/blob"
)

// FileReason says why a part file cannot be used.
func FileReason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "the manifest lists this file, but it is not there"
	}
	return err.Error()
}

// FileReason says why a part file cannot be used. Where it is not there under its name, it
// also looks for the names that tools make of that which encode or decode them.
func (s *Source) FileReason(ctx context.Context, key string, err error) string {
	reason := FileReason(err)
	if !errors.Is(err, fs.ErrNotExist) {
		return reason
	}
	for _, other := range recoded(key) {
		if _, err := s.store.Stat(ctx, other); err == nil {
			return fmt.Sprintf("%s; there is %s, which is the same name encoded or decoded: names are taken as the manifest writes them, so copy the file under the name that it lists", reason, abbreviate(other))
		}
	}
	if decoded, err := url.PathUnescape(key); err == nil && decoded != key {
		reason += "; what looks encoded in its name is part of the name: names are taken as the manifest writes them"
	}
	return reason
}

// recoded lists what becomes of a key where a tool decodes it once too often, or encodes it
// and leaves it so.
func recoded(key string) []string {
	var out []string
	add := func(other string, err error) {
		if err == nil && other != key && !slices.Contains(out, other) && blob.CheckKey(other) == nil {
			out = append(out, other)
		}
	}
	encode := func(escape func(string) string) string {
		parts := strings.Split(key, "/")
		for i, p := range parts {
			parts[i] = escape(p)
		}
		return strings.Join(parts, "/")
	}
	add(url.PathUnescape(key))
	add(url.QueryUnescape(key)) // a plus is a blank, too
	add(encode(url.PathEscape), nil)
	add(encode(url.QueryEscape), nil)
	add(encode(func(p string) string { return strings.ReplaceAll(url.QueryEscape(p), "+", "%20") }), nil)
	return out
}
