package wiretest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	service, r, err := parseRequest([]byte("redshift POST /a?b=c\nContent-Type: application/x-www-form-urlencoded\nX-One: 1\n\nAction=A\nB=C\n"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if service != "redshift" || r.Method != http.MethodPost || r.URL.String() != "/a?b=c" || r.Header.Get("X-One") != "1" || string(body) != "Action=A&B=C" {
		t.Errorf("got %s %s %s %v %q", service, r.Method, r.URL, r.Header, body)
	}
	for _, bad := range []string{"", "redshift POST\n", "redshift POST /\nno colon\n\n"} {
		if _, _, err := parseRequest([]byte(bad)); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	const a, b = "11111111-2222-4333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	m := masker{times: true}
	got := m.apply(a + " " + b + " " + a + " 2026-03-04T12:00:00.123Z 1772625600.5 12345")
	if want := "[uuid 1] [uuid 2] [uuid 1] [time] [time] 12345"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(m.restore([]byte("x [uuid 2] y"))); got != "x "+b+" y" {
		t.Errorf("restored %s", got)
	}
	if got := (&masker{}).apply("2026-03-04T12:00:00Z"); got != "2026-03-04T12:00:00Z" {
		t.Errorf("a fixed clock's time is masked: %s", got)
	}
}

// An answer that repeats the id of an earlier one is recorded and matched with the same mask.
func TestGoldenChainsRequests(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if len(body) == 0 {
			body = []byte("11111111-2222-4333-8444-555555555555")
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(body)
	})
	file := filepath.Join(t.TempDir(), "x.txtar")
	archive := &txtar.Archive{Files: []txtar.File{
		{Name: "first.request", Data: []byte("- GET /\n\n")},
		{Name: "first.response", Data: []byte("200\nContent-Type: text/plain\n\n[uuid 1]\n")},
		{Name: "second.request", Data: []byte("kms POST /\n\nit is [uuid 1]\n")},
		{Name: "second.response", Data: []byte("200\nContent-Type: text/plain\n\nit is [uuid 1]\n")},
	}}
	if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
	Golden(t, h, file)
}
