package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// magic begins every plan that is written down, and names its format.
const magic = "reconcile plan 1\n"

var (
	// ErrNoPlan says that what was read is not a plan.
	ErrNoPlan = errors.New("not a plan")
	// ErrDamaged says that it is none that Encode wrote, or not all of it.
	ErrDamaged = errors.New("the plan is damaged")
)

// Encode writes a plan down. Equal plans give equal bytes.
func Encode(w io.Writer, p *Plan) error {
	body, err := canonical(p)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	for _, b := range [][]byte{[]byte(magic), body} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write the plan: %w", err)
		}
	}
	return nil
}

// Decode reads a plan that Encode wrote, to the end of r. The plan equals the one that was
// written, but that empty lists are nil. It fails with ErrNoPlan or ErrDamaged where the
// bytes are not exactly those that Encode writes.
func Decode(r io.Reader) (*Plan, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	body, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		return nil, ErrNoPlan
	}
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxArrayElements:  math.MaxInt32,
		UTF8:              cbor.UTF8DecodeInvalid, // names of files and columns need not be UTF-8
	}.DecMode()
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	if err := mode.Unmarshal(body, p); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	again, err := canonical(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if !bytes.Equal(again, body) {
		return nil, fmt.Errorf("%w: it is not as it was written", ErrDamaged)
	}
	return p, nil
}

// check refuses values that no plan has, and that would not print.
func (p *Plan) check() error {
	for _, t := range p.Tables {
		if t == nil {
			return errors.New("a table is missing")
		}
		classes := []Class{t.Change.Class}
		for _, s := range t.Steps {
			classes = append(classes, s.Class)
			if s.Kind < StepChange || s.Kind > StepRestore {
				return fmt.Errorf("table %s: there is no step of kind %d", t.Name, s.Kind)
			}
		}
		for _, c := range classes {
			if c < ClassNone || c > ClassRebuild {
				return fmt.Errorf("table %s: there is no class %d", t.Name, c)
			}
		}
		if !slices.Contains([]Action{None, Create, Update, Rebuild, Destroy, Forget}, t.Action) {
			return fmt.Errorf("table %s: there is no action %q", t.Name, t.Action)
		}
	}
	for _, e := range p.Config {
		if e.Class < ClassNone || e.Class > ClassRebuild || !slices.Contains([]Action{Update, Rebuild, Destroy, Forget}, e.Action) {
			return fmt.Errorf("table %s: there is no class %d, or no change %q of a configuration", e.Table, e.Class, e.Action)
		}
	}
	return nil
}

// canonical is v as deterministic CBOR.
func canonical(v any) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}
