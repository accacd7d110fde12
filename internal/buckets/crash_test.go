package buckets

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crypto/md5"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/versity/versitygw/s3err"
	"go.uber.org/goleak"
)

const childDir = "PENSTOCK_TEST_BUCKETS_CHILD"

// TestMain makes the test binary a server when asked to, so that there is a process to kill.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		// Idle connections of clients end when they please.
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"))
	}
	srv, err := Open(Config{Dir: dir, Region: "us-east-1", Account: testAccount, Store: newMemoryStore(), Now: time.Now,
		Keys: func(string) (string, bool) { return testSecret, true },
		Log:  slog.New(slog.NewTextHandler(os.Stderr, nil)), NoSync: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(httptest.NewServer(srv.Handler()).URL)
	select {}
}

// child starts a server on dir in a process of its own.
func child(t *testing.T, dir string) (cmd *exec.Cmd, url string) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// Killed at any moment, the store keeps every object it acknowledged and shows none that is not whole.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 2
	}
	dir, bucket := t.TempDir(), "killed"
	acknowledged := map[string]string{} // etag by key
	for round := range rounds {
		cmd, url := child(t, dir)
		c := client(url, testKey, testSecret, "us-east-1")
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		done := make(chan struct{}, 1000)
		for worker := range 8 {
			wg.Go(func() {
				for i := range 1000 {
					// Some keys are new, some are replaced over and over.
					key := fmt.Sprintf("w%d/%d/%d", worker, round%2, i%(20+worker*50))
					body := bytes.Repeat([]byte(fmt.Sprintf("%d %d %d\n", round, worker, i)), 3000)
					out, err := c.PutObject(context.WithoutCancel(t.Context()), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
					mu.Lock()
					if err != nil {
						acknowledged[key] = "" // it may hold the old or the new
						mu.Unlock()
						return
					}
					acknowledged[key] = strings.Trim(*out.ETag, `"`)
					mu.Unlock()
					select {
					case done <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 30 + 17*round { // killed after so many acknowledgements
			<-done
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_ = cmd.Wait()

		f := newFixture(t, func(c *Config) { c.Dir = dir })
		seen := map[string]bool{}
		if err := f.List(t.Context(), bucket, "", "", func(file load.File) error {
			seen[file.Key] = true
			data, err := os.ReadFile(file.Path)
			if err != nil {
				return err
			}
			if sum := md5.Sum(data); hex.EncodeToString(sum[:]) != file.ETag {
				t.Errorf("round %d: %s is not whole", round, file.Key)
			}
			if want := acknowledged[file.Key]; want != "" && want != file.ETag {
				t.Errorf("round %d: %s is not what was acknowledged last", round, file.Key)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for key, etag := range acknowledged {
			if etag != "" && !seen[key] {
				t.Errorf("round %d: %s is gone", round, key)
			}
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "reopened")
	f.put(t, bucket, "a/b", "kept")
	again := newFixture(t, func(c *Config) { c.Dir = f.cfg.Dir })
	if got := again.get(t, bucket, "a/b"); got != "kept" {
		t.Errorf("holds %q", got)
	}
	if a, _ := again.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

// With the disk full, writes fail with an error of their own, nothing half-written is visible, and reads and
// deletions go on.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	const size = 96 << 20
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	f := newFixture(t, func(c *Config) { c.Dir = dir + "/s3" })
	bucket := f.bucket(t, "full")
	body := bytes.Repeat([]byte("x"), 20<<20)
	stored := 0
	var failed error
	for ; failed == nil && stored < 10; stored++ {
		key := fmt.Sprint(stored)
		_, failed = f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	}
	stored--
	wantCode(t, failed, "InsufficientStorage")
	// Without a length known ahead the error comes while writing.
	status, answer := f.send(t, "PUT", "/full/chunk", bytes.NewReader([]byte(trailer(string(body), 1<<20, 0))), "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	if status >= 500 {
		t.Errorf("%d %s", status, answer)
	}
	a, _ := f.take()
	if keys := f.keys(t, bucket, "", ""); len(keys) != stored || len(a) != stored {
		t.Errorf("%d stored, listed %q, %d arrivals", stored, keys, len(a))
	}
	key := "0"
	if got := f.get(t, bucket, key); len(got) != len(body) {
		t.Errorf("%d bytes", len(got))
	}
	if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	f.put(t, bucket, "small", "fits again")
}

// Errors of a full disk are recognised in whatever form the backend passes them on.
func TestFix(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, err := range []error{
		syscall.ENOSPC, fmt.Errorf("write: %w", syscall.EDQUOT), s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice), s3err.GetAPIError(s3err.ErrQuotaExceeded),
	} {
		if got := f.objects.fix(err, "b"); !errors.Is(got, errDiskFull) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := f.objects.fix(fmt.Errorf("wrapped: %w", s3err.GetBucketErr(s3err.ErrNoSuchBucket, "/data/b")), "b"); !reflect.DeepEqual(got, s3err.GetBucketErr(s3err.ErrNoSuchBucket, "b")) {
		t.Errorf("%v", got)
	}
	if got := f.objects.fix(io.ErrClosedPipe, "b"); !errors.Is(got, s3err.GetAPIError(s3err.ErrInternalError)) {
		t.Errorf("%v", got)
	}
}
