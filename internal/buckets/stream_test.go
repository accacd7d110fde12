package buckets

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// cycle is an endless stream. Its period is a prime, so that a block out of place shows.
type cycle struct {
	block []byte
	at    int
}

func newCycle() *cycle {
	block := make([]byte, 1048573)
	rand.NewChaCha8([32]byte{}).Read(block)
	return &cycle{block: block}
}

func (c *cycle) Read(p []byte) (int, error) {
	n := copy(p, c.block[c.at:])
	c.at = (c.at + n) % len(c.block)
	return n, nil
}

// Objects stream through in constant memory, both ways and in every framing.
func TestLargeObjectsInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 3 GiB")
	}
	const size = 1 << 30
	cmd, base := child(t, t.TempDir())
	c := client(base, testKey, testSecret, "us-east-1")
	bucket := "large"
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	idle := peak(t, cmd.Process.Pid)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	put := func(key, hash string, body io.Reader, length int64, header http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/large/"+key, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header = header
		req.Header.Set("X-Amz-Content-Sha256", hash)
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, answer)
		}
		t.Logf("put %s: %.0f MB/s", key, size/1e6/time.Since(start).Seconds())
	}
	put("plain", unsigned, io.LimitReader(newCycle(), size), size, http.Header{})

	const chunk = 64 << 10
	head := fmt.Sprintf("%x\r\n", chunk)
	chunks := io.MultiReader(&framed{src: newCycle(), head: head, chunk: chunk, left: size / chunk}, strings.NewReader("0\r\n\r\n"))
	put("chunked", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", chunks, size/chunk*int64(len(head)+chunk+2)+5, http.Header{
		"X-Amz-Decoded-Content-Length": {strconv.Itoa(size)}, "Content-Encoding": {"aws-chunked"}})

	for _, key := range []string{"plain", "chunked"} {
		start := time.Now()
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got, expect := int64(0), newCycle()
		buf, ref := make([]byte, 1<<20), make([]byte, 1<<20)
		for got < size {
			n, err := io.ReadFull(out.Body, buf)
			if err != nil {
				t.Fatal(err)
			}
			if _, _ = io.ReadFull(expect, ref); !bytes.Equal(buf[:n], ref) {
				t.Fatalf("%s differs before byte %d", key, got+int64(n))
			}
			got += int64(n)
		}
		out.Body.Close()
		t.Logf("get %s: %.0f MB/s", key, size/1e6/time.Since(start).Seconds())
	}
	after := peak(t, cmd.Process.Pid)
	t.Logf("peak resident memory %d MiB, before %d MiB", after>>20, idle>>20)
	if after > idle+48<<20 {
		t.Errorf("resident memory rose from %d to %d MiB", idle>>20, after>>20)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}

// framed cuts a stream into aws-chunked chunks.
type framed struct {
	src   io.Reader
	head  string
	chunk int64
	left  int
	now   io.Reader
}

func (f *framed) Read(p []byte) (int, error) {
	for {
		if f.now != nil {
			if n, err := f.now.Read(p); n > 0 || err != io.EOF {
				return n, nil
			}
		}
		if f.left == 0 {
			return 0, io.EOF
		}
		f.left--
		f.now = io.MultiReader(strings.NewReader(f.head), io.LimitReader(f.src, f.chunk), strings.NewReader("\r\n"))
	}
}

// peak is the largest resident size a process has had, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Skip("no VmHWM")
	return 0
}
