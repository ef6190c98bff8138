package config

import "testing"

// The digest of a configuration is of what it says, not of how or where, nor of whose
// rights it is applied by.
func TestDigest(t *testing.T) {
	base := map[string]string{
		"source": "source \"s3\" {\n  bucket = \"bucket-b\"\n  region = \"eu-west-1\"\n  profile = \"reader\"\n}\n",
		"sink":   "sink \"parquet\" \"lake\" { path = \"./lake\" }\n",
		"table":  "table \"*\" { sinks = [sink.parquet.lake] }\n",
		"more":   "",
	}
	digest := func(key, value string) string {
		parts := map[string]string{}
		for k, v := range base {
			parts[k] = v
		}
		if key != "" {
			parts[key] = value
		}
		cfg, out := loadText(t, parts["source"]+parts["sink"]+parts["table"]+parts["more"], Options{Version: "devel"})
		if cfg == nil {
			t.Fatal(out)
		}
		d, err := cfg.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	was := digest("", "")
	for name, c := range map[string]struct {
		key, value string
		same       bool
	}{
		"another folder":    {"", "", true},
		"a comment":         {"more", "# why\n", true},
		"another profile":   {"source", "source \"s3\" {\n  bucket = \"bucket-b\"\n  region = \"eu-west-1\"\n  profile = \"writer\"\n}\n", true},
		"memory":            {"more", "reconcile {\n  memory_limit = \"256 MiB\"\n}\n", true},
		"another bucket":    {"source", "source \"s3\" {\n  bucket = \"bucket-c\"\n  region = \"eu-west-1\"\n}\n", false},
		"a skipped dump":    {"source", "source \"s3\" {\n  bucket = \"bucket-b\"\n  region = \"eu-west-1\"\n  skip_dump \"7\" {\n    tables = [\"a\"]\n    reason = \"bad\"\n  }\n}\n", false},
		"another sink path": {"sink", "sink \"parquet\" \"lake\" { path = \"./pond\" }\n", false},
		"an ignored table":  {"more", "ignore \"a\" {}\n", false},
		"a state elsewhere": {"more", "reconcile {\n  state \"local\" { path = \"other.db\" }\n}\n", false},
	} {
		if got := digest(c.key, c.value); (got == was) != c.same {
			t.Errorf("%s: the digest is the same: %v", name, got == was)
		}
	}
}
