package planfile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"

	"reconcile/engine/plan"
)

// magic begins every file, and names its format.
const magic = "reconcile saved plan 1\n"

var (
	// ErrNotSaved says that a file is not a saved plan.
	ErrNotSaved = errors.New("it is not a saved plan, or one of another format")
	// ErrDamaged says that a saved plan is not as it was written.
	ErrDamaged = errors.New("the saved plan is damaged or was cut: make it again")
)

// File is a saved plan.
type File struct {
	Program string     // version of the program that made it
	Config  string     // digest of the configuration
	Command Command    // what plan was asked for
	Plan    *plan.Plan // with the inputs of its tables
}

// Command is what a plan was asked for beyond the configuration. An apply of the plan goes
// by it.
type Command struct {
	Targets        []string `cbor:"1,keyasint,omitempty"`
	Accept         []string `cbor:"2,keyasint,omitempty"`
	AcceptLoss     []string `cbor:"3,keyasint,omitempty"`
	AcceptManifest []int64  `cbor:"4,keyasint,omitempty"`
	ForgetSinks    []string `cbor:"5,keyasint,omitempty"`
	MovedSinks     []string `cbor:"6,keyasint,omitempty"`
	SinksLost      []string `cbor:"7,keyasint,omitempty"`
	StatesLost     []string `cbor:"8,keyasint,omitempty"`
	AllowDestroy   bool     `cbor:"9,keyasint,omitempty"`
	Repair         bool     `cbor:"10,keyasint,omitempty"`
	Replace        []string `cbor:"28,keyasint,omitempty"`
	// Variables are the values that the command line gave to variables that are not
	// sensitive.
	Variables []Variable `cbor:"20,keyasint,omitempty"`
}

// Variable is the value of a variable as it was given: the text of an expression, or text
// that the type of the variable makes one.
type Variable struct {
	Name         string `cbor:"1,keyasint,omitempty"`
	Value        string `cbor:"2,keyasint,omitempty"`
	IsExpression bool   `cbor:"3,keyasint,omitempty"`
}

// content is a File as it is written.
type content struct {
	Program string  `cbor:"1,keyasint,omitempty"`
	Config  string  `cbor:"2,keyasint,omitempty"`
	Command Command `cbor:"3,keyasint"`
	Plan    []byte  `cbor:"4,keyasint"` // as plan.Encode writes it
}

// Encode writes a file: the magic, the content as CBOR, and the SHA-256 of both. Equal files
// give equal bytes.
func Encode(w io.Writer, f *File) error {
	var p bytes.Buffer
	if err := plan.Encode(&p, f.Plan); err != nil {
		return err
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return err
	}
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	if _, err := io.WriteString(both, magic); err != nil {
		return err
	}
	if err := mode.NewEncoder(both).Encode(content{f.Program, f.Config, f.Command, p.Bytes()}); err != nil {
		return fmt.Errorf("encode the saved plan: %w", err)
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// Decode reads what Encode wrote. It fails with ErrNotSaved or ErrDamaged.
func Decode(data []byte) (*File, error) {
	if !bytes.HasPrefix(data, []byte(magic)) {
		return nil, ErrNotSaved
	}
	end := len(data) - sha256.Size
	if end < len(magic) || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
		return nil, ErrDamaged
	}
	mode, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		return nil, err
	}
	var c content
	if err := mode.Unmarshal(data[len(magic):end], &c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p, err := plan.Decode(c.Plan)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return &File{c.Program, c.Config, c.Command, p}, nil
}

// maxSize bounds what Read takes for a saved plan.
const maxSize = 1 << 30

// Read reads a file.
func Read(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, ErrNotSaved)
	}
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(f, begin); err != nil || string(begin) != magic { // of any size
		return nil, fmt.Errorf("%s: %w", name, cmp.Or(notShort(err), ErrNotSaved))
	}
	data := make([]byte, min(info.Size(), maxSize))
	if _, err := io.ReadFull(io.MultiReader(bytes.NewReader(begin), f), data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	saved, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return saved, nil
}

// notShort returns the error of reading, nil if the file was too short.
func notShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Write makes or replaces a file, which only its owner may read: it names tables, columns
// and users' ids in notices.
func Write(name string, f *File) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*.tmp") // 0600
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save the plan in %s: %w", name, err), os.Remove(tmp.Name()))
		}
	}()
	err = Encode(tmp, f)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
