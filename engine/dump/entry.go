package dump

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/feed"
	"reconcile/internal/textlist"
)

// Entry is what a dump says of one table.
type Entry struct {
	Name        string
	Incremental bool
	Columns     []string // as listed, in their order; meaningful with HasColumns
	HasColumns  bool     // false: the union of the writer schemas
	Fields      []string // of its files, where a plan had to look for them there; else nil
	// Files are the keys of its part files, in the order of the manifest; one listed twice is
	// there twice.
	Files textlist.List
	// Digest is the lower-case hex SHA-256 of the entry's meaning: name,
	// incremental, columns and the keys of the files.
	Digest string
	// Problem, if not empty, says why the table is held from this dump on.
	Problem string

	listed []string // Files while the manifest is read; slices of it
}

// hold notes why the table is held; the first reason stands.
func (e *Entry) hold(format string, args ...any) {
	if e.Problem == "" {
		e.Problem = fmt.Sprintf(format, args...)
	}
}

// holdColumns notes that a table has too many columns. Nothing is known then of which it
// has.
func (e *Entry) holdColumns(n int) {
	e.hold("the manifest lists %s columns for it, and a table may have %s", amount.Number(n), amount.Number(feed.MostColumns))
	e.Columns, e.HasColumns = nil, false
}

// entryReader reads the entries of a manifest's tables, one after another.
type entryReader struct {
	m       *manifest
	p       *scanner
	e       *Entry
	seen    member
	flagged bool     // incremental is a boolean
	files   []string // up to MostFiles
	columns []string // up to feed.MostColumns
	listed  int      // columns that there are
	given   int      // files that there are
}

func (r *entryReader) read(e *Entry) error {
	r.e, r.seen, r.flagged = e, 0, false
	if err := r.p.object(r.member); err != nil {
		return err
	}
	r.complete()
	return nil
}

func (r *entryReader) member(name string) error {
	var is member
	var read func() error
	switch name {
	case "name":
		is, read = memberName, r.readName
	case "files":
		is, read = memberFiles, r.readFiles
	case "columns":
		is, read = memberColumns, r.readColumns
	case "incremental":
		is, read = memberIncremental, r.readIncremental
	default:
		return r.p.skip()
	}
	if !r.seen.add(is) {
		if is == memberName {
			r.m.faultOf("", " says name twice")
		}
		r.e.hold("the manifest says its %s twice", name)
		return r.p.skip()
	}
	return read()
}

// complete judges what was not there.
func (r *entryReader) complete() {
	if r.e.Name == "" {
		r.m.faultOf("", " has no name")
	}
	if r.seen.add(memberFiles) {
		r.e.hold("the manifest lists no files for it, not even an empty list")
	}
	// The mapping is complete each time it appears: its incremental means nothing.
	if !r.flagged && r.e.Name != feed.TableMapping {
		r.e.hold("the manifest does not say, by true or false without quotes, whether it is incremental")
	}
}

func (r *entryReader) readName() (err error) {
	if r.p.peek() != '"' {
		return r.p.skip()
	}
	r.e.Name, err = r.p.text()
	return err
}

func (r *entryReader) readIncremental() error {
	switch r.p.peek() {
	case 't':
		r.e.Incremental, r.flagged = true, true
		return r.p.literal("true")
	case 'f':
		r.flagged = true
		return r.p.literal("false")
	}
	return r.p.skip()
}

func (r *entryReader) readColumns() error {
	switch r.p.peek() {
	case '[':
		r.e.HasColumns = true
	case 'n':
		return r.p.literal("null")
	default:
		r.e.hold("its columns in the manifest are not a list")
		return r.p.skip()
	}
	start := r.p.i
	if known, ok := r.m.lists.follow(r.e.Name, r.p.s[start:]); ok {
		r.p.i += len(known.text)
		r.e.Columns = known.names
		return nil
	}
	r.columns, r.listed = r.columns[:0], 0
	err := r.p.array(r.column)
	if r.listed > feed.MostColumns {
		r.e.holdColumns(r.listed)
		return err
	}
	r.e.Columns = cloneAll(r.columns)
	if err == nil && r.e.Problem == "" {
		r.m.lists.keep(strings.Clone(r.e.Name), columnList{strings.Clone(r.p.s[start:r.p.i]), r.e.Columns})
	}
	return err
}

