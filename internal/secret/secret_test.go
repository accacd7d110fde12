package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTextNeverPrints(t *testing.T) {
	type holder struct{ Password Text }
	h := holder{NewText("hunter2")}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "h", h, "p", h.Password)
	js, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(h), fmt.Sprintf("%+v %#v %s", h, h, h.Password), log.String(), string(js)} {
		if strings.Contains(out, "hunter2") {
			t.Errorf("leaked: %s", out)
		}
	}
}

func TestBox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreateKey(path)
	if err != nil || !bytes.Equal(key, again) {
		t.Fatalf("second read differs: %v", err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("key file mode: %v %v", fi.Mode(), err)
	}
	box, err := NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal("a", NewText("hunter2"))
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("not sealed")
	}
	if got, err := box.Open("a", sealed); err != nil || got.Reveal() != "hunter2" {
		t.Fatalf("open: %v", err)
	}
	if _, err := box.Open("b", sealed); err == nil {
		t.Fatal("opened for another purpose")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := box.Open("a", sealed); err == nil {
		t.Fatal("opened altered data")
	}
}

func TestKeyFileOfWrongSizeIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(path); err == nil {
		t.Fatal("accepted")
	}
}
