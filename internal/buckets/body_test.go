package buckets

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "truncated")
	f.put(t, bucket, "existing", "whole")
	f.take()
	for _, key := range []string{"new", "existing"} {
		for _, hash := range []string{unsigned, strings.Repeat("0", 64)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.http.URL+"/truncated/"+key, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 1 << 20
			req.Header.Set("X-Amz-Content-Sha256", hash)
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", f.http.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "PUT /truncated/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", key, req.URL.Host, req.ContentLength)
			if err := req.Header.Write(conn); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "\r\n%s", strings.Repeat("half", 1000))
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(conn)
			conn.Close()
			if len(answer) > 0 && !bytes.Contains(answer, []byte("IncompleteBody")) {
				t.Errorf("%s: %s", key, answer)
			}
		}
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"existing"}) {
		t.Errorf("listed %q", keys)
	}
	if got := f.get(t, bucket, "existing"); got != "whole" {
		t.Errorf("existing holds %q", got)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

func trailer(data string, chunk int, sum uint32) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(chunk, len(data))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, data[:n])
		data = data[n:]
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], sum)
	fmt.Fprintf(&b, "0\r\nx-amz-checksum-crc32:%s\r\n\r\n", base64.StdEncoding.EncodeToString(raw[:]))
	return b.String()
}

func TestTrailingChecksum(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "trailing")
	data := strings.Repeat("trailing checksum ", 20000)
	sum := crc32.ChecksumIEEE([]byte(data))
	send := func(key, body string, decoded int) (int, string) {
		const hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.http.URL+"/trailing/"+key, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Content-Sha256", hash)
		req.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		req.Header.Set("Content-Encoding", "aws-chunked")
		req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(decoded))
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := f.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(answer)
	}
	if status, answer := send("good", trailer(data, 8192, sum), len(data)); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if got := f.get(t, bucket, "good"); got != data {
		t.Errorf("holds %d bytes of %d", len(got), len(data))
	}
	if a, _ := f.take(); len(a) != 1 || a[0].Size != int64(len(data)) {
		t.Errorf("arrivals %+v", a)
	}
	bad := map[string]struct {
		body    string
		decoded int
	}{
		"wrong sum":    {trailer(data, 8192, sum+1), len(data)},
		"too long":     {trailer(data, 8192, sum), len(data) - 1},
		"too short":    {trailer(data, 8192, sum), len(data) + 1},
		"cut":          {trailer(data, 8192, sum)[:len(data)/2], len(data)},
		"no trailer":   {"5\r\nhello\r\n0\r\n\r\n", 5},
		"huge chunk":   {"ffffffffffffffff\r\nhello", 5},
		"not a number": {"zz\r\nhello\r\n", 5},
		"negative":     {"-5\r\nhello\r\n", 5},
		"empty":        {"", 5},
	}
	for name, b := range bad {
		if status, answer := send("bad", b.body, b.decoded); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"good"}) {
		t.Errorf("listed %q", keys)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}
