package sqlite

import "testing"

// Revoking tokens is counted for each user, and outlives the process.
func TestTokenGenerations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	if all, err := db.Connectors().TokenGenerations(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("%v %v", all, err)
	}
	for n, user := range []string{"", "a", ""} {
		if got, err := db.Connectors().TokensRevoke(t.Context(), user); err != nil || got != int64(1+n/2) {
			t.Errorf("%q: %d %v", user, got, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := open(t, dir).Connectors().TokenGenerations(t.Context())
	if err != nil || len(all) != 2 || all[""] != 2 || all["a"] != 1 {
		t.Errorf("%v %v", all, err)
	}
}
