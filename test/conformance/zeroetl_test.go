package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"

	"github.com/penstock-io/penstock/internal/source/sourcetest"
	"github.com/penstock-io/penstock/test/harness"
)

func tableARN(name string) string { return "arn:aws:dynamodb:us-east-1:123456789012:table/" + name }

type item = map[string]ddbtypes.AttributeValue

func text(v string) ddbtypes.AttributeValue   { return &ddbtypes.AttributeValueMemberS{Value: v} }
func number(v string) ddbtypes.AttributeValue { return &ddbtypes.AttributeValueMemberN{Value: v} }

// makeTable makes a table with a text for a partition key, and a number for a sort key if there is to be one.
func makeTable(t *testing.T, ctx context.Context, c harness.Clients, name string, sorted, stream bool) {
	t.Helper()
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: ddbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []ddbtypes.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: ddbtypes.ScalarAttributeTypeS}},
		KeySchema:            []ddbtypes.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: ddbtypes.KeyTypeHash}},
	}
	if sorted {
		in.AttributeDefinitions = append(in.AttributeDefinitions, ddbtypes.AttributeDefinition{AttributeName: aws.String("sk"), AttributeType: ddbtypes.ScalarAttributeTypeN})
		in.KeySchema = append(in.KeySchema, ddbtypes.KeySchemaElement{AttributeName: aws.String("sk"), KeyType: ddbtypes.KeyTypeRange})
	}
	if stream {
		in.StreamSpecification = &ddbtypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: ddbtypes.StreamViewTypeNewAndOldImages}
	}
	if _, err := c.DynamoDB.CreateTable(ctx, in); err != nil {
		t.Fatal(err)
	}
}

func putItem(t *testing.T, ctx context.Context, c harness.Clients, table string, it item) {
	t.Helper()
	if _, err := c.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
		t.Fatal(err)
	}
}

func deleteItem(t *testing.T, ctx context.Context, c harness.Clients, table string, key item) {
	t.Helper()
	if _, err := c.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
		t.Fatal(err)
	}
}

// replicate makes an integration of a table, and its database named like the table, and returns the ARN.
func replicate(t *testing.T, ctx context.Context, c harness.Clients, table string, tags ...types.Tag) string {
	t.Helper()
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String(table + "-integration"), SourceArn: aws.String(tableARN(table)), TargetArn: clusters.Clusters[0].ClusterNamespaceArn, TagList: tags,
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Status != types.ZeroETLIntegrationStatusCreating {
		t.Errorf("a new integration is %s", made.Status)
	}
	if err := c.Until(ctx, *made.IntegrationArn, types.ZeroETLIntegrationStatusActive); err != nil {
		t.Fatal(err)
	}
	if len(tags) == 0 {
		id := (*made.IntegrationArn)[strings.LastIndexByte(*made.IntegrationArn, ':')+1:]
		run(t, ctx, c, fmt.Sprintf(`CREATE DATABASE "%s" FROM INTEGRATION '%s'`, table, id))
	}
	return *made.IntegrationArn
}

