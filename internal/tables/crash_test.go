package tables_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

const (
	crashDir     = "PENSTOCK_TABLES_CRASH_DIR" // makes TestCrashChild the child
	crashWorkers = 4
	crashSlots   = 20
	crashKills   = 60
)

// crashSettings makes shards roll and split all the time.
var crashSettings = tables.Settings{FirstShards: 2, ShardRoll: 50 * time.Millisecond, ShardSplitBytes: 200_000}

// TestCrashChild writes until it is killed. Worker w's i-th write is one of three kinds, and says on standard
// output when it is acknowledged.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("only the child of TestKill does this")
	}
	db := open(t, dir, time.Now, crashSettings)
	if _, err := db.DescribeTable(ctx, "crash"); err != nil {
		s := spec("crash", stream.BothSides)
		s.Attributes = append(s.Attributes, item.Definition{Name: "g", Type: item.S})
		s.Global = []tables.IndexSpec{{Name: "by-g", Keys: []tables.KeyPart{{Name: "g", Kind: "HASH"}}, Projection: tables.ProjectKeys}}
		create(t, db, s)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range crashWorkers {
		wg.Go(func() {
			for i := lastWrite(t, db, w) + 1; ; i++ {
				if err := crashWrite(t, db, w, i); err != nil {
					t.Error(err)
					return
				}
				out.Lock()
				fmt.Fprintf(os.Stdout, "ack %d %d\n", w, i)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

func slot(t testing.TB, w, s, i int) item.Item {
	return parse(t, fmt.Sprintf(`{"pk":{"S":"w%d"},"sk":{"N":"%d"},"i":{"N":"%d"},"g":{"S":"g%d"},"pad":{"S":"%s"}}`, w, s, i, i%3, strings.Repeat("x", i%300)))
}

// crashWrite puts i into one slot; every third time in a transaction with two marks, every fifth in a batch with four.
func crashWrite(t testing.TB, db *tables.DB, w, i int) error {
	put := func(m item.Item) *tables.Write { return &tables.Write{Kind: tables.Put, Table: "crash", Item: m} }
	mark := func(kind string, n int) *tables.Write {
		return put(parse(t, fmt.Sprintf(`{"pk":{"S":"%s%d"},"sk":{"N":"%d"},"i":{"N":"%d"}}`, kind, w, n, i)))
	}
	one := put(slot(t, w, i%crashSlots, i))
	var err error
	switch {
	case i%3 == 0:
		_, err = db.Transact(ctx, []*tables.Write{one, mark("tx", 1), mark("tx", 2)}, "", "")
	case i%5 == 0:
		_, err = db.BatchWrite(ctx, []*tables.Write{one, mark("b", 1), mark("b", 2), mark("b", 3), mark("b", 4)})
	default:
		_, err = db.Write(ctx, one, "")
	}
	return err
}

// lastWrite is the greatest number in worker w's slots.
func lastWrite(t testing.TB, db *tables.DB, w int) int {
	t.Helper()
	last := 0
	for _, n := range slots(t, db, fmt.Sprintf("w%d", w)) {
		last = max(last, n)
	}
	return last
}

// slots is the number in each item of a partition, by sort key.
func slots(t testing.TB, db *tables.DB, pk string) map[int]int {
	t.Helper()
	condition := "pk = :p"
	page, err := db.Query(ctx, &tables.Query{Table: "crash", KeyCondition: &condition, Values: map[string]item.Value{":p": item.Text(pk)}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := item.ParseList(string(page.Items))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int{}
	for _, m := range list {
		s, _ := strconv.Atoi(m.Get("sk").Text)
		out[s], _ = strconv.Atoi(m.Get("i").Text)
	}
	return out
}

// TestKill kills a child that writes, many times, and looks each time at what it left.
func TestKill(t *testing.T) {
	r := random(t)
	dir := t.TempDir()
	acked := [crashWorkers]int{}
	total := 0
	for kill := range crashKills {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestCrashChild$", "-test.timeout", "60s")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Killed when it has acknowledged some number of writes, so mid-flight in others.
		left := 1 + r.IntN(400)
		lines := bufio.NewReader(pipe)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			var w, i int
			if _, err := fmt.Sscanf(line, "ack %d %d", &w, &i); err != nil {
				t.Fatalf("the child says %q", line)
			}
			acked[w] = max(acked[w], i)
			total++
			if left--; left == 0 {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _ = io.Copy(io.Discard, pipe)
		_ = cmd.Wait() // killed, it has no other end
		if left > 0 {
			t.Fatalf("the child ended by itself: %s", stderr.String())
		}
		checkCrash(t, dir, &acked, kill)
	}
	t.Logf("%d kills, %d writes acknowledged", crashKills, total)
}

func checkCrash(t *testing.T, dir string, acked *[crashWorkers]int, kill int) {
	t.Helper()
	db := open(t, dir, time.Now, crashSettings)
	defer closing(t, db)
	for w := range crashWorkers {
		got := slots(t, db, fmt.Sprintf("w%d", w))
		last := lastWrite(t, db, w)
		if last < acked[w] || last > acked[w]+1 {
			t.Fatalf("kill %d: worker %d: the last write is %d, acknowledged was %d", kill, w, last, acked[w])
		}
		acked[w] = last // the next child goes on from here
		for i := max(1, last-crashSlots+1); i <= last; i++ {
			if got[i%crashSlots] != i {
				t.Fatalf("kill %d: worker %d: the slot %d has %d, want %d", kill, w, i%crashSlots, got[i%crashSlots], i)
			}
		}
		lastTx := last - last%3
		if marks := slots(t, db, fmt.Sprintf("tx%d", w)); lastTx > 0 && (marks[1] != lastTx || marks[2] != lastTx) {
			t.Fatalf("kill %d: worker %d: the marks of the last transaction, %d, are %v", kill, w, lastTx, marks)
		}
		for _, n := range slots(t, db, fmt.Sprintf("b%d", w)) {
			if marks := slots(t, db, fmt.Sprintf("b%d", w)); len(marks) != 4 || marks[1] != n {
				t.Fatalf("kill %d: worker %d: the marks of a batch are %v", kill, w, marks)
			}
		}
	}
	// The stream has exactly the records of the writes that exist, and the index what the items say.
	status, err := db.DescribeTable(ctx, "crash")
	if err != nil {
		t.Fatal(err)
	}
	m := model{}
	for _, text := range pages(t, db, tables.Query{Table: "crash"}, true) {
		m[string(keyOf(parse(t, text)).JSON())] = text
	}
	if status.Items != int64(len(m)) {
		t.Fatalf("kill %d: the table counts %d items and has %d", kill, status.Items, len(m))
	}
	want := model{}
	for k, text := range m {
		if x := parse(t, text); x.Has("g") {
			want[k] = string(x.Only([]string{"pk", "sk", "g"}).JSON())
		}
	}
	index := model{}
	for _, text := range pages(t, db, tables.Query{Table: "crash", Index: "by-g"}, true) {
		index[string(keyOf(parse(t, text)).JSON())] = text
	}
	if !maps.Equal(index, want) || status.Sizes["by-g"].Items != int64(len(want)) {
		t.Fatalf("kill %d: the index has %d entries and counts %d, want %d", kill, len(index), status.Sizes["by-g"].Items, len(want))
	}
	replay(t, db, status.StreamARN, m)
}
