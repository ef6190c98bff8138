package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// placedPath is a folder or file of the configuration.
type placedPath struct {
	what    string // "source", "state", "scratch_dir", movedPath or a sink's address
	sink    bool
	shared  bool // of a sink: every machine sees its folder
	written string
	abs     string
	s3      *S3 // nil when it is on this machine
	rng     hcl.Range
}

// movedPath is a path of a moved block, which is that of a sink.
const movedPath = "moved"

// insteadOf says what to write for an address that is no place of what is asked for.
func insteadOf(scheme, address, what string) string {
	inS3 := slices.Contains([]string{"s3", "s3a", "s3n"}, scheme)
	_, rest, _ := strings.Cut(address, "://")
	switch {
	case inS3 && (what == movedPath || strings.HasPrefix(what, "sink.")):
		return fmt.Sprintf("Write it as %q.", "s3://"+rest)
	case inS3 && (what == "source" || what == "state"):
		bucket, _, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("A %s in a bucket is %s \"s3\" { bucket = %q }; \"local\" names a folder, as in \"./dumps\".", what, what, bucket)
	}
	return "Name a local folder, as in \"./lake\"."
}

// place reads a path of this machine, or of a sink on S3. Relative ones start at
// the configuration's folder.
func (l *loader) place(a *hcl.Attribute, what string) *placedPath {
	s := l.str(a, true)
	if s == nil {
		return nil
	}
	if scheme, ok := urlScheme(s.value); ok {
		if scheme == "s3" && (what == movedPath || strings.HasPrefix(what, "sink.")) {
			if s3 := l.s3Path(s); s3 != nil {
				return &placedPath{what: what, written: s.value, abs: s3.URL(), s3: s3, rng: s.rng}
			}
			return nil
		}
		l.add(errorAt(s.rng, "Not a path", "%q is an address. %s", s.value, insteadOf(scheme, s.value, what)))
		return nil
	}
	if scheme, rest, ok := halfAddress(s.value); ok {
		l.add(errorAt(s.rng, "Not a path", "%q looks like an address, which begins with %s://. %s", s.value, scheme, insteadOf(scheme, scheme+"://"+rest, what)))
		return nil
	}
	if strings.ContainsRune(s.value, 0) {
		l.add(errorAt(s.rng, "Not a path", "A path cannot hold a zero byte."))
		return nil
	}
	abs := filepath.Clean(s.value)
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(l.dir, abs)
	}
	return &placedPath{what: what, written: s.value, abs: resolved(what, abs), rng: s.rng}
}

// resolved is Resolve for one of the places. The state's file is left alone: other
// files of the state lie beside its name.
func resolved(what, abs string) string {
	if what == "state" {
		return filepath.Join(Resolve(filepath.Dir(abs)), filepath.Base(abs))
	}
	return Resolve(abs)
}

// Resolve returns the folder or file that a path names, without symbolic links as far
// as it exists: one place has one name, wherever a command was started and whatever
// link led there. What stands at the end of a link need not exist.
func Resolve(path string) string {
	const most = 255 // links that are followed
	const sep = string(filepath.Separator)
	done, rest := sep, path
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, sep)
		switch name {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		next := filepath.Join(done, name)
		target, err := os.Readlink(next)
		if err != nil { // no link, or nothing is there
			done = next
			continue
		}
		if links++; links > most {
			return path
		}
		if filepath.IsAbs(target) {
			done = sep
		}
		rest = target + sep + rest
	}
	return done
}

func urlScheme(s string) (string, bool) {
	m := regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`).FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	return strings.ToLower(m[1]), true
}

// halfAddress takes apart what looks like an address of another kind than a path, as
// "s3:/bucket" does.
func halfAddress(s string) (scheme, rest string, ok bool) {
	m := regexp.MustCompile(`^(?i)(s3|s3a|s3n|gs|abfss?|hdfs|https?|file):/*(.*)$`).FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	return strings.ToLower(m[1]), m[2], true
}

// checkPaths diagnoses sinks that lie in one another, and a source or the
// program's own files where tables of a sink would lie.
func (l *loader) checkPaths() {
	for i, p := range l.paths {
		for _, q := range l.paths[:i] {
			switch {
			case p.sink && q.sink:
				if p.abs == q.abs || within(p.abs, q.abs) || within(q.abs, p.abs) {
					l.add(errorAt(p.rng, "Sinks in one another", "%s and %s (%s) would write to the same folder or one inside the other. Give each a folder of its own.", p.what, q.what, place(q.rng)))
				}
			case p.sink:
				l.checkInSink(p, q)
			case q.sink:
				l.checkInSink(q, p)
			}
		}
	}
}

// checkInSink diagnoses other when it meets the folders of a sink's tables. A
// hidden folder (".reconcile") never is one of them.
func (l *loader) checkInSink(sink, other placedPath) {
	bad := sink.abs == other.abs
	if within(other.abs, sink.abs) {
		bad = !strings.HasPrefix(firstBelow(sink.abs, other.abs), ".")
	}
	if other.what == "source" && within(sink.abs, other.abs) {
		first := firstBelow(other.abs, sink.abs)
		bad = slices.Contains([]string{"manifests", "sync_reports"}, first) || strings.HasPrefix(first, "sync_")
	}
	if (other.what == "scratch_dir" || other.s3 != nil && other.what == "state") && within(sink.abs, other.abs) {
		bad = true // what is there is removed when it is not known
	}
	if bad {
		l.add(errorAt(sink.rng, "Folders in one another", "The %s (%q) and %s (%q) would share folders. Keep them apart.", other.what, other.written, sink.what, sink.written))
	}
}

// within reports whether a path lies below a folder.
func within(p, folder string) bool {
	if onS3(p) != onS3(folder) {
		return false
	}
	rel, err := filepath.Rel(folder, p)
	return err == nil && rel != "." && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func onS3(p string) bool { return strings.HasPrefix(p, "s3://") }

// firstBelow is the name right below folder on the way to p.
func firstBelow(folder, p string) string {
	rel, err := filepath.Rel(folder, p)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return first
}