// TestTableFollows makes a table, an integration and a database, and watches the copy follow.
func TestTableFollows(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	makeTable(t, ctx, c, "Orders", true, true)
	for i := range 250 {
		putItem(t, ctx, c, "Orders", item{"pk": text(fmt.Sprintf("c%d", i%10)), "sk": number(fmt.Sprint(i)), "total": number("12.50"), "tags": &ddbtypes.AttributeValueMemberL{Value: []ddbtypes.AttributeValue{text("a"), text("b")}}})
	}
	arn := replicate(t, ctx, c, "Orders")
	in := c.On(harness.At{Database: "Orders"})
	all := `SELECT COUNT(*), SUM("value"."total"."N"::DECIMAL(18,2)) FROM "Orders".public."Orders"`
	eventuallyReadable(t, ctx, c, all, "250 | 3125.00")

	// Changes of every kind.
	putItem(t, ctx, c, "Orders", item{"pk": text("new"), "sk": number("-1.5"), "Mixed Case": text("it's")})
	putItem(t, ctx, c, "Orders", item{"pk": text("c0"), "sk": number("0"), "total": number("100")})
	if _, err := c.DynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String("Orders"), Key: item{"pk": text("c1"), "sk": number("1")}, UpdateExpression: aws.String("SET #t = :t"), ExpressionAttributeNames: map[string]string{"#t": "total"}, ExpressionAttributeValues: item{":t": number("0.01")},
	}); err != nil {
		t.Fatal(err)
	}
	deleteItem(t, ctx, c, "Orders", item{"pk": text("c2"), "sk": number("2")})
	eventually(t, ctx, in, `SELECT pk, sk, "value"."total"."N"::VARCHAR, "value"."Mixed Case"."S"::VARCHAR FROM public."Orders" WHERE sk IN (-1.5, 0, 1, 2) ORDER BY sk`,
		"new | -1.5000000000 | null | it's", "c0 | 0.0000000000 | 100 | null", "c1 | 1.0000000000 | 0.01 | null")
	// As users write it: navigation, comparison with text, unnesting.
	eventually(t, ctx, in, `SELECT COUNT(*) FROM public."Orders" o, o."value"."tags"."L" e WHERE e."S" = 'b' AND o."value"."pk"."S" = 'c3'`, "25")
	eventually(t, ctx, in, `SELECT "value"."tags"."L"[1]."S"::VARCHAR FROM public."Orders" WHERE pk = 'c3' AND sk = 3`, "b")

	// What the system views and the API say.
	eventually(t, ctx, c, "SELECT TRIM(target_database), TRIM(source), TRIM(state), total_tables_replicated, total_tables_failed, refresh_interval FROM svv_integration", "Orders | DynamoDB | CdcRefreshState | 1 | 0 | 0")
	eventually(t, ctx, c, "SELECT TRIM(target_database), TRIM(schema_name), TRIM(table_name), TRIM(table_state), table_rows FROM svv_integration_table_state", "Orders | public | Orders | Synced | 250")
	eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_integration_activity", "true")
	eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_integration_table_activity WHERE TRIM(table_name) = 'Orders'", "true")
	eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_integration_table_state_change WHERE TRIM(new_state) = 'Synced'", "true")
	if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
		t.Error(err)
	}

	// The copy is for reading.
	for _, sql := range []string{`DELETE FROM public."Orders"`, `INSERT INTO public."Orders" (pk) VALUES ('x')`, `UPDATE public."Orders" SET pk = 'x'`, "CREATE TABLE public.mine (a INTEGER)", `DROP TABLE public."Orders"`, `TRUNCATE public."Orders"`, `ALTER TABLE public."Orders" ADD COLUMN x INTEGER`} {
		if _, err := in.SQL(ctx, sql); err == nil {
			t.Errorf("%s was accepted in a database that only the source may change", sql)
		}
	}
	// It can be joined with tables of other databases.
	run(t, ctx, c, "CREATE TABLE names (id VARCHAR(10), name VARCHAR(20))")
	run(t, ctx, c, "INSERT INTO names VALUES ('c3', 'Carol')")
	eventually(t, ctx, c, `SELECT n.name, COUNT(*) FROM names n JOIN "Orders".public."Orders" o ON o.pk = n.id GROUP BY 1`, "Carol | 25")

	// A refresh loads it again.
	run(t, ctx, c, `ALTER DATABASE "Orders" INTEGRATION REFRESH ALL TABLES`)
	eventually(t, ctx, c, "SELECT COUNT(*) FROM sys_integration_table_state_change WHERE TRIM(new_state) = 'Synced'", "2")
	eventuallyReadable(t, ctx, c, all, "250 | 3187.51")

	// Deleted, the integration leaves the rows, and follows no longer.
	if _, err := c.Redshift.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &arn}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		_, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
		var gone *types.IntegrationNotFoundFault
		return errors.As(err, &gone), fmt.Sprint(err)
	})
	putItem(t, ctx, c, "Orders", item{"pk": text("late"), "sk": number("1")})
	eventually(t, ctx, c, `SELECT COUNT(*) FROM "Orders".public."Orders"`, "250")
	run(t, ctx, c, `DROP DATABASE "Orders"`)
}

