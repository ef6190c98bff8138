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
	if _, err := io.WriteString(w, magic); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if err := canonical(w, p); err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	return nil
}

// Decode reads a plan that Encode wrote. The plan equals the one that was
// written, but that empty lists are nil. It fails with ErrNoPlan or ErrDamaged where the
// bytes are not exactly those that Encode writes.
func Decode(data []byte) (*Plan, error) {
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
	again := &comparison{left: body, same: true}
	if err := canonical(again, p); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if !again.same || len(again.left) > 0 {
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

// canonical writes v as deterministic CBOR.
func canonical(w io.Writer, v any) error {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return err
	}
	return mode.NewEncoder(w).Encode(v)
}

// comparison compares what is written to it with bytes.
type comparison struct {
	left []byte
	same bool
}

func (c *comparison) Write(b []byte) (int, error) {
	rest, same := bytes.CutPrefix(c.left, b)
	c.left, c.same = rest, c.same && same
	return len(b), nil
}
