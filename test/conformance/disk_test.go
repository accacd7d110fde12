package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/test/harness"
)

// smallDisk mounts a file system of so many bytes, which takes root.
func smallDisk(t *testing.T, size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no more than left bytes on the disk, and returns what gives them back.
func fill(t *testing.T, dir string, left int64) (empty func()) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := int64(st.Bavail)*st.Bsize - left
	path := filepath.Join(dir, fmt.Sprintf("ballast-%d", left))
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if free > 0 {
		if out, err := exec.Command("dd", "if=/dev/zero", "of="+path, "bs=4096", fmt.Sprintf("count=%d", free/4096)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// saysFull wants words for a full disk, and none of an internal error.
func saysFull(t *testing.T, what, text string) {
	t.Helper()
	lower := strings.ToLower(text)
	if strings.Contains(lower, "internal") || !strings.Contains(lower, "space") && !strings.Contains(lower, "disk") && !strings.Contains(lower, "storage") {
		t.Errorf("%s does not say that the disk is full: %s", what, text)
	}
}

// scrape returns the metrics.
func scrape(t *testing.T, server *harness.Server) string {
	t.Helper()
	res, err := http.Get(server.Endpoint() + "/_penstock/metrics")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %v, %v", res, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDiskFull runs the disk full while files are to be loaded, tables written and objects put. Everything says
// so, nothing is half there, and all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 96<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	server, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(disk, "data"), Args: []string{"--list-interval", "500ms"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Kill()
		if t.Failed() {
			for _, line := range server.Log() {
				if !strings.Contains(line, `"level":"DEBUG"`) {
					t.Log(line)
				}
			}
		}
	})
	c := server.Clients()
	if _, err := c.Join(ctx, "full"); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE loaded (id INTEGER, pad VARCHAR(100))")
	run(t, ctx, c, "CREATE TABLE inserted (id INTEGER, pad VARCHAR(100))")
	run(t, ctx, c, "COPY loaded FROM 's3://full/in/' "+role+" CSV JOB CREATE j")
	put(t, ctx, c, "full", "in/first", "1,x\n")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM loaded", "1")
	run(t, ctx, c, "COPY JOB ALTER j AUTO OFF")
	// Text that does not compress, so that its rows need room.
	var big strings.Builder
	seed := uint64(88172645463325252)
	for i := range 160_000 {
		fmt.Fprintf(&big, "%d,", i+100)
		for range 6 {
			seed ^= seed << 13
			seed ^= seed >> 7
			seed ^= seed << 17
			fmt.Fprintf(&big, "%016x", seed)
		}
		big.WriteByte('\n')
	}
	put(t, ctx, c, "full", "in/big", big.String())
	put(t, ctx, c, "full", "in/small", "2,x\n")

	// A little is left, for what the server writes down itself.
	empty := fill(t, disk, 3<<20)
	run(t, ctx, c, "COPY JOB ALTER j AUTO ON")
	held := regexp.MustCompile(`(?m)^penstock_copy_job_held_up\{.*job="j".*\} 1$`)
	until(t, ctx, func() (bool, string) {
		return held.MatchString(scrape(t, server)), "the metrics do not show the job as held up"
	})
	// The engine may have taken what was left to try, so that not even a statement fits.
	look := func(sql string) [][]string {
		t.Helper()
		brief, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		got, err := c.SQL(brief, sql)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			saysFull(t, sql, err.Error())
		}
		return got
	}
	for _, said := range look("SELECT message FROM sys_copy_job_info WHERE job_name = 'j' AND message LIKE 'Job j is held up and will try again:%'") {
		saysFull(t, "the job's message", said[0])
	}
	if got := look("SELECT COUNT(*) FROM loaded"); len(got) > 0 && got[0][0] != "1" && got[0][0] != "2" {
		t.Errorf("%v rows of files that are not loaded", got)
	}
	// The end of this one may have to wait for room in the metadata store; it is looked at when there is some.
	tooBig, err := c.Exec(ctx, "INSERT INTO inserted SELECT a.id, MD5(a.pad || b.pad) || MD5(b.pad || a.pad) FROM (SELECT 1 AS id, MD5('a') AS pad UNION ALL SELECT 2, MD5('b')) a, (WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) SELECT MD5(i::VARCHAR) AS pad FROM n) b")
	if err != nil {
		saysFull(t, "an INSERT", err.Error())
	} else {
		brief, done := context.WithTimeout(ctx, 10*time.Second)
		_, err := c.Wait(brief, tooBig)
		done()
		if err == nil {
			t.Error("rows were inserted that there is no room for")
		}
	}
	putFails := func() {
		t.Helper()
		_, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("full"), Key: aws.String("in/unput"), Body: strings.NewReader(big.String())}, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
		var api smithy.APIError
		if !errors.As(err, &api) {
			t.Errorf("an object was put that there is no room for: %v", err)
		} else {
			saysFull(t, "a PUT", api.ErrorCode()+" "+api.ErrorMessage())
		}
		if _, err := c.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("full"), Key: aws.String("in/unput")}); err == nil {
			t.Error("an object that was not taken is there")
		}
	}
	putFails()

	// Nothing is left: what cannot be written down is refused, or waits.
	rest := fill(t, disk, 0)
	putFails()
	waiting, err := c.Exec(ctx, "INSERT INTO inserted VALUES (7, 'waited')")
	if err != nil {
		saysFull(t, "a statement", err.Error())
	}
	scrape(t, server)
	if res, err := http.Get(server.Endpoint() + "/_penstock/health"); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("on a full disk: %v, %v", res, err)
	}
	rest()
	empty()
	if tooBig != "" {
		if _, err := c.Wait(ctx, tooBig); err == nil {
			t.Error("rows were inserted that there is no room for")
		} else {
			saysFull(t, "an INSERT", err.Error())
		}
	}
	const loaded = "SELECT COUNT(*), COUNT(DISTINCT id) FROM loaded"
	// A load that began on the full disk may end now only, and the database is opened again after it.
	for {
		id, err := c.Exec(ctx, loaded)
		if err == nil {
			_, err = c.Wait(ctx, id)
		}
		if err == nil {
			break
		}
		if saysFull(t, "a query", err.Error()); ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	eventually(t, ctx, c, loaded, "160002 | 160002")
	if waiting != "" {
		if _, err := c.Wait(ctx, waiting); err == nil {
			run(t, ctx, c, "DELETE FROM inserted WHERE id = 7 AND pad = 'waited'")
		} else {
			saysFull(t, "a statement that was taken", err.Error())
		}
	}
	put(t, ctx, c, "full", "in/after", "3,x\n")
	eventually(t, ctx, c, loaded, "160003 | 160003")
	run(t, ctx, c, "INSERT INTO inserted VALUES (1, 'x')")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM inserted", "1")
	eventually(t, ctx, c, "SELECT file_name, status FROM sys_copy_job_detail ORDER BY 1", "in/after | I", "in/big | I", "in/first | I", "in/small | I")

	// Killed on a full disk, it starts on a full disk or says why not, and starts when there is room.
	empty = fill(t, disk, 0)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	cramped, err := harness.Start(ctx, harness.Options{Dir: server.Dir})
	if err == nil {
		brief, done := context.WithTimeout(ctx, 10*time.Second)
		switch got, err := cramped.Clients().SQL(brief, loaded); {
		case err == nil && (len(got) != 1 || got[0][0] != "160003" || got[0][1] != "160003"):
			t.Errorf("on a full disk: %v", got)
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			saysFull(t, "a query", err.Error())
		}
		done()
		if err := cramped.Kill(); err != nil {
			t.Fatal(err)
		}
	} else if text := strings.ToLower(err.Error()); !strings.Contains(text, "space") && !strings.Contains(text, "full") {
		t.Errorf("a start on a full disk: %v", err)
	}
	empty()
	began := time.Now()
	again, err := harness.Start(ctx, harness.Options{Dir: server.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := again.Stop(); err != nil {
			t.Errorf("the server did not stop cleanly: %v\n%s", err, again.Tail(20))
		}
	})
	t.Logf("started again in %v", time.Since(began))
	c = again.Clients()
	eventually(t, ctx, c, loaded, "160003 | 160003")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM inserted", "1")
}
