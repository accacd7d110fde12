package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/test/harness"
)

// jobWorld is a bucket with an integration, and a table with a job for one test.
type jobWorld struct {
	t      *testing.T
	ctx    context.Context
	c      harness.Clients
	bucket string
	name   string // of the table, the job and the prefix
}

func (w jobWorld) put(key, content string) {
	w.t.Helper()
	put(w.t, w.ctx, w.c, w.bucket, w.name+"/"+key, content)
}
func (w jobWorld) run(sql string) []string { w.t.Helper(); return run(w.t, w.ctx, w.c, w.fill(sql)) }
func (w jobWorld) refused(sql, words string) {
	w.t.Helper()
	refused(w.t, w.ctx, w.c, w.fill(sql), words)
}
func (w jobWorld) eventually(sql string, want ...string) {
	w.t.Helper()
	eventually(w.t, w.ctx, w.c, w.fill(sql), want...)
}

// fill puts the test's names into a statement: $t the table and the job, $from the COPY's source.
func (w jobWorld) fill(sql string) string {
	return strings.NewReplacer("$t", w.name, "$from", "FROM 's3://"+w.bucket+"/"+w.name+"/' "+role+" CSV").Replace(sql)
}

// ids waits until the table has these ids, each once.
func (w jobWorld) ids(want string) {
	w.t.Helper()
	w.eventually("SELECT LISTAGG(id, ' ') WITHIN GROUP (ORDER BY id) FROM $t", want)
}

// files waits until the job's files have these states.
func (w jobWorld) files(want ...string) {
	w.t.Helper()
	w.eventually("SELECT REPLACE(file_name, '$t/', ''), status FROM sys_copy_job_detail WHERE job_name = '$t' ORDER BY 1", want...)
}