// eventuallyReadable is eventually for a table that may not be readable yet.
func eventuallyReadable(t *testing.T, ctx context.Context, c harness.Clients, sql string, want string) {
	t.Helper()
	until(t, ctx, func() (bool, string) {
		rows, err := c.SQL(ctx, sql)
		if err != nil {
			return false, err.Error()
		}
		got := make([]string, len(rows))
		for i, r := range rows {
			got[i] = strings.Join(r, " | ")
		}
		return strings.Join(got, "\n") == want, fmt.Sprintf("%s: %v, want %s", sql, got, want)
	})
}

// TestTagMakesDatabase has the tag of an integration make the database.
func TestTagMakesDatabase(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	makeTable(t, ctx, c, "tagged", false, false) // the stream is switched on
	putItem(t, ctx, c, "tagged", item{"pk": text("a")})
	replicate(t, ctx, c, "tagged", types.Tag{Key: aws.String("penstock:database"), Value: aws.String("mirror")})
	eventuallyReadable(t, ctx, c, "SELECT pk FROM mirror.public.tagged", "a")
	d, err := c.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("tagged")})
	if err != nil || d.Table.StreamSpecification == nil || d.Table.StreamSpecification.StreamViewType != ddbtypes.StreamViewTypeNewAndOldImages {
		t.Errorf("the stream that was switched on: %+v, %v", d.Table.StreamSpecification, err)
	}
}

