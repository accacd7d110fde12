package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

const tableJSON = `{"TableName":"bench","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],` +
	`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]%s}`

const withStream = `,"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}`

// itemJSON is an item of about the size.
func itemJSON(n uint64, size int) string {
	return fmt.Sprintf(`{"pk":{"S":"key-%012d"},"name":{"S":"customer %d"},"n":{"N":"%d"},"pad":{"S":"%s"}}`, n*2654435761%1_000_000_000_000, n, n, strings.Repeat("x", max(0, size-90)))
}

func batchJSON(from uint64, n, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"RequestItems":{"bench":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"PutRequest":{"Item":` + itemJSON(from+uint64(i), size) + `}}`)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func writeBatches(c *client, d time.Duration, clients int) (float64, error) {
	var next atomic.Uint64
	n, took, err := load(clients, d, func(int) (int, error) {
		return 25, c.call("BatchWriteItem", batchJSON(next.Add(25), 25, 200), nil)
	})
	return perSecond(n, took), err
}

func batchWrite(b *bench) ([]figure, error) {
	var out []figure
	raw, err := rawWrites(filepath.Join(b.dir, "raw"), b.seconds)
	if err != nil {
		return nil, err
	}
	moto := motoWrites(b.seconds)
	for _, streams := range []bool{false, true} {
		extra, what := "", "BatchWriteItem, 25 × 200 B, 8 clients, durable"
		if streams {
			extra, what = withStream, what+", with a stream of both images"
			if err := b.client.call("DeleteTable", []byte(`{"TableName":"bench"}`), nil); err != nil {
				return nil, err
			}
		}
		if err := b.client.call("CreateTable", fmt.Appendf(nil, tableJSON, extra), nil); err != nil {
			return nil, err
		}
		rate, err := writeBatches(b.client, b.seconds, 8)
		if err != nil {
			return nil, err
		}
		base := "storage's own batches: " + count(raw) + " items/s"
		ratio := fmt.Sprintf("%.2f", rate/raw)
		if moto > 0 {
			base += "; moto: " + count(moto)
			ratio += fmt.Sprintf("; %.0f ×", rate/moto)
		}
		out = append(out, figure{what, count(rate) + " items/s", "15,000", "40,000", base, ratio})
	}
	return out, nil
}

// rawWrites is the limit: the same bytes, put into storage without anything around it.
func rawWrites(dir string, d time.Duration) (float64, error) {
	s, err := storage.Open(storage.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	value := bytes.Repeat([]byte{'x'}, 260)
	var next atomic.Uint64
	n, took, err := load(8, d, func(int) (int, error) {
		from := next.Add(25)
		return 25, s.Commit(func(b *storage.Batch) {
			for i := range uint64(25) {
				b.Set(storage.AppendHash(storage.ItemPrefix(1), (from+i)*0x9E3779B97F4A7C15), value)
			}
		})
	})
	return perSecond(n, took), err
}

// motoWrites is the rate of moto's server; 0 where it is not installed.
func motoWrites(d time.Duration) float64 {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return 0
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	if cmd.Start() != nil {
		return 0
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	c := newClient(fmt.Sprintf("http://127.0.0.1:%d", port))
	for range 200 {
		if c.call("CreateTable", fmt.Appendf(nil, tableJSON, ""), nil) == nil {
			rate, err := writeBatches(c, d/2, 2)
			if err != nil {
				return 0
			}
			return rate
		}
		time.Sleep(50 * time.Millisecond) // another program's start is not to be had otherwise
	}
	return 0
}

// fill puts n items of the size into the table, without HTTP.
func (b *bench) fill(n, size int, extra string) error {
	if err := b.client.call("CreateTable", fmt.Appendf(nil, tableJSON, extra), nil); err != nil {
		return err
	}
	return fillTable(b.db, n, size)
}

func fillTable(db *tables.DB, n, size int) error {
	var next atomic.Int64
	_, _, err := load(8, time.Hour, func(int) (int, error) {
		from := int(next.Add(25)) - 25
		if from >= n {
			return 0, errDone
		}
		var writes []*tables.Write
		for i := range 25 {
			m, err := item.Parse(itemJSON(uint64(from+i), size))
			if err != nil {
				return 0, err
			}
			writes = append(writes, &tables.Write{Kind: tables.Put, Table: "bench", Item: m})
		}
		_, err := db.BatchWrite(context.Background(), writes)
		return 25, err
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

var errDone = errors.New("done")

func getItem(b *bench) ([]figure, error) {
	const items = 100_000
	if err := b.fill(items, 200, ""); err != nil {
		return nil, err
	}
	var next atomic.Uint64
	n, took, err := load(16, b.seconds, func(int) (int, error) {
		i := next.Add(7919) % items
		return 1, b.client.call("GetItem", fmt.Appendf(nil, `{"TableName":"bench","Key":{"pk":{"S":"key-%012d"}}}`, i*2654435761%1_000_000_000_000), nil)
	})
	if err != nil {
		return nil, err
	}
	rate := perSecond(n, took)
	n, took, err = load(16, b.seconds, func(int) (int, error) { return 1, b.client.call("DescribeEndpoints", []byte(`{}`), nil) })
	if err != nil {
		return nil, err
	}
	empty := perSecond(n, took)
	return []figure{{"GetItem, 16 clients", count(rate) + "/s", "10,000", "25,000", "a call that does nothing, same client: " + count(empty) + "/s", fmt.Sprintf("%.2f", rate/empty)}}, nil
}

func scan(b *bench) ([]figure, error) {
	const items = 100_000
	if err := b.fill(items, 1000, ""); err != nil {
		return nil, err
	}
	all := func() (int, error) {
		total := 0
		counts := make(chan int, 4)
		errs := make(chan error, 4)
		for segment := range 4 {
			go func() {
				last, n := "", 0
				for {
					in := fmt.Sprintf(`{"TableName":"bench","Segment":%d,"TotalSegments":4%s}`, segment, last)
					last = ""
					err := b.client.call("Scan", []byte(in), func(body []byte) error {
						// Nothing is decoded: only the count and where to go on are cut out of the end.
						i := bytes.LastIndex(body, []byte(`"Count":`))
						if i < 0 {
							return fmt.Errorf("no count in the answer")
						}
						c := 0
						_, err := fmt.Sscanf(string(body[i:min(len(body), i+30)]), `"Count":%d`, &c)
						n += c
						if j := bytes.LastIndex(body, []byte(`"LastEvaluatedKey":`)); j >= 0 {
							last = `,"ExclusiveStartKey":` + string(body[j+len(`"LastEvaluatedKey":`):len(body)-1])
						}
						return err
					})
					if err != nil {
						errs <- err
						return
					}
					if last == "" {
						counts <- n
						return
					}
				}
			}()
		}
		for range 4 {
			select {
			case n := <-counts:
				total += n
			case err := <-errs:
				return total, err
			}
		}
		return total, nil
	}
	began, n := time.Now(), 0
	for time.Since(began) < b.seconds {
		got, err := all()
		if err != nil {
			return nil, err
		}
		if got != items {
			return nil, fmt.Errorf("the scan found %d items of %d", got, items)
		}
		n += got
	}
	rate := perSecond(n, time.Since(began))
	raw, err := rawScan(filepath.Join(b.dir, "raw"), items, b.seconds/2)
	if err != nil {
		return nil, err
	}
	return []figure{{"Scan, 4 segments, 1 KB items, not decoded", count(rate) + " items/s", "80,000", "200,000", "storage's own walk, copying: " + count(raw) + "/s", fmt.Sprintf("%.2f", rate/raw)}}, nil
}

// rawScan is the limit: a walk over as many values of the same size.
func rawScan(dir string, items int, d time.Duration) (float64, error) {
	s, err := storage.Open(storage.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	value := bytes.Repeat([]byte{'x'}, 1000)
	for from := 0; from < items; from += 1000 {
		if err := s.Commit(func(b *storage.Batch) {
			for i := range 1000 {
				b.Set(storage.AppendHash(storage.ItemPrefix(1), uint64(from+i)*0x9E3779B97F4A7C15), value)
			}
		}); err != nil {
			return 0, err
		}
	}
	n, took, err := load(2, d, func(int) (int, error) {
		it, err := s.Iterate(storage.ItemPrefix(1), storage.End(storage.ItemPrefix(1)))
		if err != nil {
			return 0, err
		}
		defer it.Close()
		n := 0
		var page []byte
		for ok := it.First(); ok; ok = it.Next() {
			v, err := it.Value()
			if err != nil {
				return n, err
			}
			if page = append(page, v...); len(page) > 1<<20 {
				page = page[:0]
			}
			n++
		}
		return n, nil
	})
	return perSecond(n, took), err
}

// shards returns an iterator at the beginning of each shard of the table's stream.
func (b *bench) shards(kind string) (iterators []string, err error) {
	status, err := b.db.DescribeTable(context.Background(), "bench")
	if err != nil {
		return nil, err
	}
	info, err := b.db.DescribeStream(context.Background(), status.StreamARN, "", "", 100)
	if err != nil {
		return nil, err
	}
	for _, s := range info.Shards {
		token, err := b.db.ShardIterator(context.Background(), status.StreamARN, s.ID, kind, "")
		if err != nil {
			return nil, err
		}
		iterators = append(iterators, token)
	}
	return iterators, nil
}

type recordsAnswer struct{ NextShardIterator string }

// next cuts the iterator out of the end of an answer.
func nextIterator(body []byte) (string, error) {
	i := bytes.LastIndex(body, []byte(`"NextShardIterator":`))
	if i < 0 {
		return "", nil
	}
	var out recordsAnswer
	err := json.Unmarshal(append([]byte{'{'}, body[i:]...), &out)
	return out.NextShardIterator, err
}

func getRecords(b *bench) ([]figure, error) {
	const items = 60_000
	if err := b.fill(items, 200, withStream); err != nil {
		return nil, err
	}
	first, err := b.shards(tables.TrimHorizon)
	if err != nil {
		return nil, err
	}
	began, n := time.Now(), 0
	calls := []time.Duration{}
	for time.Since(began) < b.seconds {
		for _, it := range first {
			for it != "" {
				t := time.Now()
				got := 0
				err := b.client.call("GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q,"Limit":1000}`, it), func(body []byte) (err error) {
					got = bytes.Count(body, []byte(`"eventID"`))
					it, err = nextIterator(body)
					return err
				})
				if err != nil {
					return nil, err
				}
				if got == 0 {
					break
				}
				n += got
				calls = append(calls, time.Since(t))
			}
		}
	}
	rate := perSecond(n, time.Since(began))
	var records []byte
	r := stream.Record{Event: stream.Insert, Keys: []byte(`{"pk":{"S":"key"}}`), New: []byte(itemJSON(1, 200))}
	began, parsed := time.Now(), 0
	for time.Since(began) < b.seconds/4 {
		records = r.Append(records[:0])
		if _, err := stream.ParseRecord(records); err != nil {
			return nil, err
		}
		parsed++
	}
	raw := perSecond(parsed, time.Since(began))
	return []figure{{
		"GetRecords, 1,000 a call, one reader", fmt.Sprintf("%s records/s, p50 of a call %.1f ms", count(rate), quantile(calls, 0.5).Seconds()*1000), "50,000", "150,000",
		"the record codec alone: " + count(raw) + "/s", fmt.Sprintf("%.3f", rate/raw),
	}}, nil
}

