package tables_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func open(t testing.TB, dir string, now func() time.Time, s tables.Settings) *tables.DB {
	t.Helper()
	db, err := tables.Open(tables.Config{Dir: dir, Region: "us-east-1", Account: "123456789012", Now: now, NewID: uuid.NewString, Log: slog.New(slog.DiscardHandler), Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closing(t testing.TB, db *tables.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

var (
	ctx  = context.Background()
	keys = []tables.KeyPart{{Name: "pk", Kind: "HASH"}, {Name: "sk", Kind: "RANGE"}}
	defs = []item.Definition{{Name: "pk", Type: item.S}, {Name: "sk", Type: item.N}}
)

func spec(name string, view stream.View) *tables.TableSpec {
	s := &tables.TableSpec{Name: name, Attributes: defs, Keys: keys, Billing: tables.OnDemand}
	if view != "" {
		s.Stream = &tables.StreamSpec{Enabled: true, View: view}
	}
	return s
}

func create(t testing.TB, db *tables.DB, s *tables.TableSpec) tables.Status {
	t.Helper()
	status, err := db.CreateTable(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func parse(t testing.TB, text string) item.Item {
	t.Helper()
	m, err := item.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func put(t testing.TB, db *tables.DB, table, text string) {
	t.Helper()
	if _, err := db.Write(ctx, &tables.Write{Kind: tables.Put, Table: table, Item: parse(t, text)}, ""); err != nil {
		t.Fatal(err)
	}
}

// drain reads a whole stream as a reader should: parents before their children. It returns the records of
// each shard in order of reading.
func drain(t testing.TB, db *tables.DB, arn string) []tables.SequencedRecord {
	t.Helper()
	info, err := db.DescribeStream(ctx, arn, "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{}
	var out []tables.SequencedRecord
	for _, s := range info.Shards { // shards are listed in the order they were made
		if s.Parent != "" && !done[s.Parent] && stream.Find(pointers(info.Shards), s.Parent) != nil {
			t.Errorf("the shard %s is listed before its parent", s.ID)
		}
		done[s.ID] = true
		token, err := db.ShardIterator(ctx, arn, s.ID, tables.TrimHorizon, "")
		if err != nil {
			t.Fatal(err)
		}
		for token != "" {
			page, err := db.GetRecords(ctx, token, 97)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, page.Records...)
			token = page.Next
			if len(page.Records) == 0 {
				if s.Open() != (page.Next != "") {
					t.Errorf("shard %s: open %v, next %q", s.ID, s.Open(), page.Next)
				}
				break
			}
		}
	}
	return out
}

func pointers(list []stream.Shard) []*stream.Shard {
	var out []*stream.Shard
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}

func TestOpenIsCheapAndLazy(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir+"/none", time.Now, tables.Settings{})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- db.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	closing(t, db)
	if _, err := db.DescribeTable(ctx, "abc"); !fault.Is(err, fault.Unavailable, "") {
		t.Errorf("using a closed DB: %v", err)
	}
}

func TestStreamLifeCycle(t *testing.T) {
	c := newClock()
	db := open(t, t.TempDir(), c.now, tables.Settings{FirstShards: 2})
	defer closing(t, db)
	first := create(t, db, spec("orders", stream.BothSides)).StreamARN
	for i := range 40 {
		put(t, db, "orders", fmt.Sprintf(`{"pk":{"S":"p%d"},"sk":{"N":"1"}}`, i%8))
		put(t, db, "orders", fmt.Sprintf(`{"pk":{"S":"p%d"},"sk":{"N":"1"},"v":{"N":"%d"}}`, i%8, i))
		if i%10 == 9 {
			c.advance(4 * time.Hour) // every open shard is rolled with its next record
		}
		if i == 25 {
			if _, err := db.Control().Split(ctx, "orders", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	records := drain(t, db, first)
	if len(records) != 80-40+40 {
		t.Errorf("%d records, want 80", len(records))
	}
	last := map[string]uint64{}
	for _, r := range records {
		k := string(r.Keys)
		if r.Sequence <= last[k] {
			t.Errorf("the record %d of %s comes after %d", r.Sequence, k, last[k])
		}
		last[k] = r.Sequence
	}

	// Off and on again: another stream; the old one can still be read.
	if _, err := db.UpdateTable(ctx, &tables.TableChange{Table: "orders", Stream: &tables.StreamSpec{}}); err != nil {
		t.Fatal(err)
	}
	put(t, db, "orders", `{"pk":{"S":"unseen"},"sk":{"N":"1"}}`)
	status, err := db.UpdateTable(ctx, &tables.TableChange{Table: "orders", Stream: &tables.StreamSpec{Enabled: true, View: stream.KeysOnly}})
	if err != nil {
		t.Fatal(err)
	}
	if status.StreamARN == first {
		t.Error("the second stream has the ARN of the first")
	}
	put(t, db, "orders", `{"pk":{"S":"seen"},"sk":{"N":"1"}}`)
	if got := drain(t, db, status.StreamARN); len(got) != 1 || got[0].New != nil || got[0].Event != stream.Insert {
		t.Errorf("the second stream has %+v", got)
	}
	if got := drain(t, db, first); len(got) != 80 {
		t.Errorf("the disabled stream has %d records, want 80", len(got))
	}
	list, _, err := db.ListStreams(ctx, "orders", "", 10)
	if err != nil || len(list) != 2 {
		t.Errorf("ListStreams: %v, %v", list, err)
	}

	// A day later the first stream is gone, and the second has lost its record but not its shards.
	c.advance(25 * time.Hour)
	for range 2 {
		if err := db.TendStreams(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.DescribeStream(ctx, first, "", "", 10); !fault.Is(err, fault.NotFound, tables.SubjectStream) {
		t.Errorf("the first stream after a day: %v", err)
	}
	if got := drain(t, db, status.StreamARN); len(got) != 0 {
		t.Errorf("the second stream after a day has %+v", got)
	}
}

func TestTrimAndExpire(t *testing.T) {
	c := newClock()
	db := open(t, t.TempDir(), c.now, tables.Settings{FirstShards: 1})
	defer closing(t, db)
	arn := create(t, db, spec("orders", stream.NewImage)).StreamARN
	put(t, db, "orders", `{"pk":{"S":"a"},"sk":{"N":"1"}}`)
	info, err := db.DescribeStream(ctx, arn, "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	shard := info.Shards[0].ID
	horizon, err := db.ShardIterator(ctx, arn, shard, tables.TrimHorizon, "")
	if err != nil {
		t.Fatal(err)
	}
	page, err := db.GetRecords(ctx, horizon, 10)
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	sequence := stream.FormatSequence(page.Records[0].Sequence)
	for kind, want := range map[string]int{tables.AtSequence: 1, tables.AfterSequence: 0} {
		token, err := db.ShardIterator(ctx, arn, shard, kind, sequence)
		if err != nil {
			t.Fatal(err)
		}
		if page, err := db.GetRecords(ctx, token, 10); err != nil || len(page.Records) != want {
			t.Errorf("%s: %+v, %v", kind, page, err)
		}
	}
	latest, err := db.ShardIterator(ctx, arn, shard, tables.Latest, "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "orders", `{"pk":{"S":"b"},"sk":{"N":"1"}}`)
	if page, err := db.GetRecords(ctx, latest, 10); err != nil || len(page.Records) != 1 || string(page.Records[0].Keys) != `{"pk":{"S":"b"},"sk":{"N":"1"}}` {
		t.Errorf("LATEST: %+v, %v", page, err)
	}
	c.advance(16 * time.Minute)
	if _, err := db.GetRecords(ctx, horizon, 10); !fault.Is(err, fault.Expired, tables.SubjectIterator) {
		t.Errorf("an iterator after 16 minutes: %v", err)
	}
	horizon, _ = db.ShardIterator(ctx, arn, shard, tables.TrimHorizon, "")
	if err := db.Control().Trim(ctx, "orders", false); err != nil {
		t.Fatal(err)
	}
	if _, err := db.GetRecords(ctx, horizon, 10); !fault.Is(err, fault.Expired, tables.SubjectRecord) {
		t.Errorf("an iterator in front of what was trimmed: %v", err)
	}
	if _, err := db.ShardIterator(ctx, arn, shard, tables.AtSequence, sequence); !fault.Is(err, fault.Expired, tables.SubjectRecord) {
		t.Errorf("a sequence number that was trimmed: %v", err)
	}
	again, err := db.ShardIterator(ctx, arn, shard, tables.TrimHorizon, "")
	if err != nil {
		t.Fatal(err)
	}
	if page, err := db.GetRecords(ctx, again, 10); err != nil || len(page.Records) != 0 || page.Next == "" {
		t.Errorf("the new horizon: %+v, %v", page, err)
	}
	db.Control().ExpireIterators()
	if _, err := db.GetRecords(ctx, again, 10); !fault.Is(err, fault.Expired, tables.SubjectIterator) {
		t.Errorf("a provoked expiry: %v", err)
	}
}

// The trim horizon is found by halving; this compares it with a walk.
func TestTrimByTime(t *testing.T) {
	c := newClock()
	r := rand.New(rand.NewPCG(7, 7))
	db := open(t, t.TempDir(), c.now, tables.Settings{FirstShards: 3, ShardRoll: 1000 * time.Hour})
	defer closing(t, db)
	arn := create(t, db, spec("orders", stream.KeysOnly)).StreamARN
	for i := range 200 {
		put(t, db, "orders", fmt.Sprintf(`{"pk":{"S":"p%d"},"sk":{"N":"%d"}}`, r.IntN(20), i))
		c.advance(time.Duration(r.IntN(20)) * time.Minute)
	}
	for range 20 {
		c.advance(time.Duration(r.IntN(3)) * time.Hour)
		want := 0
		horizon := c.now().Add(-24 * time.Hour).UnixMilli()
		for _, rec := range drain(t, db, arn) {
			if rec.Time >= horizon {
				want++
			}
		}
		if err := db.TendStreams(ctx); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, db, arn); len(got) != want {
			t.Fatalf("%d records are left, want %d", len(got), want)
		}
	}
}

func TestItemsExpire(t *testing.T) {
	c := newClock()
	db := open(t, t.TempDir(), c.now, tables.Settings{FirstShards: 1})
	defer closing(t, db)
	arn := create(t, db, spec("sessions", stream.BothSides)).StreamARN
	in := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	for i, text := range []string{
		fmt.Sprintf(`{"N":"%d"}`, in(time.Hour)), fmt.Sprintf(`{"N":"%d"}`, in(3*time.Hour)), fmt.Sprintf(`{"S":"%d"}`, in(time.Hour)),
		fmt.Sprintf(`{"N":"%d.5"}`, in(time.Hour)), `{"N":"1"}`, fmt.Sprintf(`{"N":"%d"}`, in(-6*365*24*time.Hour)),
	} {
		if i == 3 { // the first three are there when expiry is turned on
			if err := db.SetExpiry(ctx, "sessions", "until", true); err != nil {
				t.Fatal(err)
			}
		}
		put(t, db, "sessions", fmt.Sprintf(`{"pk":{"S":"%d"},"sk":{"N":"1"},"until":%s}`, i, text))
	}
	if err := db.FillIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.ExpireItems(ctx); err != nil {
		t.Fatal(err)
	}
	if s, _ := db.DescribeTable(ctx, "sessions"); s.Items != 6 {
		t.Errorf("%d items before their time, want 6", s.Items)
	}
	c.advance(2 * time.Hour)
	if err := db.ExpireItems(ctx); err != nil {
		t.Fatal(err)
	}
	if s, _ := db.DescribeTable(ctx, "sessions"); s.Items != 4 {
		t.Errorf("%d items after two hours, want 4", s.Items)
	}
	records := drain(t, db, arn)
	gone := 0
	for _, r := range records {
		if r.Event == stream.Remove && r.Expired && r.Old != nil {
			gone++
		}
	}
	if gone != 2 || len(records) != 8 {
		t.Errorf("%d of %d records say that the service removed an item, want 2 of 8", gone, len(records))
	}
}

func TestIndexOfExistingItems(t *testing.T) {
	db := open(t, t.TempDir(), time.Now, tables.Settings{})
	defer closing(t, db)
	create(t, db, spec("orders", ""))
	for i := range 1203 {
		put(t, db, "orders", fmt.Sprintf(`{"pk":{"S":"p%d"},"sk":{"N":"1"},"colour":{"S":"c%d"}}`, i, i%3))
	}
	if _, err := db.UpdateTable(ctx, &tables.TableChange{
		Table: "orders", Attributes: []item.Definition{{Name: "colour", Type: item.S}},
		Indexes: []tables.IndexChange{{Create: &tables.IndexSpec{Name: "by-colour", Keys: []tables.KeyPart{{Name: "colour", Kind: "HASH"}}, Projection: tables.ProjectKeys}}},
	}); err != nil {
		t.Fatal(err)
	}
	condition := "colour = :c"
	q := &tables.Query{Table: "orders", Index: "by-colour", KeyCondition: &condition, Values: map[string]item.Value{":c": item.Text("c1")}, Select: tables.SelectCount}
	if _, err := db.Query(ctx, q); !fault.Is(err, fault.Invalid, "") {
		t.Errorf("reading an index that is being filled: %v", err)
	}
	// Writes while the index is filled.
	put(t, db, "orders", `{"pk":{"S":"p1"},"sk":{"N":"1"},"colour":{"S":"c2"}}`)
	put(t, db, "orders", `{"pk":{"S":"new"},"sk":{"N":"1"},"colour":{"S":"c1"}}`)
	if err := db.FillIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	page, err := db.Query(ctx, q)
	if err != nil || page.Count != 401 {
		t.Errorf("%+v, %v; want 401 items", page, err)
	}
	if s, _ := db.DescribeTable(ctx, "orders"); s.Sizes["by-colour"].Items != 1204 || s.Global[0].Filling {
		t.Errorf("the index is %+v, %+v", s.Sizes, s.Global[0])
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	db := open(t, dir, c.now, tables.Settings{})
	arn := create(t, db, spec("orders", stream.BothSides)).StreamARN
	for i := range 20 {
		put(t, db, "orders", fmt.Sprintf(`{"pk":{"S":"p%d"},"sk":{"N":"1"}}`, i))
	}
	if _, err := db.Control().Split(ctx, "orders", ""); err != nil {
		t.Fatal(err)
	}
	before, err := db.DescribeStream(ctx, arn, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, db)
	db = open(t, dir, c.now, tables.Settings{})
	defer closing(t, db)
	after, err := db.DescribeStream(ctx, arn, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	strip := func(list []stream.Shard) string {
		for i := range list {
			list[i].Bytes = 0
		}
		b, _ := json.Marshal(list)
		return string(b)
	}
	if strip(before.Shards) != strip(after.Shards) {
		t.Errorf("the shards were\n%s and are\n%s", strip(before.Shards), strip(after.Shards))
	}
	put(t, db, "orders", `{"pk":{"S":"after"},"sk":{"N":"1"}}`)
	if got := drain(t, db, arn); len(got) != 21 {
		t.Errorf("%d records, want 21", len(got))
	}
	if s, err := db.DescribeTable(ctx, "orders"); err != nil || s.Items != 21 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNoRecordForNoChange(t *testing.T) {
	db := open(t, t.TempDir(), time.Now, tables.Settings{})
	defer closing(t, db)
	arn := create(t, db, spec("orders", stream.BothSides)).StreamARN
	put(t, db, "orders", `{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"NS":["1","2"]},"m":{"M":{"a":{"S":"x"},"b":{"S":"y"}}}}`)
	put(t, db, "orders", `{"m":{"M":{"b":{"S":"y"},"a":{"S":"x"}}},"sk":{"N":"1.0"},"v":{"NS":["2.0","1"]},"pk":{"S":"a"}}`)
	update := "SET m.a = :x"
	if _, err := db.Write(ctx, &tables.Write{Kind: tables.Update, Table: "orders", Item: parse(t, `{"pk":{"S":"a"},"sk":{"N":"1"}}`), Update: &update, Values: map[string]item.Value{":x": item.Text("x")}}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Write(ctx, &tables.Write{Kind: tables.Delete, Table: "orders", Item: parse(t, `{"pk":{"S":"nobody"},"sk":{"N":"1"}}`)}, ""); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, db, arn); len(got) != 1 {
		t.Errorf("%d records, want 1", len(got))
	}
}

// TestCounter has many writers add to one item: none of their additions may be lost.
func TestCounter(t *testing.T) {
	db := open(t, t.TempDir(), time.Now, tables.Settings{})
	defer closing(t, db)
	arn := create(t, db, spec("counters", stream.NewImage)).StreamARN
	update := "ADD n :one"
	one, _ := item.ParseValue(`{"N":"1"}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := db.Write(ctx, &tables.Write{Kind: tables.Update, Table: "counters", Item: parse(t, `{"pk":{"S":"a"},"sk":{"N":"1"}}`), Update: &update, Values: map[string]item.Value{":one": one}}, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	records := drain(t, db, arn)
	for i, r := range records {
		if want := fmt.Sprintf(`{"n":{"N":"%d"},"pk":{"S":"a"},"sk":{"N":"1"}}`, i+1); string(r.New) != want {
			t.Fatalf("record %d is %s, want %s", i, r.New, want)
		}
	}
	if len(records) != 400 {
		t.Errorf("%d records, want 400", len(records))
	}
}

// TestTransfers moves money between accounts in transactions while others read all of them at once: the sum
// must never vary.
func TestTransfers(t *testing.T) {
	db := open(t, t.TempDir(), time.Now, tables.Settings{})
	defer closing(t, db)
	create(t, db, spec("accounts", ""))
	const accounts = 5
	key := func(i int) item.Item { return parse(t, fmt.Sprintf(`{"pk":{"S":"a%d"},"sk":{"N":"1"}}`, i)) }
	for i := range accounts {
		put(t, db, "accounts", fmt.Sprintf(`{"pk":{"S":"a%d"},"sk":{"N":"1"},"b":{"N":"100"}}`, i))
	}
	take, give, enough := "SET b = b - :n", "SET b = b + :n", "b >= :n"
	var wg sync.WaitGroup
	var canceled atomic.Int64
	for w := range 6 {
		r := rand.New(rand.NewPCG(uint64(w), 9))
		wg.Go(func() {
			for range 60 {
				from, to := r.IntN(accounts), r.IntN(accounts-1)
				if to >= from {
					to++
				}
				n, _ := item.ParseValue(fmt.Sprintf(`{"N":"%d"}`, 1+r.IntN(80)))
				_, err := db.Transact(ctx, []*tables.Write{
					{Kind: tables.Update, Table: "accounts", Item: key(from), Update: &take, Condition: &enough, Values: map[string]item.Value{":n": n}},
					{Kind: tables.Update, Table: "accounts", Item: key(to), Update: &give, Values: map[string]item.Value{":n": n}},
				}, "", "")
				var no *tables.TransactionCanceledError
				if errors.As(err, &no) {
					canceled.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 30 {
				var reads []*tables.Read
				for i := range accounts {
					reads = append(reads, &tables.Read{Table: "accounts", Keys: []item.Item{key(i)}})
				}
				got, _, err := db.TransactGet(ctx, reads)
				if err != nil {
					t.Error(err)
					continue
				}
				sum := 0
				for _, raw := range got {
					var n int
					_, _ = fmt.Sscanf(parse(t, string(raw)).Get("b").Text, "%d", &n)
					if n < 0 {
						t.Errorf("an account has %d", n)
					}
					sum += n
				}
				if sum != accounts*100 {
					t.Errorf("the sum is %d", sum)
				}
			}
		})
	}
	wg.Wait()
	if canceled.Load() == 0 {
		t.Error("no transfer was refused; the test proves little")
	}
}

func TestTokens(t *testing.T) {
	c := newClock()
	db := open(t, t.TempDir(), c.now, tables.Settings{})
	defer closing(t, db)
	create(t, db, spec("orders", ""))
	add := "ADD n :one"
	one, _ := item.ParseValue(`{"N":"1"}`)
	do := func(token, mark string) error {
		_, err := db.Transact(ctx, []*tables.Write{{Kind: tables.Update, Table: "orders", Item: parse(t, `{"pk":{"S":"a"},"sk":{"N":"1"}}`), Update: &add, Values: map[string]item.Value{":one": one}}}, token, mark)
		return err
	}
	for range 3 {
		if err := do("t1", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := do("t1", "y"); !fault.Is(err, fault.Conflict, tables.SubjectToken) {
		t.Errorf("a token for another request: %v", err)
	}
	c.advance(11 * time.Minute)
	if err := db.Control().Housekeep(ctx); err != nil {
		t.Fatal(err)
	}
	if err := do("t1", "y"); err != nil {
		t.Errorf("a token after eleven minutes: %v", err)
	}
	raw, _, err := db.Get(ctx, &tables.Read{Table: "orders", Keys: []item.Item{parse(t, `{"pk":{"S":"a"},"sk":{"N":"1"}}`)}})
	if err != nil || !bytes.Contains(raw, []byte(`"n":{"N":"2"}`)) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestDeleteTableLeavesNothing(t *testing.T) {
	db := open(t, t.TempDir(), time.Now, tables.Settings{})
	defer closing(t, db)
	arn := create(t, db, spec("orders", stream.KeysOnly)).StreamARN
	put(t, db, "orders", `{"pk":{"S":"a"},"sk":{"N":"1"}}`)
	if _, err := db.DeleteTable(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, db, arn); len(got) != 1 {
		t.Errorf("the stream of a deleted table has %d records, want 1", len(got))
	}
	create(t, db, spec("orders", ""))
	if s, err := db.DescribeTable(ctx, "orders"); err != nil || s.Items != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if page, err := db.Scan(ctx, &tables.Query{Table: "orders"}); err != nil || page.Count != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
