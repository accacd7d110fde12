package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

// follow copies a table into the warehouse and follows it while it changes.
func (d *demo) follow(ctx context.Context) error {
	fmt.Fprint(d.Out, "\n1. A DynamoDB table, copied whole and then followed change by change.\n\n")
	var id string
	for _, s := range []struct {
		what string
		do   func() (string, error)
	}{
		{"dynamodb create-table " + table, func() (string, error) { return "made", d.makeTable(ctx) }},
		{fmt.Sprintf("dynamodb batch-write-item, %d items", d.Items), func() (string, error) { return "written", d.fill(ctx) }},
		{"redshift create-integration " + table, func() (_ string, err error) {
			id, err = d.integrate(ctx, table, fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", d.Region, d.Account, table))
			return "active", err
		}},
		{"CREATE DATABASE " + database + " FROM INTEGRATION", func() (string, error) {
			_, err := d.sql(ctx, fmt.Sprintf("CREATE DATABASE %s FROM INTEGRATION '%s'", database, id))
			return "done", err
		}},
		{"the whole table", func() (string, error) { return "there", d.copied(ctx) }},
	} {
		if err := d.step(s.what, s.do); err != nil {
			return err
		}
	}
	return d.changes(ctx)
}

func (d *demo) makeTable(ctx context.Context) error {
	_, err := d.dynamodb.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	return err
}

func customer(n int) string { return fmt.Sprintf("c-%05d", n) }

// item is customer n as of a change; 0 is before the first.
func item(n, change int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"id":      &types.AttributeValueMemberS{Value: customer(n)},
		"name":    &types.AttributeValueMemberS{Value: fmt.Sprintf("Customer %d", n)},
		"credit":  &types.AttributeValueMemberN{Value: fmt.Sprintf("%d.%02d", n%1000, n%100)},
		"changed": &types.AttributeValueMemberN{Value: fmt.Sprint(change)},
		"address": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"city": &types.AttributeValueMemberS{Value: []string{"Oslo", "Lima", "Kyoto", "Accra"}[n%4]},
			"zip":  &types.AttributeValueMemberS{Value: fmt.Sprintf("%05d", n*7%100_000)},
		}},
	}
}

// fill writes the items the table begins with.
func (d *demo) fill(ctx context.Context) error {
	const perCall = 25
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.Writers)
	for from := 0; from < d.Items; from += perCall {
		group.Go(func() error {
			var puts []types.WriteRequest
			for n := from; n < min(from+perCall, d.Items); n++ {
				puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item(n, 0)}})
			}
			_, err := d.dynamodb.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: puts}})
			return err
		})
	}
	return group.Wait()
}

const copied = `SELECT count(*), max("value"."changed"."N"::bigint) FROM ` + database + `.public."` + table + `"`

// copied waits until all items are in the warehouse.
func (d *demo) copied(ctx context.Context) error {
	for {
		// Until it is loaded, the table is not there or may not be read.
		if rows, err := d.sql(ctx, copied); err == nil && long(rows[0][0]) == int64(d.Items) {
			return nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// changes puts, updates and deletes items, one after the other, and watches the warehouse follow.
func (d *demo) changes(ctx context.Context) error {
	fmt.Fprintf(d.Out, "\nChanging it %d times: 4 of 5 are updates, the others delete.\n\n", d.Changes)
	var mu sync.Mutex
	acked := make([]time.Time, 0, d.Changes)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for i := range d.Changes {
			var err error
			if (i+1)%5 == 0 {
				_, err = d.dynamodb.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(table), Key: map[string]types.AttributeValue{"id": item(d.Items-1-i, 0)["id"]}})
			} else {
				_, err = d.dynamodb.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(table), Item: item(i, i+1)})
			}
			if err != nil {
				return err
			}
			mu.Lock()
			acked = append(acked, time.Now())
			mu.Unlock()
		}
		return nil
	})
	var fresh []time.Duration
	group.Go(func() error {
		view := screen{demo: d}
		for counted := int64(0); ; {
			rows, err := d.sql(ctx, copied)
			if err != nil {
				return err
			}
			now, newest := time.Now(), long(rows[0][1])
			mu.Lock()
			made := len(acked)
			for ; counted < min(newest, int64(made)); counted++ { // seen now at the latest
				fresh = append(fresh, max(0, now.Sub(acked[counted])))
			}
			mu.Unlock()
			deletes := d.Changes / 5
			last := made == d.Changes && long(rows[0][0]) == int64(d.Items-deletes) && newest == int64(d.Changes-1)
			view.show([]string{
				fmt.Sprintf("source   %s %6d changes", bar(made, d.Changes), made),
				fmt.Sprintf("copy     %s %6d rows", bar(int(newest), d.Changes-1), long(rows[0][0])),
				fmt.Sprintf("freshness (write acknowledged to row visible)  %s", freshness(fresh)),
			}, fmt.Sprintf("changes made %5d  seen in the copy %5d   rows %6d   freshness %s", made, newest, long(rows[0][0]), freshness(fresh)), last)
			if last {
				return nil
			}
			if err := wait(ctx, 25*time.Millisecond); err != nil {
				return err
			}
		}
	})
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "\nThe copy is the table: %d rows. Write acknowledged to row visible in SQL: %s.\n", d.Items-d.Changes/5, freshness(fresh))
	return nil
}