// freshness is the time from the acknowledgement of a put to when a reader that asks all the time has it.
func freshness(b *bench) ([]figure, error) {
	if err := b.client.call("CreateTable", fmt.Appendf(nil, tableJSON, withStream), nil); err != nil {
		return nil, err
	}
	iterators, err := b.shards(tables.Latest)
	if err != nil {
		return nil, err
	}
	var late, puts []time.Duration
	began := time.Now()
	for n := uint64(0); time.Since(began) < b.seconds; n++ {
		t := time.Now()
		if err := b.client.call("PutItem", fmt.Appendf(nil, `{"TableName":"bench","Item":%s}`, itemJSON(n, 200)), nil); err != nil {
			return nil, err
		}
		acked := time.Now()
		puts = append(puts, acked.Sub(t))
		for found := false; !found; {
			for i, it := range iterators {
				err := b.client.call("GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q}`, it), func(body []byte) (err error) {
					found = found || bytes.Contains(body, []byte(`"eventID"`))
					iterators[i], err = nextIterator(body)
					return err
				})
				if err != nil {
					return nil, err
				}
			}
		}
		late = append(late, time.Since(acked))
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }
	return []figure{{
		"put acknowledged to readable from the stream, 4 shards polled in turn", "p50 " + ms(quantile(late, 0.5)) + ", p99 " + ms(quantile(late, 0.99)), "p99 20 ms", "p99 5 ms",
		"the put itself: p50 " + ms(quantile(puts, 0.5)) + ", p99 " + ms(quantile(puts, 0.99)), fmt.Sprintf("%.2f", float64(quantile(late, 0.99))/float64(quantile(puts, 0.99))),
	}}, nil
}

