package avro

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// readTexts reads the texts that a fixture's rows should have: a list of
// objects of text, null, or {"hex": bytes} for what is not UTF-8.
func readTexts(t *testing.T, path string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows {
		m := map[string]string{}
		for k, v := range row {
			switch v := v.(type) {
			case nil:
				m[k] = null
			case string:
				m[k] = v
			case map[string]any:
				b, err := hex.DecodeString(v["hex"].(string))
				if err != nil {
					t.Fatal(err)
				}
				m[k] = string(b)
			}
		}
		out = append(out, m)
	}
	return out
}
