package engine

import (
	"errors"
	"fmt"
	"strings"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/internal/shell"
)

// Refusal says why a plan may not be applied as it is, nil if it may.
func (e *Engine) Refusal(p *plan.Plan) error {
	var errs []error
	for _, t := range p.Tables {
		if t.Action == plan.None {
			continue
		}
		if len(t.Destroys) > 0 && !e.opts.AllowDestroy {
			errs = append(errs, refusesDestroy(t))
		}
		if len(t.Lost) > 0 && !e.ask.AcceptsLoss(t.Name) {
			errs = append(errs, fmt.Errorf("%w: table %s must be rebuilt from the source, where %s gone: %s rows would be lost; accept that with %s", plan.ErrRefused, t.Name, plan.DumpsAre(t.Lost), amount.Verb(len(t.Lost), "its", "their"), shell.Word("-accept-loss="+t.Name)))
		}
	}
	if len(p.Mapping.Gone) > 0 && !e.ask.AcceptsLoss(feed.TableMapping) {
		errs = append(errs, fmt.Errorf("%w: %s; accept that with -accept-loss=%s", plan.ErrRefused, planner.GoneMappingsText(&p.Mapping), feed.TableMapping))
	}
	return errors.Join(errs...)
}

// refusesDestroy says why a table's step is refused without -allow-destroy.
func refusesDestroy(t *plan.Table) error {
	return fmt.Errorf("%w: table %s: the configuration destroys %s for good: allow it with -allow-destroy, or %s",
		plan.ErrRefused, t.Name, strings.Join(t.Destroys, ", "), strings.Join(t.Keeping, ", and "))
}
