package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
	source "github.com/penstock-io/penstock/internal/source/dynamodb"
	"github.com/penstock-io/penstock/internal/source/sourcetest"
	"github.com/penstock-io/penstock/test/harness"
)

const copied = "pages"

// pages is a server of pre-rendered pages and a penstock that replicates from it.
type pages struct {
	*sourcetest.Pages
	http   *httptest.Server
	server *harness.Server
}

func (p *pages) close() {
	_ = p.server.Kill()
	p.http.Close()
}

// snapshot has a penstock copy a table of n items and returns how long it took, from the integration's making to
// the log's word that the table is synced.
func snapshot(ctx context.Context, dir string, c sourcetest.PagesConfig) (*pages, time.Duration, error) {
	c.Table = copied
	p := &pages{Pages: sourcetest.NewPages(c)}
	p.http = httptest.NewServer(p.Pages)
	var err error
	p.server, err = harness.Start(ctx, harness.Options{
		Dir: dir, Args: []string{"--log-level", "info", "--dynamodb-endpoint", p.http.URL}, Env: []string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID=k", "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY=s"},
	})
	if err != nil {
		p.http.Close()
		return nil, 0, err
	}
	synced := p.server.Watch("table is synced")
	took, err := func() (time.Duration, error) {
		began := time.Now()
		if err := integrate(ctx, p.server.Clients(), copied); err != nil {
			return 0, err
		}
		select {
		case <-synced:
			return time.Since(began), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-p.server.Done():
			return 0, fmt.Errorf("the server ended\n%s", p.server.Tail(20))
		}
	}()
	if err == nil {
		var rows [][]string
		rows, err = p.server.Clients().SQL(ctx, `SELECT count(*) FROM copy.public."`+copied+`"`)
		if err == nil && rows[0][0] != strconv.Itoa(c.Items) {
			err = fmt.Errorf("%s rows of %d items", rows[0][0], c.Items)
		}
	}
	if err != nil {
		p.close()
		return nil, 0, err
	}
	return p, took, nil
}

// integrate makes an integration of a table with a database called copy.
func integrate(ctx context.Context, c harness.Clients, table string) error {
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	if err != nil {
		return err
	}
	_, err = c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String(table), SourceArn: aws.String("arn:aws:dynamodb:us-east-1:123456789012:table/" + table), TargetArn: clusters.Clusters[0].ClusterNamespaceArn,
		TagList: []types.Tag{{Key: aws.String("penstock:database"), Value: aws.String("copy")}},
	})
	return err
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func sizes(e *env) (all []int) {
	for _, n := range []int{10_000, 100_000, 1_000_000, 10_000_000} {
		if n = int(float64(n) * e.scale); n >= 1000 {
			all = append(all, n)
		}
	}
	return all
}

// tableSnapshot copies tables of several sizes, and reads and drops them, and appends their documents to a bare
// DuckDB.
func tableSnapshot(ctx context.Context, e *env) (figures []figure, _ error) {
	appended, err := bareAppend(ctx, e, int(1e6*e.scale))
	if err != nil {
		return nil, err
	}
	for i, n := range sizes(e) {
		p, took, err := snapshot(ctx, filepath.Join(e.dir, strconv.Itoa(i)), sourcetest.PagesConfig{Items: n})
		if err != nil {
			return nil, err
		}
		peak, err := statusKB(p.server.PID(), "VmHWM")
		p.close()
		if err != nil {
			return nil, err
		}
		rate := perSecond(n, took)
		figures = append(figures, figure{fmt.Sprintf("%d items of 1 KB with 12 attributes, from the making of the integration to Synced", n), fmt.Sprintf("%.0f items/s, peak memory %d MiB", rate, peak>>10),
			fmt.Sprintf("the same documents appended to a bare DuckDB: %.0f/s", appended), fmt.Sprintf("%.2f", rate/appended)})
	}
	n := int(1e6 * e.scale)
	took, err := readAndDrop(ctx, n)
	if err != nil {
		return nil, err
	}
	rate := perSecond(n, took)
	return append(figures, figure{fmt.Sprintf("%d items read and dropped", n), fmt.Sprintf("%.0f items/s", rate), fmt.Sprintf("appended to a bare DuckDB: %.0f/s", appended), fmt.Sprintf("%.2f", rate/appended)}), nil
}