func memory(b *bench) ([]figure, error) {
	dir := filepath.Join(b.dir, "memory")
	db, err := openTables(dir)
	if err != nil {
		return nil, err
	}
	if _, err := db.CreateTable(context.Background(), &tables.TableSpec{Name: "bench", Billing: tables.OnDemand, Attributes: []item.Definition{{Name: "pk", Type: item.S}}, Keys: []tables.KeyPart{{Name: "pk", Kind: "HASH"}}}); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := fillTable(db, b.items, 200); err != nil {
		return nil, err
	}
	took := time.Since(began)
	if err := db.Close(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := exec.Command(self, "-idle", dir).Output()
	if err != nil {
		return nil, err
	}
	none, err := exec.Command(self, "-idle", filepath.Join(b.dir, "nothing")).Output()
	if err != nil {
		return nil, err
	}
	return []figure{{
		"resident memory, " + count(float64(b.items)) + " items stored, idle", strings.TrimSpace(string(out)), "150 MiB", "80 MiB",
		"the same process without tables: " + strings.TrimSpace(string(none)), "filled at " + count(perSecond(b.items, took)) + " items/s without HTTP",
	}}, nil
}

// printIdle prints the memory of this process when the tables of a directory are open and were used a little.
func printIdle(dir string) error {
	db, err := openTables(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	if storage.Exists(filepath.Join(dir, "store")) {
		for i := range uint64(1000) {
			m, err := item.Parse(itemJSON(i*31, 200))
			if err != nil {
				return err
			}
			if _, _, err := db.Get(context.Background(), &tables.Read{Table: "bench", Keys: []item.Item{m.Only([]string{"pk"})}}); err != nil {
				return err
			}
		}
	}
	time.Sleep(2 * time.Second) // idle
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kb float64
			_, _ = fmt.Sscan(rest, &kb)
			fmt.Printf("%.0f MiB\n", kb/1024)
		}
	}
	return nil
}