// TestTableFaults gives a table everything that can be wrong with it. The state is the documented one, the error
// says what to do, and once the cause is gone replication goes on by itself.
func TestTableFaults(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	if err != nil {
		t.Fatal(err)
	}
	target := clusters.Clusters[0].ClusterNamespaceArn

	t.Run("no table", func(t *testing.T) {
		_, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("none"), SourceArn: aws.String(tableARN("none")), TargetArn: target})
		var missing *types.IntegrationSourceNotFoundFault
		if !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), `"none"`) {
			t.Errorf("%v", err)
		}
	})

	t.Run("keys only", func(t *testing.T) {
		makeTable(t, ctx, c, "keysonly", false, false)
		setStream(t, ctx, c, "keysonly", ddbtypes.StreamViewTypeKeysOnly)
		made, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("keysonly"), SourceArn: aws.String(tableARN("keysonly")), TargetArn: target})
		if err != nil {
			t.Fatal(err)
		}
		problem := untilProblem(t, ctx, c, *made.IntegrationArn, types.ZeroETLIntegrationStatusFailed)
		if !strings.Contains(problem, "KEYS_ONLY") || !strings.Contains(problem, "NEW_AND_OLD_IMAGES") {
			t.Errorf("the error does not say what to do: %s", problem)
		}
	})

	t.Run("stream off and on", func(t *testing.T) {
		makeTable(t, ctx, c, "offon", false, true)
		putItem(t, ctx, c, "offon", item{"pk": text("stays")})
		putItem(t, ctx, c, "offon", item{"pk": text("goes")})
		replicate(t, ctx, c, "offon")
		eventuallyReadable(t, ctx, c, "SELECT pk FROM offon.public.offon ORDER BY 1", "goes\nstays")
		setStream(t, ctx, c, "offon", "")
		deleteItem(t, ctx, c, "offon", item{"pk": text("goes")}) // in the gap, unless the stream is on again already
		putItem(t, ctx, c, "offon", item{"pk": text("comes")})
		eventuallyReadable(t, ctx, c, "SELECT pk FROM offon.public.offon ORDER BY 1", "comes\nstays")
		eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_integration_table_state_change WHERE TRIM(table_name) = 'offon' AND TRIM(new_state) = 'ResyncRequired'", "true")
	})

	t.Run("table deleted and made again", func(t *testing.T) {
		makeTable(t, ctx, c, "again", false, true)
		putItem(t, ctx, c, "again", item{"pk": text("old")})
		arn := replicate(t, ctx, c, "again")
		eventuallyReadable(t, ctx, c, "SELECT pk FROM again.public.again", "old")
		if _, err := c.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String("again")}); err != nil {
			t.Fatal(err)
		}
		problem := untilProblem(t, ctx, c, arn, types.ZeroETLIntegrationStatusNeedsAttention)
		if !strings.Contains(problem, "does not exist") || !strings.Contains(problem, "stay") {
			t.Errorf("the error does not say what to do: %s", problem)
		}
		eventually(t, ctx, c, "SELECT TRIM(table_state) FROM svv_integration_table_state WHERE TRIM(table_name) = 'again'", "DroppedSource")
		makeTable(t, ctx, c, "again", false, true)
		putItem(t, ctx, c, "again", item{"pk": text("new")})
		eventuallyReadable(t, ctx, c, "SELECT pk FROM again.public.again", "new")
		if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
			t.Error(err)
		}
	})

	t.Run("odd items", func(t *testing.T) {
		makeTable(t, ctx, c, "odd", true, true)
		big := strings.Repeat("é", 30_000)
		odd := []item{
			{"pk": text("numbers"), "sk": number("1"), "n": number("99999999999999999999999999999999999999"), "e": number("-1E-130"), "x": number("9.9999999999999999999999999999999999999E+125")},
			{"pk": text("large"), "sk": number("1"), "a": text(big), "b": text(big), "c": text(big), "d": text(big), "e": text(big), "f": text(big)},
			{"pk": text("names"), "sk": number("1"), `a."b" ü`: text("x"), "": text("empty name")},
			{"pk": text(strings.Repeat("k", 2048)), "sk": number("-99999999999999999999.9999999999"), "null": &ddbtypes.AttributeValueMemberNULL{Value: true}, "bin": &ddbtypes.AttributeValueMemberB{Value: []byte{0, 255}}},
			{"pk": text("control \x01 \u2028 \U0001F600"), "sk": number("0"), "t": text("\x00\x01\"\\")},
		}
		delete(odd[2], "")
		for _, it := range odd[:3] {
			putItem(t, ctx, c, "odd", it)
		}
		replicate(t, ctx, c, "odd")
		eventuallyReadable(t, ctx, c, "SELECT COUNT(*) FROM odd.public.odd", "3")
		for _, it := range odd[3:] {
			putItem(t, ctx, c, "odd", it)
		}
		eventuallyReadable(t, ctx, c, "SELECT COUNT(*) FROM odd.public.odd", "5")
		eventually(t, ctx, c, `SELECT "value"."n"."N"::VARCHAR, "value"."e"."N"::VARCHAR, "value"."n"."N"::DECIMAL(38,0) FROM odd.public.odd WHERE pk = 'numbers'`,
			"99999999999999999999999999999999999999 | "+exact(t, ctx, c, "odd", odd[0], "e")+" | 99999999999999999999999999999999999999")
		eventually(t, ctx, c, `SELECT LEN("value"."f"."S"::VARCHAR(65535)) FROM odd.public.odd WHERE pk = 'large'`, "30000")
	})

	t.Run("a refusal is no trouble for the others", func(t *testing.T) {
		eventually(t, ctx, c, "SELECT TRIM(table_name), TRIM(table_state) FROM svv_integration_table_state ORDER BY 1", "again | Synced", "odd | Synced", "offon | Synced")
	})
}

// exact is a number as the source writes it.
func exact(t *testing.T, ctx context.Context, c harness.Clients, table string, it item, attribute string) string {
	t.Helper()
	got, err := c.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: item{"pk": it["pk"], "sk": it["sk"]}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Item[attribute].(*ddbtypes.AttributeValueMemberN).Value
}

