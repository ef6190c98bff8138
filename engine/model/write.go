package model

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const bucket = "csq-rs3-test"

// Write puts the dump into the export in folder dir as the vendor does: its
// part files, with their faults, then its manifest.
func (d *Dump) Write(dir string) error {
	if err := d.WriteFiles(dir); err != nil {
		return err
	}
	return d.WriteManifest(dir)
}

// WriteFiles puts only the part files there: a dump that does not exist yet.
func (d *Dump) WriteFiles(dir string) error {
	for _, e := range d.Entries {
		for _, f := range e.Files {
			if err := f.write(dir); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(filepath.Join(dir, "manifests"), 0o777)
}

// ManifestKey returns the key of the dump's manifest.
func (d *Dump) ManifestKey() string {
	if d.Manifest != "" {
		return "manifests/" + d.Manifest
	}
	return fmt.Sprintf("manifests/sync_%d.json", d.ID)
}

// WriteManifest puts only the manifest there, in one step.
func (d *Dump) WriteManifest(dir string) error {
	type table struct {
		Name        string    `json:"name"`
		Files       []string  `json:"files"`
		Columns     *[]string `json:"columns,omitempty"`
		Incremental *bool     `json:"incremental,omitempty"`
	}
	var m struct {
		DumpID any     `json:"dump_id"`
		Tables []table `json:"tables"`
	}
	m.DumpID, m.Tables = d.ID, []table{}
	if d.TextID {
		m.DumpID = strconv.FormatInt(d.ID, 10)
	}
	for _, e := range d.Entries {
		t := table{Name: e.Table, Files: []string{}, Incremental: e.Incremental}
		if e.Columns != nil {
			t.Columns = &e.Columns
		}
		for _, f := range e.Files {
			t.Files = append(t.Files, f.URL())
		}
		m.Tables = append(m.Tables, t)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the manifest of dump %d: %w", d.ID, err)
	}
	return put(dir, d.ManifestKey(), text)
}

// URL is how manifests name the file.
func (f *File) URL() string { return "s3://" + bucket + "/" + f.Key }

// Heal mends the dump's files, in memory and in the export in folder dir.
func (d *Dump) Heal(dir string) error {
	for _, e := range d.Entries {
		for _, f := range e.Files {
			if f.Fault == None {
				continue
			}
			f.Fault = None
			if err := f.write(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// write puts the file, or what its fault left of it, into an export.
func (f *File) write(dir string) error {
	data, err := f.keyless().encode()
	if err != nil {
		return err
	}
	if f.Fault == Missing {
		return os.MkdirAll(filepath.Dir(filepath.Join(dir, filepath.FromSlash(f.Key))), 0o777)
	}
	return put(dir, f.Key, f.spoil(data))
}

// keyless is the file as its fault Keyless leaves it: its users have a name that
// nobody means.
func (f *File) keyless() *File {
	if f.Fault != Keyless || len(f.Rows) == 0 {
		return f
	}
	c := *f
	c.Fields = slices.Clone(f.Fields)
	for i, fd := range c.Fields {
		if fd.Name == "user_id" || fd.Name == "from_user_id" {
			c.Fields[i].Name = strings.ToUpper(fd.Name[:2]) + fd.Name[2:]
		}
	}
	return &c
}

// spoil does to the bytes what the fault says, so that every reader must see
// it: a file never ends between two blocks.
func (f *File) spoil(data []byte) []byte {
	odd := len(data)%2 == 1
	switch {
	case f.Fault == Truncated && odd:
		return data[:len(data)-17] // in the data of the last block
	case f.Fault == Truncated:
		return data[:len(data)-8] // in a sync marker
	case len(f.present()) == 0 && (f.Fault == Damaged || f.Fault == Keyless):
		data[0] ^= 0xff // the magic bytes
	case f.Fault == Damaged && f.Codec == "snappy" && odd:
		data[len(data)-17] ^= 0xff // the checksum of the last block
	case f.Fault == Damaged:
		data[len(data)-1] ^= 0xff // the last sync marker
	}
	return data
}

// put writes a file in one step, as an object store does.
func put(dir, key string, data []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("write %s into the export: %w", key, err)
	}
	if err := os.WriteFile(path+".tmp", data, 0o666); err != nil {
		return fmt.Errorf("write %s into the export: %w", key, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write %s into the export: %w", key, err)
	}
	return nil
}

// Write puts all dumps into the export in folder dir.
func (w *World) Write(dir string) error {
	for _, d := range w.Dumps {
		if err := d.Write(dir); err != nil {
			return err
		}
	}
	return nil
}
