package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/sinks"
)

// currentVersion is the version of current.json that this program writes, and
// the newest that it reads.
const currentVersion = 1

// maxCurrent is the size from which current.json is taken to be damaged.
const maxCurrent = 64 << 20

// Current reads current.json. Fields that it does not know are ignored.
func (s *sink) Current(ctx context.Context) (c *sinks.Current, version string, err error) {
	h, err := s.open(ctx, current)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer h.Close()
	data, err := blob.ReadWhole(h, maxCurrent)
	if err != nil {
		return nil, "", err
	}
	c, err = parseCurrent(data, s.place(current))
	return c, h.Object().Pin, err
}

// parseCurrent reads what a file holds.
func parseCurrent(data []byte, file string) (*sinks.Current, error) {
	c := &sinks.Current{}
	if err := json.Unmarshal(data, c); err != nil || c.Version != currentVersion {
		// A newer version may change what the rest looks like.
		var v struct {
			Version int `json:"version"`
		}
		verr := json.Unmarshal(data, &v)
		switch {
		case verr != nil:
			return nil, damaged(file, verr.Error())
		case v.Version < 1:
			return nil, damaged(file, "it has no version")
		case v.Version > currentVersion:
			return nil, fmt.Errorf("%s has version %d; this program reads version %d: a newer reconcile is needed",
				file, v.Version, currentVersion)
		}
		return nil, damaged(file, err.Error())
	}
	if c.Lineage == "" {
		return nil, damaged(file, "it names no lineage")
	}
	return c, nil
}

func damaged(file, why string) error {
	return fmt.Errorf("%s is %w: %s", file, sinks.ErrCurrentDamaged, why)
}

// over is the condition that a version of current.json is there.
func over(version string) blob.Cond {
	switch version {
	case "":
		return blob.Absent()
	case sinks.AnyVersion:
		return blob.Cond{}
	}
	return blob.Match(version)
}

// SetCurrent replaces current.json. Version 0 stands for the present one.
func (s *sink) SetCurrent(ctx context.Context, c *sinks.Current, version string) (now string, err error) {
	switch {
	case c.Version != 0 && c.Version != currentVersion:
		return "", fmt.Errorf("write current.json: version %d is not %d", c.Version, currentVersion)
	case c.Lineage == "":
		return "", errors.New("write current.json: no lineage")
	}
	s.own.Lock()
	defer s.own.Unlock()
	data, err := s.form.text(sinks.Current{Version: currentVersion, Lineage: c.Lineage, State: c.State, Writes: c.Writes + 1, Tables: c.Tables})
	if err != nil {
		return "", fmt.Errorf("write current.json: %w", err)
	}
	obj, err := blob.Put(ctx, s.store, current, data, over(version))
	if errors.Is(err, blob.ErrConflict) {
		return "", fmt.Errorf("write %s: %w (%w)", s.place(current), sinks.ErrCurrentChanged, err)
	}
	return obj.Pin, s.class(err)
}
