package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"reconcile/internal/definition"
)

// settings are what of a configuration decides what an apply does, beside the definitions
// of its tables.
type settings struct {
	State      string
	Source     Source
	Sinks      []Sink
	OnConflict string
	Skips      []Skip
	Ignores    []string
	Removed    []Removed
	Moves      []Move
}

// Digest identifies what a configuration says, beside the definitions of its tables, which
// plans compare one by one: the source and what is left out of it, the sinks, and what
// becomes of tables that it does not have. It is a lower-case hex SHA-256. Comments and
// layout do not matter, nor does the folder in which the configuration lies, nor memory,
// caches and scratch space, nor by whose rights buckets are reached. No secret enters it.
func (c *Config) Digest() (string, error) {
	s := settings{State: c.relative(c.StatePath), Source: c.Source, OnConflict: c.OnConflict, Ignores: c.Ignores, Removed: c.Removed}
	s.Source.Path, s.Source.S3 = c.relative(c.Source.Path), c.Source.S3.withoutAccess()
	for _, k := range c.Sinks {
		s.Sinks = append(s.Sinks, Sink{Sink: definition.Sink{Kind: k.Kind, Path: c.relative(k.Path), Compression: k.Compression, Encodings: k.Encodings}, S3: k.S3.withoutAccess(), Shared: k.Shared})
	}
	for _, k := range c.Skips {
		s.Skips = append(s.Skips, Skip{Dump: k.Dump, Tables: k.Tables})
	}
	for _, m := range c.Moves {
		s.Moves = append(s.Moves, Move{From: c.relative(m.From), To: c.relative(m.To)})
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("digest of the configuration: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Near names places below the configuration's folder from there, wherever in a text they
// stand.
func (c *Config) Near(text string) string {
	return strings.ReplaceAll(text, c.Dir+string(filepath.Separator), "./")
}

// relative names a place below the configuration's folder from there.
func (c *Config) relative(place string) string {
	if rest, ok := strings.CutPrefix(place, c.Dir+string(filepath.Separator)); ok {
		return "./" + filepath.ToSlash(rest)
	}
	return place
}

// withoutAccess is the bucket without by whose rights it is reached.
func (s *S3) withoutAccess() *S3 {
	if s == nil {
		return nil
	}
	out := *s
	out.Profile, out.RoleARN, out.ExternalID, out.SessionName = "", "", "", ""
	return &out
}
