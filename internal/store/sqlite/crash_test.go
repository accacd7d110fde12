package sqlite

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/statements"
)

const crashDir = "PENSTOCK_CRASH_TEST_DIR"

// TestCrashChild is the process that TestCrash kills. It writes for ever and says on standard output what has been
// acknowledged.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("run by TestCrash")
	}
	db := open(t, dir)
	jobs, err := db.Jobs().JobList(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	first := 0
	if len(jobs) > 0 {
		first = int(jobs[0].Runs) + 1
	} else if _, err := db.Jobs().JobCreate(t.Context(), someJob(0), 1); err != nil {
		t.Fatal(err)
	}
	for n := first; ; n++ {
		st := statements.Statement{ID: fmt.Sprint(n), Status: statements.Submitted, Created: time.Unix(int64(n), 0), Subs: []statements.Sub{{SQL: strings.Repeat("x", n%5000)}, {SQL: "y"}}}
		if _, _, err := db.Statements().StatementCreate(t.Context(), st, 1<<30); err != nil {
			t.Fatal(err)
		}
		if err := db.Statements().PagePut(t.Context(), st.ID, 0, 0, statements.Page{Rows: [][]statements.Value{{int64(n)}}}); err != nil {
			t.Fatal(err)
		}
		if err := db.Integrations().IntegrationCreate(t.Context(), fullIntegration(n), 1<<30); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Jobs().JobUpdate(t.Context(), someJob(0).Key(), func(j *copyjob.Job) error { j.Runs = int64(n); return nil }); err != nil {
			t.Fatal(err)
		}
		fmt.Println(n)
	}
}

// Every write that was acknowledged before a kill -9 is there afterwards, and every write is there whole or not
// at all (invariant 9).
func TestCrash(t *testing.T) {
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	acked := -1
	for round := range rounds {
		before := acked
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
		child.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		kill := acked + 1 + random.IntN(40) // the child may begin past it: its last write need not have been acknowledged
		killed := false
		lines := bufio.NewScanner(out)
		for lines.Scan() { // and on after the kill, for what was in the pipe
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acked = n
			if n >= kill && !killed {
				killed = true
				time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond) // somewhere in the next writes
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || !killed {
			t.Fatalf("round %d: the child ended by itself after %d: %v", round, acked, err)
		}
		verify(t, dir, before, acked)
	}
	t.Logf("%d rounds of writes survived %d kills", acked+1, rounds)
}

func verify(t *testing.T, dir string, before, acked int) {
	t.Helper()
	db := open(t, dir)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	jobs, err := db.Jobs().JobList(t.Context(), "")
	if err != nil || len(jobs) != 1 || int(jobs[0].Runs) < acked {
		t.Fatalf("jobs = %+v, %v, want Runs %d at least", jobs, err, acked)
	}
	for n := before + 1; n <= acked; n++ {
		id := fmt.Sprint(n)
		st, err := db.Statements().StatementGet(t.Context(), id)
		if err != nil || len(st.Subs) != 2 || len(st.Subs[0].SQL) != n%5000 {
			t.Errorf("statement %d: %d parts, %v", n, len(st.Subs), err)
		}
		if p, err := db.Statements().PageGet(t.Context(), id, 0, 0); err != nil || p.Rows[0][0] != int64(n) {
			t.Errorf("page of statement %d: %v, %v", n, p, err)
		}
		if _, err := db.Integrations().IntegrationGet(t.Context(), fullIntegration(n).ID); err != nil {
			t.Error(err)
		}
	}
	// The child starts again at Runs+1, so what the kill left unfinished must go before.
	next := fmt.Sprint(jobs[0].Runs + 1)
	if _, err := db.writer.ExecContext(t.Context(), "DELETE FROM statement WHERE id = ?", next); err != nil {
		t.Fatal(err)
	}
	if _, err := db.writer.ExecContext(t.Context(), "DELETE FROM integration WHERE id = ?", fullIntegration(int(jobs[0].Runs)+1).ID); err != nil {
		t.Fatal(err)
	}
	var check string
	if err := db.writer.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity check: %s, %v", check, err)
	}
	broken, err := db.writer.QueryContext(t.Context(), "PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	if broken.Next() {
		t.Error("a row points at one that is not there")
	}
	if err := broken.Close(); err != nil {
		t.Error(err)
	}
}
