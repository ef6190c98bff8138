package plan

import "errors"

// ErrRefused says that a plan needs a flag to be carried out.
var ErrRefused = errors.New("refused")