// readAndDrop reads a snapshot in this process and throws it away.
func readAndDrop(ctx context.Context, n int) (time.Duration, error) {
	server := httptest.NewServer(sourcetest.NewPages(sourcetest.PagesConfig{Table: copied, Items: n}))
	defer server.Close()
	transport := source.NewTransport()
	defer transport.CloseIdleConnections()
	src, err := source.New(source.Config{
		Table: copied, Endpoint: server.URL, Region: "us-east-1", Credentials: access.Fixed("us-east-1", "k", secret.NewText("s")),
		Transport: transport, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	items := 0
	began := time.Now()
	err = src.Snapshot(ctx, nil, func(_ context.Context, page change.Page) error {
		items += len(page.Rows)
		return nil
	})
	if err == nil && items != n {
		err = fmt.Errorf("%d items were read of %d", items, n)
	}
	return time.Since(began), err
}

// bareAppend appends documents like those of the pages to a table of a DuckDB file and returns how many a second.
func bareAppend(ctx context.Context, e *env, n int) (float64, error) {
	var doc string
	server := httptest.NewServer(sourcetest.NewPages(sourcetest.PagesConfig{Table: copied, Items: 1}))
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(`{"TotalSegments":1}`))
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Scan")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return 0, err
	}
	if m := regexp.MustCompile(`(?s)"Items":\[(\{.*\})\]`).FindSubmatch(text); m != nil {
		doc = string(m[1])
	} else {
		return 0, fmt.Errorf("no item in %.100s", text)
	}
	connector, err := duckdb.NewConnector(filepath.Join(e.dir, "bare.duckdb"), nil)
	if err != nil {
		return 0, err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if _, err := db.ExecContext(ctx, "SET memory_limit='256MiB'; CREATE TABLE t (pk VARCHAR, value VARCHAR)"); err != nil {
		return 0, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	appender, err := duckdb.NewAppenderFromConn(conn, "", "t")
	if err != nil {
		return 0, err
	}
	// Every document has its own key in it, as those that are replicated do: a column of one text over and over would
	// cost the engine next to nothing.
	const first = "item-0000000000"
	head, tail, ok := strings.Cut(doc, first)
	if !ok {
		return 0, fmt.Errorf("the document has no key %s: %.100s", first, doc)
	}
	for i := range n {
		key := fmt.Sprintf("item-%010d", i)
		if err := appender.AppendRow(driver.Value(key), driver.Value(head+key+tail)); err != nil {
			return 0, err
		}
	}
	if err := appender.Close(); err != nil {
		return 0, err
	}
	if _, err := db.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return 0, err
	}
	return perSecond(n, time.Since(began)), nil
}

// tableDrain has a backlog of changes applied to tables of several sizes.
func tableDrain(ctx context.Context, e *env) (figures []figure, _ error) {
	var first float64
	for i, n := range []int{10_000, 1_000_000, 10_000_000} {
		n = int(float64(n) * e.scale)
		changes := int(1e6 * e.scale)
		p, _, err := snapshot(ctx, filepath.Join(e.dir, strconv.Itoa(i)), sourcetest.PagesConfig{Items: n, Changes: changes, Keys: int(3e5 * e.scale)})
		if err != nil {
			return nil, err
		}
		began := time.Now()
		p.Flow()
		// It is over when no more are applied. How many that will be depends on how batches fall: of several changes
		// of a key in one batch the last one counts.
		var applied float64
		took := time.Duration(0)
		for last := began; time.Since(last) < 3*time.Second; time.Sleep(20 * time.Millisecond) {
			now, err := metric(ctx, p.server, "penstock_table_changes_total")
			if err != nil {
				p.close()
				return nil, err
			}
			if now != applied {
				applied, last, took = now, time.Now(), time.Since(began)
			}
		}
		p.close()
		if applied < 3e5*e.scale*0.9 {
			return nil, fmt.Errorf("only %.0f changes were applied", applied)
		}
		rate := perSecond(changes, took)
		if first == 0 {
			first = rate
		}
		figures = append(figures, figure{fmt.Sprintf("%d puts, updates and deletes over %d keys into a table of %d rows", changes, int(3e5*e.scale), n), fmt.Sprintf("%.0f changes/s", rate),
			fmt.Sprintf("into the smallest table: %.0f/s", first), fmt.Sprintf("%.2f", rate/first)})
	}
	return figures, nil
}

// metric reads a metric with one value.
func metric(ctx context.Context, s *harness.Server, name string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint()+"/_penstock/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + name + `\{.*\} (\S+)$`).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// tableFreshness changes an embedded table at a steady rate and asks for the newest change in SQL all the time.
func tableFreshness(ctx context.Context, e *env) ([]figure, error) {
	const rate, keys, writers = 2000, 5000, 8
	server, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(e.dir, "fresh"), Args: []string{"--log-level", "info"}})
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	c := server.Clients()
	_, err = c.DynamoDB.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(copied), BillingMode: ddbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []ddbtypes.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: ddbtypes.ScalarAttributeTypeN}},
		KeySchema:            []ddbtypes.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: ddbtypes.KeyTypeHash}},
	})
	if err != nil {
		return nil, err
	}
	synced := server.Watch("table is synced")
	if err := integrate(ctx, c, copied); err != nil {
		return nil, err
	}
	<-synced
	during := max(3*time.Second, time.Duration(20*e.scale*float64(time.Second)))
	total := int(during.Seconds() * rate)
	// acked is when each change was acknowledged; a change is known by its number, which grows per writer.
	acked := make([]atomic.Int64, total)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var writing sync.WaitGroup
	began := time.Now()
	for range writers {
		writing.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= total || failed.Load() != nil {
					return
				}
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / rate)))
				_, err := c.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(copied), Item: map[string]ddbtypes.AttributeValue{
					"pk": &ddbtypes.AttributeValueMemberN{Value: strconv.Itoa(i % keys)}, "n": &ddbtypes.AttributeValueMemberN{Value: strconv.Itoa(i)},
				}})
				if err != nil {
					failed.Store(&err)
					return
				}
				acked[i].Store(time.Now().UnixNano())
			}
		})
	}
	// The changes of one key come in their order, so what is seen of a key says of all its earlier changes too. A
	// look reads the newest of every key: the freshness of a change is from its acknowledgement to the end of the
	// first look that shows it or a later one of its key.
	var fresh []time.Duration
	shown := make([]int, keys)
	for k := range shown {
		shown[k] = k - keys
	}
	for len(fresh) < total && failed.Load() == nil {
		rows, err := c.SQL(ctx, `SELECT LISTAGG("value"."n"."N"::VARCHAR, ',') FROM copy.public."`+copied+`"`)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		for _, m := range regexp.MustCompile(`\d+`).FindAllString(rows[0][0], -1) {
			n, _ := strconv.Atoi(m)
			for k := n % keys; shown[k] < n; {
				shown[k] += keys
				if at := acked[shown[k]].Load(); at > 0 {
					fresh = append(fresh, max(0, now.Sub(time.Unix(0, at))))
				} else {
					fresh = append(fresh, 0) // seen before its writer had word
				}
			}
		}
	}
	writing.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	achieved := perSecond(total, time.Since(began))
	// The baseline is a look with nothing going on: no change can be seen faster.
	var looks []time.Duration
	for range 20 {
		at := time.Now()
		if _, err := c.SQL(ctx, `SELECT LISTAGG("value"."n"."N"::VARCHAR, ',') FROM copy.public."`+copied+`"`); err != nil {
			return nil, err
		}
		looks = append(looks, time.Since(at))
	}
	p50, p99, look := percentile(fresh, 50), percentile(fresh, 99), percentile(looks, 50)
	return []figure{{fmt.Sprintf("write acknowledged to visible in SQL, at %.0f changes/s (looks included)", achieved), fmt.Sprintf("p50 %s, p99 %s", ms(p50), ms(p99)),
		"one look at a table at rest: " + ms(look), fmt.Sprintf("%.1f", float64(p50)/float64(look))}}, nil
}
