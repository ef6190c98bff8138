package lake

import (
	"fmt"

	"reconcile/internal/blob"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
)

// kindParquet is the kind of a sink of Parquet files, as config.Sink.Kind.
const kindParquet = "parquet"

// fileOptions say how a sink writes its files, and what it says when it fails.
type fileOptions struct {
	createdBy string
	rowGroup  int
	batch     int // bytes
	advice    string
}

// newSink makes the sink of a kind in a store. Each kind has its line here.
func newSink(kind string, st blob.Store, o fileOptions) (sinks.Sink, error) {
	switch kind {
	case kindParquet:
		return parquet.New(st, parquet.Options{CreatedBy: o.createdBy, RowGroup: o.rowGroup, Batch: int64(o.batch), Advice: o.advice}), nil
	}
	return nil, fmt.Errorf("sink %s: there is no kind %q", st.Root(), kind)
}

// Scratch makes a sink for files that are thrown away.
func Scratch(st blob.Store) (sinks.Sink, error) {
	return newSink(kindParquet, st, fileOptions{})
}