// TestCopyJobs is what AWS says of auto-copy.
func TestCopyJobs(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t, "--list-interval", "1h") // so that nothing is found by listing that was not heard of
	c := server.Clients()
	if _, err := c.Join(ctx, "jobs"); err != nil {
		t.Fatal(err)
	}
	n := 0
	test := func(name string, f func(w jobWorld)) {
		n++
		w := jobWorld{ctx: ctx, c: c, bucket: "jobs", name: fmt.Sprintf("job_%d", n)}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.t = t
			w.run("CREATE TABLE $t (id INTEGER)")
			f(w)
		})
	}

	test("files from before are not loaded", func(w jobWorld) {
		w.put("old", "1\n")
		w.run("COPY $t $from JOB CREATE $t")
		w.put("new", "2\n")
		w.ids("2")
		w.run("COPY $t $from") // catching up loads both: a plain COPY does not know of jobs
		w.ids("1 2 2")
		w.put("newer", "3\n")
		w.ids("1 2 2 3")
		w.files("new | I", "newer | I")
	})
	test("an overwritten file is ignored", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "1\n")
		w.ids("1")
		w.put("a", "2\n")
		w.put("b", "3\n")
		w.ids("1 3")
		w.files("a | I", "b | I")
	})
	test("a deleted file takes nothing along, and one deleted in time is gone", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "1\n")
		w.ids("1")
		del := func(key string) {
			if _, err := w.c.S3.DeleteObject(w.ctx, &s3.DeleteObjectInput{Bucket: &w.bucket, Key: aws.String(w.name + "/" + key)}); err != nil {
				w.t.Fatal(err)
			}
		}
		del("a")
		w.run("COPY JOB ALTER $t AUTO OFF")
		w.put("b", "2\n")
		del("b")
		w.put("c", "3\n")
		w.run("COPY JOB RUN $t")
		w.ids("1 3")
		w.files("a | I", "c | I")
	})
	test("AUTO OFF, RUN and ON", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t AUTO OFF")
		w.put("a", "1\n")
		w.run("COPY JOB RUN $t")
		w.ids("1")
		w.put("b", "2\n")
		w.run("COPY JOB RUN $t")
		w.run("COPY JOB RUN $t")
		w.ids("1 2")
		w.put("c", "3\n")
		w.run("COPY JOB ALTER $t AUTO ON")
		w.ids("1 2 3")
		w.put("d", "4\n")
		w.ids("1 2 3 4")
		w.refused("COPY JOB RUN $t", "Cannot run COPY job "+w.name+" manually while auto copy is enabled.")
		w.run("COPY JOB ALTER $t AUTO OFF")
		if got := w.run("SELECT is_auto FROM sys_copy_job WHERE job_name = '$t'"); got[0] != "0" {
			w.t.Errorf("is_auto is %v", got)
		}
	})
	test("a refused file is not tried again by itself", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "one\n")
		w.files("a | E")
		w.put("a", "1\n") // mended, under the same name
		w.put("b", "2\n")
		w.ids("2")
		w.files("a | E", "b | I")
		w.run("COPY JOB ALTER $t AUTO OFF")
		w.run("COPY JOB RUN $t")
		w.ids("1 2")
		w.files("a | I", "b | I")
	})
	test("dropped and created again", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "1\n")
		w.ids("1")
		w.run("COPY JOB DROP $t")
		w.put("b", "2\n") // belongs to nobody
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "3\n") // the new job has not seen it
		w.ids("1 3")
		w.files("a | I")
		w.run("COPY JOB DROP $t")
		w.refused("COPY JOB SHOW $t", "does not exist")
	})
	test("the table is dropped under it", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.put("a", "1\n")
		w.ids("1")
		w.run("DROP TABLE $t")
		w.put("b", "2\n")
		w.eventually("SELECT COUNT(*) FROM sys_copy_job_info WHERE job_name = '$t' AND message LIKE '%$t%does not exist%'", "1")
		w.files("a | I", "b | P")
		w.run("CREATE TABLE $t (id INTEGER)")
		w.ids("2")
		w.files("a | I", "b | I")
	})
	test("the table changes under it", func(w jobWorld) {
		w.run("COPY $t (id) $from JOB CREATE $t")
		w.put("a", "1\n")
		w.ids("1")
		w.run("ALTER TABLE $t ADD COLUMN src VARCHAR(5) DEFAULT 'x'")
		w.put("b", "2\n")
		w.eventually("SELECT id, src FROM $t ORDER BY 1", "1 | x", "2 | x")
	})
	test("two jobs, one prefix", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		w.run("COPY $t $from JOB CREATE $t_twin")
		w.put("a", "1\n")
		w.ids("1 1")
		w.eventually("SELECT job_name, status FROM sys_copy_job_detail WHERE file_name = '$t/a' ORDER BY 1", w.name+" | I", w.name+"_twin | I")
	})
	test("a prefix is a prefix", func(w jobWorld) {
		from := "FROM 's3://jobs/" + w.name + "/in' " + role + " CSV"
		w.run("COPY $t " + from + " JOB CREATE $t")
		w.put("in.csv", "1\n")
		w.put("in/2", "2\n")
		w.put("in3", "3\n")
		w.put("on4", "4\n")
		w.put("in/dir/", "")
		w.put("in5", "5\n")
		w.ids("1 2 3 5")
	})
	test("keys of every kind", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		for i, key := range []string{"with space", "plus+plus", "per%20cent", "ünï/çødé", "quote'd", `back\slash`, "a&b=c?d#e", "[glob]*{x}", "emoji-😀", strings.Repeat("long/", 150) + "x", ".hidden", "UPPER.CSV"} {
			w.put(key, fmt.Sprintln(i))
		}
		w.ids("0 1 2 3 4 5 6 7 8 9 10 11")
		if got := w.run("SELECT COUNT(*) FROM sys_copy_job_detail WHERE job_name = '$t' AND file_name LIKE '%emoji-😀' AND file_location = 'jobs'"); got[0] != "1" {
			w.t.Errorf("%v", got)
		}
	})
	test("objects that come in other ways", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		// In parts, the last one shorter.
		key := w.name + "/parts"
		up, err := w.c.S3.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: &key})
		if err != nil {
			w.t.Fatal(err)
		}
		done := &s3types.CompletedMultipartUpload{}
		line := []byte("7\n")
		for i, body := range [][]byte{bytes.Repeat(line, 5<<20/2), line} {
			p, err := w.c.S3.UploadPart(w.ctx, &s3.UploadPartInput{Bucket: &w.bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(body)})
			if err != nil {
				w.t.Fatal(err)
			}
			done.Parts = append(done.Parts, s3types.CompletedPart{ETag: p.ETag, PartNumber: aws.Int32(int32(i + 1))})
		}
		if _, err := w.c.S3.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: &key, UploadId: up.UploadId, MultipartUpload: done}); err != nil {
			w.t.Fatal(err)
		}
		w.eventually("SELECT COUNT(*), MIN(id) FROM $t", fmt.Sprintf("%d | 7", 5<<20/2+1))
		// By a copy.
		put(w.t, w.ctx, w.c, w.bucket, "elsewhere", "8\n")
		if _, err := w.c.S3.CopyObject(w.ctx, &s3.CopyObjectInput{Bucket: &w.bucket, Key: aws.String(w.name + "/copied"), CopySource: aws.String(w.bucket + "/elsewhere")}); err != nil {
			w.t.Fatal(err)
		}
		w.eventually("SELECT COUNT(*) FROM $t WHERE id = 8", "1")
	})
	test("many files at once", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t")
		var writers errgroup.Group
		writers.SetLimit(8)
		for id := range 400 {
			writers.Go(func() error {
				_, err := w.c.S3.PutObject(w.ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String(fmt.Sprintf("%s/%03d", w.name, id)), Body: strings.NewReader(fmt.Sprintln(id))})
				return err
			})
		}
		if err := writers.Wait(); err != nil {
			w.t.Fatal(err)
		}
		w.eventually("SELECT COUNT(*), COUNT(DISTINCT id), SUM(id) FROM $t", "400 | 400 | 79800")
	})
	test("LIST and SHOW", func(w jobWorld) {
		w.run("COPY $t $from JOB CREATE $t AUTO OFF")
		id, err := w.c.Exec(w.ctx, w.fill("COPY JOB SHOW $t"))
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.c.Wait(w.ctx, id); err != nil {
			w.t.Fatal(err)
		}
		columns, rows := fetchAll(w.t, w.ctx, w.c, id)
		if len(rows) != 1 || !strings.Contains(rows[0], w.name) || !strings.Contains(strings.Join(columns, ","), "job_name varchar") {
			w.t.Errorf("%v %v", columns, rows)
		}
		found := 0
		for _, row := range w.run("COPY JOB LIST") {
			if strings.Contains(row, " | "+w.name+" | ") {
				found++
			}
		}
		if found != 1 {
			w.t.Errorf("the job is in the list %d times", found)
		}
	})
	test("what a job may not be", func(w jobWorld) {
		for options, words := range map[string]string{
			"CSV JOB CREATE a-b": "hyphen", "CSV MAXERROR 5 JOB CREATE x": "MAXERROR", "CSV IGNOREALLERRORS JOB CREATE x": "IGNOREALLERRORS", "CSV MANIFEST JOB CREATE x": "MANIFEST",
			"CSV ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'bbbb' JOB CREATE x": "",
		} {
			w.refused("COPY $t FROM 's3://jobs/x' "+role+" "+options, words)
		}
		w.refused("COPY $t FROM 's3://jobs/x' IAM_ROLE default CSV JOB CREATE x", "IAM_ROLE")
		w.refused("COPY nowhere FROM 's3://jobs/x' "+role+" CSV JOB CREATE x", `"nowhere" does not exist`)
		w.refused("COPY JOB RUN nowhere", "does not exist")
		w.refused("COPY JOB ALTER nowhere AUTO ON", "does not exist")
	})
	test("a bucket nobody joined", func(w jobWorld) {
		if _, err := w.c.S3.CreateBucket(w.ctx, &s3.CreateBucketInput{Bucket: aws.String("jobs-alone")}); err != nil {
			w.t.Fatal(err)
		}
		w.run("COPY $t FROM 's3://jobs-alone/' " + role + " CSV JOB CREATE $t")
		put(w.t, w.ctx, w.c, "jobs-alone", "early", "1\n")
		if got := w.run("SELECT channel_state, job_state FROM svv_copy_job_integrations WHERE job_name = '$t'"); got[0] == "Established | 1" {
			w.t.Errorf("%v", got)
		}
		arn, err := w.c.Join(w.ctx, "jobs-alone")
		if err != nil {
			w.t.Fatal(err)
		}
		// What came after the job is the job's, though its channel opened later.
		w.ids("1")
		put(w.t, w.ctx, w.c, "jobs-alone", "late", "2\n")
		w.ids("1 2")
		w.eventually("SELECT channel_state, job_state, channel_arn FROM svv_copy_job_integrations WHERE job_name = '$t'", "Established | 1 | "+arn[strings.LastIndexByte(arn, ':')+1:])

		// Without its integration the job is not dropped, and loads nothing.
		if _, err := w.c.Redshift.DeleteIntegration(w.ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &arn}); err != nil {
			w.t.Fatal(err)
		}
		w.eventually("SELECT channel_state, job_state FROM svv_copy_job_integrations WHERE job_name = '$t'", "Inactive | 0")
		put(w.t, w.ctx, w.c, "jobs-alone", "between", "3\n")
		w.run("COPY JOB ALTER $t AUTO OFF")
		w.refused("COPY JOB RUN $t", "no active S3 event integration joins bucket \"jobs-alone\"")
		w.ids("1 2")
		if _, err := w.c.Join(w.ctx, "jobs-alone"); err != nil {
			w.t.Fatal(err)
		}
		w.run("COPY JOB ALTER $t AUTO ON")
		w.ids("1 2 3")
	})
	test("the notification is narrowed", func(w jobWorld) {
		arn, err := w.c.Join(w.ctx, "jobs-narrow")
		if err != nil {
			w.t.Fatal(err)
		}
		bucket := aws.String("jobs-narrow")
		n, err := w.c.S3.GetBucketNotificationConfiguration(w.ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: bucket})
		if err != nil || len(n.QueueConfigurations) != 1 || n.QueueConfigurations[0].Events[0] != "s3:ObjectCreated:*" {
			w.t.Fatalf("%+v, %v", n, err)
		}
		set := func(configurations ...s3types.QueueConfiguration) {
			if _, err := w.c.S3.PutBucketNotificationConfiguration(w.ctx, &s3.PutBucketNotificationConfigurationInput{
				Bucket: bucket, SkipDestinationValidation: aws.Bool(true), NotificationConfiguration: &s3types.NotificationConfiguration{QueueConfigurations: configurations},
			}); err != nil {
				w.t.Fatal(err)
			}
		}
		ours := n.QueueConfigurations[0]
		ours.Filter = &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{{Name: "prefix", Value: aws.String("in/")}, {Name: "suffix", Value: aws.String(".csv")}}}}
		set(ours)
		w.run("COPY $t FROM 's3://jobs-narrow/' " + role + " CSV JOB CREATE $t")
		put(w.t, w.ctx, w.c, "jobs-narrow", "out/1.csv", "1\n")
		put(w.t, w.ctx, w.c, "jobs-narrow", "in/2.txt", "2\n")
		put(w.t, w.ctx, w.c, "jobs-narrow", "in/3.csv", "3\n")
		w.ids("3")
		// Taken away altogether, the integration says so; put back, it works again.
		set()
		status := func(want redshifttypes.ZeroETLIntegrationStatus) {
			until(w.t, w.ctx, func() (bool, string) {
				out, err := w.c.Redshift.DescribeIntegrations(w.ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
				if err != nil {
					w.t.Fatal(err)
				}
				i := out.Integrations[0]
				return i.Status == want && (want == "active" || *i.Errors[0].ErrorCode == "SOURCE_NOTIFICATION_REMOVED"), fmt.Sprintf("%s %+v", i.Status, i.Errors)
			})
		}
		status("needs_attention")
		put(w.t, w.ctx, w.c, "jobs-narrow", "in/4.csv", "4\n")
		ours.Filter = nil
		set(ours)
		status("active")
		put(w.t, w.ctx, w.c, "jobs-narrow", "out/5.csv", "5\n")
		w.eventually("SELECT COUNT(*) FROM $t WHERE id = 5", "1")
	})
	test("a file of the future", func(w jobWorld) {
		// Its time comes from the server's clock, whatever its sender says.
		w.run("COPY $t $from JOB CREATE $t")
		if _, err := w.c.S3.PutObject(w.ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String(w.name + "/a"), Body: strings.NewReader("1\n"),
			Metadata: map[string]string{"mtime": "32503680000"}}); err != nil {
			w.t.Fatal(err)
		}
		w.ids("1")
		got := w.run("SELECT modification_time FROM sys_copy_job_detail WHERE job_name = '$t'")
		if at, err := time.Parse("2006-01-02 15:04:05", got[0][:19]); err != nil || at.After(time.Now().Add(time.Minute)) {
			w.t.Errorf("written at %v, %v", got, err)
		}
	})
	test("the quota", func(w jobWorld) {
		if _, err := w.c.Redshift.CreateCluster(w.ctx, &redshift.CreateClusterInput{ClusterIdentifier: aws.String("full"), NodeType: aws.String("ra3.large"), MasterUsername: aws.String("admin"), MasterUserPassword: aws.String("Abcdefg1")}); err != nil {
			w.t.Fatal(err)
		}
		full := w.c.On(harness.At{Cluster: "full"})
		until(w.t, w.ctx, func() (bool, string) {
			_, err := full.SQL(w.ctx, "CREATE TABLE IF NOT EXISTS q (id INTEGER)")
			return err == nil, fmt.Sprint(err)
		})
		var makers errgroup.Group
		makers.SetLimit(8)
		for i := range 200 {
			makers.Go(func() error {
				_, err := full.SQL(w.ctx, fmt.Sprintf("COPY q FROM 's3://jobs/q' %s CSV JOB CREATE q%d AUTO OFF", role, i))
				return err
			})
		}
		if err := makers.Wait(); err != nil {
			w.t.Fatal(err)
		}
		refused(w.t, w.ctx, full, "COPY q FROM 's3://jobs/q' "+role+" CSV JOB CREATE q200 AUTO OFF", "200")
	})
}
