package bed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Rows returns how many rows all tables of the lake have.
func (l *Lake) Rows() (int64, error) {
	out, err := l.reconcile("show", "-json").Output()
	if err != nil {
		return 0, fmt.Errorf("reconcile show: %w", err)
	}
	total := int64(0)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var line struct {
			Type string `json:"type"`
			Rows int64  `json:"rows"`
		}
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return 0, fmt.Errorf("reconcile show -json: %w", err)
		}
		if line.Type == "state_table" {
			total += line.Rows
		}
	}
}