// cloneAll returns texts that share nothing with those that are given: a slice of a
// manifest would keep all of it in memory.
func cloneAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = strings.Clone(t)
	}
	return out
}

func (r *entryReader) column() error {
	if r.p.peek() != '"' {
		r.e.hold("its columns in the manifest are not all names")
		return r.p.skip()
	}
	c, err := r.p.text()
	if err != nil {
		return err
	}
	if c == "" {
		r.e.hold("a column in the manifest has an empty name")
		return nil
	}
	if strings.Contains(c, "\x00") {
		r.e.hold("the column %s in the manifest has a NUL in its name", abbreviate(c))
		return nil
	}
	if r.listed++; r.listed <= feed.MostColumns {
		r.columns = append(r.columns, c)
	}
	return nil
}

func (r *entryReader) readFiles() error {
	if r.p.peek() != '[' {
		r.e.hold("its files in the manifest are not a list")
		return r.p.skip()
	}
	r.files, r.given = r.files[:0], 0
	err := r.p.array(r.file)
	if r.given > MostFiles {
		r.e.hold("the manifest lists %s files for it, and at most %s are read", amount.Number(r.given), amount.Number(MostFiles))
		return err
	}
	r.e.listed = slices.Clone(r.files)
	return err
}

func (r *entryReader) file() error {
	if r.p.peek() != '"' {
		r.e.hold("its files in the manifest are not all addresses")
		return r.p.skip()
	}
	url, err := r.p.text()
	if err != nil {
		return err
	}
	key, err := r.m.at.key(url)
	if err != nil {
		r.m.faultOf("a file of ", " "+err.Error())
		return nil
	}
	if r.given++; r.given <= MostFiles {
		r.files = append(r.files, key)
	}
	return nil
}

// addresses says what the addresses in a manifest mean.
type addresses struct {
	bucket string // the only one that they may name; empty for any
	prefix string // folder of the export where it was made
	// literal says that keys are names without folders, as on S3: a mirror of them
	// has the empty names left out.
	literal bool
}

// key returns the key of an address: s3://bucket/key means the key under the
// source, and anything else is such a key itself. The prefix is taken off; keys that
// lack it are kept. Nothing is decoded.
func (a addresses) key(url string) (string, error) {
	key := url
	if scheme, rest, ok := strings.Cut(url, "://"); ok && isScheme(scheme) {
		switch strings.ToLower(scheme) {
		case "s3", "s3a", "s3n":
		default:
			return "", fmt.Errorf("has the address %s, which is not on S3", abbreviate(url))
		}
		var bucket string
		bucket, key, _ = strings.Cut(rest, "/")
		if bucket == "" || key == "" {
			return "", fmt.Errorf("has the address %s, which lacks a bucket or a key", abbreviate(url))
		}
		if a.bucket != "" && bucket != a.bucket {
			return "", fmt.Errorf("has the address %s, which is not in the bucket %s (manifest_bucket = %q would allow it)", abbreviate(url), a.bucket, bucket)
		}
	}
	check := blob.CheckLiteralKey
	if !a.literal {
		check = blob.CheckKey
		if key != url { // a key of S3 is relative
			key = strings.TrimLeft(key, "/")
		}
		for strings.Contains(key, "//") {
			key = strings.ReplaceAll(key, "//", "/")
		}
	}
	if a.prefix != "" {
		key = strings.TrimPrefix(key, a.prefix+"/")
	}
	if err := check(key); err != nil {
		return "", fmt.Errorf("has the address %s, which is never read: %s", abbreviate(url), err.(*blob.KeyError).Reason)
	}
	return key, nil
}

func isScheme(s string) bool {
	for _, c := range []byte(s) {
		alpha := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alpha && (c < '0' || c > '9') && c != '+' && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}
