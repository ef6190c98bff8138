package child

import (
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/internal/blob"
	"reconcile/sinks/parquet"
)

// Folders opens locations that are folders.
func Folders() Openers { return Openers{Source: sourceFolder, Sink: sinkFolder} }

func sourceFolder(location string) (exec.Source, error) {
	st, err := blob.NewLocal(location)
	if err != nil {
		return nil, err
	}
	return dump.Open(st, dump.Options{}), nil
}

func sinkFolder(root string, groupRows int, createdBy string) (exec.Sink, error) {
	st, err := blob.NewLocal(root)
	if err != nil {
		return nil, err
	}
	return parquet.New(st, parquet.Options{RowGroup: groupRows, CreatedBy: createdBy}), nil
}
