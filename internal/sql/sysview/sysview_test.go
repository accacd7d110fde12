package sysview

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

type world struct {
	jobs         []copyjob.Job
	messages     []copyjob.Message
	integrations []zeroetl.Integration
}

func (w world) List(context.Context, string) ([]copyjob.Job, error)         { return w.jobs, nil }
func (w world) Messages(context.Context, string) ([]copyjob.Message, error) { return w.messages, nil }
func (w world) All(context.Context) ([]zeroetl.Integration, error)          { return w.integrations, nil }

func TestViews(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	job := func(name, bucket string, auto bool) copyjob.Job {
		return copyjob.Job{ID: 7, Name: name, WarehouseID: "w", Bucket: bucket, Prefix: "in/", Auto: auto, Created: at, Table: load.Table{Database: "dev", Schema: "public", Name: "t"}}
	}
	w := world{
		jobs:     []copyjob.Job{job("open", "b", true), job("pending", "c", false), job("alone", "d", true)},
		messages: []copyjob.Message{{JobID: 7, JobName: "open", Database: "dev", Time: at, Text: "hello"}},
		integrations: []zeroetl.Integration{
			{ID: "1", WarehouseID: "w", SourceARN: "arn:aws:s3:::b", Kind: zeroetl.SourceS3, Status: zeroetl.Active, Created: at},
			{ID: "2", WarehouseID: "w", SourceARN: "arn:aws:s3:::c", Kind: zeroetl.SourceS3, Status: zeroetl.Creating, Created: at},
			{ID: "3", WarehouseID: "other", SourceARN: "arn:aws:s3:::d", Kind: zeroetl.SourceS3, Status: zeroetl.Active},
			{ID: "4", WarehouseID: "w", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Active},
			{ID: "5", WarehouseID: "w", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Syncing, Destination: zeroetl.Destination{Database: "five", Created: at}},
			{ID: "6", WarehouseID: "w", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Active, Destination: zeroetl.Destination{Database: "six", Created: at, RefreshInterval: 900}},
			{ID: "7", WarehouseID: "w", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.NeedsAttention, Destination: zeroetl.Destination{Database: "seven", Created: at}},
		},
	}
	views := map[string][][]any{}
	for _, v := range Views(Sources{WarehouseID: "w", Jobs: w, Integrations: w,
		Pending: func() []Pending {
			return []Pending{{w.jobs[0], load.File{Bucket: "b", Key: "in/1", Size: 9, Modified: at}}}
		},
		Replications: func() []Replication {
			return []Replication{{IntegrationID: "5", Loading: true}, {IntegrationID: "6", Lag: time.Second, Applied: at}}
		},
	}) {
		rows, err := v.Rows(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if len(row) != len(v.Columns) {
				t.Errorf("%s: %d values for %d columns", v.Name, len(row), len(v.Columns))
			}
		}
		views[v.Name] = rows
	}
	if n := len(views[JobsView]); n != 3 {
		t.Errorf("%d jobs", n)
	}
	if row := views["sys_copy_job_info"][0]; row[4] != "hello" {
		t.Errorf("%v", row)
	}
	for n, want := range []string{"1 b Established 1", "2 c Pending 0", " d Inactive 0"} {
		row := views["svv_copy_job_integrations"][n]
		if got := fmt.Sprintf("%v %v %v %v", row[1], row[2], row[3], row[6]); got != want {
			t.Errorf("channel %q, want %q", got, want)
		}
	}
	states := map[string]string{}
	for _, row := range views["svv_integration"] {
		states[row[0].(string)] = fmt.Sprintf("%v %v %v", row[1], row[2], row[3])
	}
	for id, want := range map[string]string{
		"1": " S3_EVENT_NOTIFICATIONS CdcRefreshState", "4": " DynamoDB PendingDbConnectState", "5": "five DynamoDB SchemaDiscoveryState",
		"6": "six DynamoDB CdcRefreshState", "7": "seven DynamoDB ErrorState", "3": "",
	} {
		if states[id] != want {
			t.Errorf("integration %s: %q, want %q", id, states[id], want)
		}
	}
	if row := views[PendingView][0]; row[5] != "in/1" || row[7] != int64(9) {
		t.Errorf("%v", row)
	}
}
