package secret_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/secret"
)

func TestUnmarshalText(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_SECRET", "from the environment")
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("from a file \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want, err string }{
		{in: "plain", want: "plain"},
		{in: "a:b", want: "a:b"},
		{in: "env:PENSTOCK_TEST_SECRET", want: "from the environment"},
		{in: "file:" + path, want: "from a file"},
		{in: "env:PENSTOCK_TEST_NO_SECRET", err: "PENSTOCK_TEST_NO_SECRET"},
		{in: "file:/nowhere/at/all", err: "/nowhere/at/all"},
		{in: "file:" + empty, err: "is empty"},
		{in: "", err: "must not be empty"},
	} {
		var v struct{ Secret secret.Text }
		text, _ := json.Marshal(map[string]string{"Secret": c.in})
		err := json.Unmarshal(text, &v)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: err = %v, want one about %q", c.in, err, c.err)
			}
			continue
		}
		if err != nil || v.Secret.Reveal() != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.in, v.Secret.Reveal(), err, c.want)
		}
	}
}