func setStream(t *testing.T, ctx context.Context, c harness.Clients, table string, view ddbtypes.StreamViewType) {
	t.Helper()
	spec := &ddbtypes.StreamSpecification{StreamEnabled: aws.Bool(view != "")}
	if view != "" {
		spec.StreamViewType = view
	}
	until(t, ctx, func() (bool, string) {
		_, err := c.DynamoDB.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, StreamSpecification: spec})
		var busy *ddbtypes.ResourceInUseException
		if err != nil && !errors.As(err, &busy) {
			t.Fatal(err)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// untilProblem waits for a status and returns what Errors says with it.
func untilProblem(t *testing.T, ctx context.Context, c harness.Clients, arn string, want types.ZeroETLIntegrationStatus) (message string) {
	t.Helper()
	until(t, ctx, func() (bool, string) {
		out, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		i := out.Integrations[0]
		if i.Status != want || len(i.Errors) == 0 {
			return false, fmt.Sprintf("%s %v", i.Status, i.Errors)
		}
		message = aws.ToString(i.Errors[0].ErrorMessage)
		return true, ""
	})
	return message
}

// TestTablesElsewhere replicates tables of other endpoints: another Penstock's, moto's, and the one a tester names.
func TestTablesElsewhere(t *testing.T) {
	t.Parallel()
	t.Run("embedded elsewhere", func(t *testing.T) {
		t.Parallel()
		source := sourcetest.NewServer(t)
		tableElsewhere(t, source.Endpoint, 3000)
	})
	t.Run("moto", func(t *testing.T) {
		t.Parallel()
		tableElsewhere(t, sourcetest.StartMoto(t), 100)
	})
	t.Run("named", func(t *testing.T) {
		t.Parallel()
		endpoint := os.Getenv("PENSTOCK_TEST_DYNAMODB_ENDPOINT")
		if endpoint == "" {
			t.Skip("PENSTOCK_TEST_DYNAMODB_ENDPOINT names no endpoint")
		}
		tableElsewhere(t, sourcetest.Endpoint{URL: endpoint, Region: "us-east-1", AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}, 500)
	})
}

func tableElsewhere(t *testing.T, e sourcetest.Endpoint, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	table := fmt.Sprintf("far-%d", time.Now().UnixNano())
	if err := e.CreateTable(ctx, table, false, "NEW_AND_OLD_IMAGES"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.DeleteTable(context.WithoutCancel(ctx), table) })
	l := sourcetest.NewLedger(e, table)
	put := func(i int) {
		t.Helper()
		if err := l.Put(ctx, fmt.Sprintf("key-%05d", i), 100); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		put(i)
	}
	server, err := harness.Start(ctx, harness.Options{Dir: t.TempDir(), Args: []string{"--dynamodb-endpoint", e.URL, "--manage-streams"},
		Env: []string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID=" + e.AccessKeyID, "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY=" + e.SecretAccessKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	c := server.Clients()
	replicate(t, ctx, c, table, types.Tag{Key: aws.String("penstock:database"), Value: aws.String("far")})
	for i := range 20 {
		put(i * n / 20)
	}
	for i := range 5 {
		if err := l.Delete(ctx, fmt.Sprintf("key-%05d", i)); err != nil {
			t.Fatal(err)
		}
	}
	want := 0
	for _, v := range l.Items() {
		want += v
	}
	eventuallyReadable(t, ctx, c, fmt.Sprintf(`SELECT COUNT(*), SUM("value"."v"."N"::BIGINT) FROM far.public."%s"`, table), fmt.Sprintf("%d | %d", n-5, want))
}

// TestTableSourceRefuses has the source of a table that follows refuse the credentials, throttle and fail, and then not.
func TestTableSourceRefuses(t *testing.T) {
	t.Parallel()
	source := sourcetest.NewServer(t)
	target, err := url.Parse(source.URL)
	if err != nil {
		t.Fatal(err)
	}
	faults := sourcetest.NewFaults(source.Client.Transport)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: faults, Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = target.Scheme, target.Host, p.In.Host
	}, ErrorLog: log.New(io.Discard, "", 0)})
	t.Cleanup(proxy.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := source.CreateTable(ctx, "guarded", false, "NEW_AND_OLD_IMAGES"); err != nil {
		t.Fatal(err)
	}
	l := sourcetest.NewLedger(source.Endpoint, "guarded")
	put := func(key string) {
		t.Helper()
		if err := l.Put(ctx, key, 10); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	server, err := harness.Start(ctx, harness.Options{Dir: t.TempDir(), Args: []string{"--dynamodb-endpoint", proxy.URL},
		Env: []string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID=" + source.AccessKeyID, "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY=" + source.SecretAccessKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	c := server.Clients()
	arn := replicate(t, ctx, c, "guarded", types.Tag{Key: aws.String("penstock:database"), Value: aws.String("copy")})
	const all = "SELECT LISTAGG(pk, ' ') WITHIN GROUP (ORDER BY pk) FROM copy.public.guarded"
	eventuallyReadable(t, ctx, c, all, "a")

	faults.Fail("", 0, -1, sourcetest.Before, sourcetest.Refuse(http.StatusBadRequest, "UnrecognizedClientException"))
	put("b")
	if problem := untilProblem(t, ctx, c, arn, types.ZeroETLIntegrationStatusNeedsAttention); !strings.Contains(problem, "PENSTOCK_SOURCE_AWS_") {
		t.Errorf("the error does not say what to do: %s", problem)
	}
	if got := run(t, ctx, c, all); got[0] != "a" {
		t.Errorf("while the source refuses: %v", got)
	}
	faults.Clear()
	eventuallyReadable(t, ctx, c, all, "a b")
	if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
		t.Error(err)
	}
	for i, fault := range []sourcetest.Fault{sourcetest.Refuse(http.StatusBadRequest, "ProvisionedThroughputExceededException"), sourcetest.Refuse(http.StatusInternalServerError, "InternalServerError"), {}} {
		before := faults.Count("GetRecords")
		faults.Fail("", 0, -1, sourcetest.Before, fault)
		put(fmt.Sprint("c", i))
		until(t, ctx, func() (bool, string) { return faults.Count("GetRecords") > before+3, "nothing is tried again" })
		faults.Clear()
		put(fmt.Sprint("d", i))
	}
	eventuallyReadable(t, ctx, c, all, "a b c0 c1 c2 d0 d1 d2")
}

// TestTableByOtherPrograms follows a table with boto3.
func TestTableByOtherPrograms(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed")
	}
	script := filepath.Join(t.TempDir(), "follow.py")
	if err := os.WriteFile(script, []byte(`
import boto3, time
d, r, q = boto3.resource("dynamodb"), boto3.client("redshift"), boto3.client("redshift-data")
t = d.create_table(TableName="people", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
t.wait_until_exists()
with t.batch_writer() as b:
    for i in range(100):
        b.put_item(Item={"id": i, "name": "n%d" % i, "set": {1, 2}})
arn = r.create_integration(IntegrationName="py", SourceArn=t.table_arn, TargetArn=r.describe_clusters()["Clusters"][0]["ClusterNamespaceArn"])["IntegrationArn"]
while (i := r.describe_integrations(IntegrationArn=arn)["Integrations"][0])["Status"] == "creating":
    time.sleep(0.05)
assert i["Status"] == "active", i
def sql(text, database="dev"):
    s = q.execute_statement(ClusterIdentifier="default", Database=database, Sql=text)["Id"]
    while (st := q.describe_statement(Id=s))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.02)
    if st["Status"] != "FINISHED":
        return st["Error"]
    return q.get_statement_result(Id=s)["Records"] if st["HasResultSet"] else None
assert sql("CREATE DATABASE pydb FROM INTEGRATION '%s'" % arn.split(":")[-1]) is None
t.update_item(Key={"id": 5}, UpdateExpression="SET #n = :x", ExpressionAttributeNames={"#n": "name"}, ExpressionAttributeValues={":x": "changed"})
t.delete_item(Key={"id": 6})
end = time.time() + 60
while True:
    got = sql('SELECT COUNT(*), MAX("value"."name"."S"::VARCHAR) FROM pydb.public.people WHERE id IN (5, 6)')
    if got == [[{"longValue": 1}, {"stringValue": "changed"}]]:
        break
    assert time.time() < end, got
    time.sleep(0.05)
print("followed")
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "python3", script)
	cmd.Env = append(os.Environ(), server.Env()...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "followed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTerraformTable makes the calls of Terraform's provider for aws_redshift_integration from a table: create, read,
// an empty plan, update, delete.
func TestTerraformTable(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	r := c.Redshift
	makeTable(t, ctx, c, "terraform", false, true)
	clusters, err := r.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	if err != nil {
		t.Fatal(err)
	}
	target := clusters.Clusters[0].ClusterNamespaceArn
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"redshift:CreateInboundIntegration","Resource":%q},{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration","Resource":%q,"Condition":{"StringEquals":{"aws:SourceArn":%q}}}]}`, *target, *target, tableARN("terraform"))
	if _, err := r.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: target, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	made, err := r.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String("tf"), SourceArn: aws.String(tableARN("terraform")), TargetArn: target, Description: aws.String("one"),
		KMSKeyId: aws.String("arn:aws:kms:us-east-1:123456789012:key/0f0e0d0c-1111-2222-3333-444455556666"), AdditionalEncryptionContext: map[string]string{"department": "test"},
		TagList: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(pending ...types.ZeroETLIntegrationStatus) types.Integration {
		t.Helper()
		var got types.Integration
		until(t, ctx, func() (bool, string) {
			out, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: made.IntegrationArn})
			if err != nil {
				t.Fatal(err)
			}
			got = out.Integrations[0]
			for _, p := range pending {
				if got.Status == p {
					return false, string(p)
				}
			}
			return true, ""
		})
		if got.Status != types.ZeroETLIntegrationStatusActive {
			t.Fatalf("unexpected state %s: %v", got.Status, got.Errors)
		}
		return got
	}
	first := read(types.ZeroETLIntegrationStatusCreating, types.ZeroETLIntegrationStatusModifying)
	plan := read()
	if *first.IntegrationName != "tf" || *plan.Description != "one" || *plan.SourceArn != tableARN("terraform") || *plan.TargetArn != *target || *plan.KMSKeyId != "arn:aws:kms:us-east-1:123456789012:key/0f0e0d0c-1111-2222-3333-444455556666" ||
		plan.AdditionalEncryptionContext["department"] != "test" || len(plan.Tags) != 1 {
		t.Errorf("the plan is not empty: %+v", plan)
	}
	if _, err := r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: made.IntegrationArn, IntegrationName: aws.String("tf2"), Description: aws.String("two")}); err != nil {
		t.Fatal(err)
	}
	if got := read(types.ZeroETLIntegrationStatusModifying, types.ZeroETLIntegrationStatusCreating); *got.IntegrationName != "tf2" || *got.Description != "two" {
		t.Errorf("after the update: %+v", got)
	}
	if _, err := r.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: made.IntegrationArn}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		out, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: made.IntegrationArn})
		var gone *types.IntegrationNotFoundFault
		if errors.As(err, &gone) {
			return true, ""
		}
		if err != nil || out.Integrations[0].Status != types.ZeroETLIntegrationStatusDeleting && out.Integrations[0].Status != types.ZeroETLIntegrationStatusActive {
			t.Fatalf("unexpected: %+v, %v", out, err)
		}
		return false, string(out.Integrations[0].Status)
	})
}
