package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/notify"
)

func loadWatched(t *testing.T, text string) *Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text+`
source "local" { path = "./dumps" }
sink "parquet" "lake" { path = "./lake" }
table "*" { sinks = [sink.parquet.lake] }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, diags := Load(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return cfg
}

func TestMetricsAndNotify(t *testing.T) {
	cfg := loadWatched(t, `
variable "hook" {
  type      = string
  sensitive = true
  default   = "https://example.org/geheim"
}
metrics {
  textfile = "./out/reconcile.prom"
  labels   = { environment = "production" }
}
notify "page" {
  command = ["./page", "now"]
}
notify "chat" {
  webhook = var.hook
  headers = { Authorization = "Bearer ${var.hook}" }
  on      = ["hold_began", "exit_13"]
  timeout = "30s"
}
`)
	if m := cfg.Metrics; m.Textfile != filepath.Join(cfg.Dir, "out/reconcile.prom") || !maps.Equal(m.Labels, map[string]string{"environment": "production"}) {
		t.Errorf("%+v", m)
	}
	if len(cfg.Notify) != 2 {
		t.Fatalf("%d blocks", len(cfg.Notify))
	}
	page, chat := cfg.Notify[0], cfg.Notify[1]
	if page.Label != "page" || strings.Join(page.Command, " ") != "./page now" || page.Timeout != 10*time.Second || page.On != nil {
		t.Errorf("%+v", page)
	}
	if string(chat.Webhook) != "https://example.org/geheim" || string(chat.Headers["Authorization"]) != "Bearer https://example.org/geheim" ||
		chat.Timeout != 30*time.Second || len(chat.On) != 2 || chat.On[0] != notify.HoldBegan {
		t.Errorf("%+v", chat)
	}
	if text := fmt.Sprintf("%v %+v %#v", cfg.Notify, chat, chat); strings.Contains(text, "geheim") {
		t.Errorf("printed: %s", text)
	}
	with, err := cfg.Digest()
	if err != nil {
		t.Fatal(err)
	}
	bare := *cfg
	bare.Metrics, bare.Notify = nil, nil
	if without, err := bare.Digest(); err != nil || with != without {
		t.Errorf("who is told makes another configuration of it: %v", err)
	}
}
