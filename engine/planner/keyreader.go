package planner

import (
	"context"

	"reconcile/state"
)

// KeyReader reads which rows there are of a table, by raw user and key.
type KeyReader interface {
	// EachDelivered hands on the rows of a file of a dump that have both; key is empty for
	// users, whose key is 0. It fails with a BadFileError where the file cannot be used.
	EachDelivered(ctx context.Context, key string, id int64, file string, use func(raw, key int64) error) error
	// EachStored hands on the rows that a table has, those that another one hides among
	// them, with the dump of each.
	EachStored(ctx context.Context, t StoredRows, use func(raw, key, dump int64) error) error
}

// StoredRows are where the rows of a table are.
type StoredRows struct {
	Table  *state.Table
	Files  []state.File // in one of its sinks
	Shadow []state.Ref
}
