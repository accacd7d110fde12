package relay

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// chunked is a request whose body is signed in chunks, as a client makes it.
func chunked(t testing.TB, url, format, checksum string, data []byte, size int) *http.Request {
	t.Helper()
	return chunkedAt(t, time.Now(), url, format, checksum, data, size)
}

func chunkedAt(t testing.TB, at time.Time, url, format, checksum string, data []byte, size int) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", format)
	req.Header.Set("Content-Encoding", "aws-chunked")
	req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(data)))
	if checksum != "" {
		req.Header.Set("X-Amz-Trailer", checksum)
	}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: nearID, SecretAccessKey: nearSecret}, req, format, "s3", nearRegion, at); err != nil {
		t.Fatal(err)
	}
	day, stamp := at.UTC().Format("20060102"), at.UTC().Format("20060102T150405Z")
	scope := day + "/" + nearRegion + "/s3/aws4_request"
	key := []byte("AWS4" + nearSecret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	_, previous, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
	next := func(algorithm, covered string) string {
		previous = hex.EncodeToString(mac(key, algorithm+"\n"+stamp+"\n"+scope+"\n"+previous+"\n"+covered))
		return previous
	}
	var b bytes.Buffer
	for rest := data; ; {
		n := min(size, len(rest))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", n, next("AWS4-HMAC-SHA256-PAYLOAD", hexHash(nil)+"\n"+hexHash(rest[:n])))
		if n == 0 {
			break
		}
		b.Write(rest[:n])
		b.WriteString("\r\n")
		rest = rest[n:]
	}
	if checksum != "" {
		h := checksums[checksum]()
		h.Write(data)
		line := checksum + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
		fmt.Fprintf(&b, "%s\r\nx-amz-trailer-signature:%s\r\n", line, next("AWS4-HMAC-SHA256-TRAILER", hexHash([]byte(line+"\n"))))
	}
	b.WriteString("\r\n")
	setBody(req, b.Bytes())
	return req
}

func TestSignedChunks(t *testing.T) {
	t.Parallel()
	_, far := endpoint(t)
	near := newRelay(t, S3, far)
	c := s3Client(near, nearSecret)
	bucket := "chunked"
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: farRegion}}); err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{"": signedChunks}
	for name := range checksums {
		formats[name] = signedTrailer
	}
	for checksum, format := range formats {
		for _, length := range []int{0, 1, 100, 65536, 200_001} {
			data := bytes.Repeat([]byte("0123456789abcdefg"), length/17+1)[:length]
			req := chunked(t, near+"/chunked/key", format, checksum, data, 65536)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s %q %d: %d %s", format, checksum, length, res.StatusCode, answer)
				continue
			}
			out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("key")})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(out.Body)
			if err != nil || !bytes.Equal(got, data) || out.ContentEncoding != nil {
				t.Errorf("%s %q %d: %d bytes, %v, encoding %v", format, checksum, length, len(got), err, out.ContentEncoding)
			}
		}
	}
}

// Whatever is changed about a body signed in chunks, nothing is stored.
func TestForgedChunks(t *testing.T) {
	t.Parallel()
	_, far := endpoint(t)
	near := newRelay(t, S3, far)
	c := s3Client(near, nearSecret)
	bucket := "forged"
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: farRegion}}); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("d"), 150_000)
	const sum = "x-amz-checksum-crc32"
	for name, change := range map[string]func([]byte) []byte{
		"first byte":        func(b []byte) []byte { i := bytes.Index(b, []byte("\r\n")) + 2; b[i] ^= 1; return b },
		"last byte":         func(b []byte) []byte { i := bytes.LastIndex(b, []byte("\r\n0;")) - 1; b[i] ^= 1; return b },
		"a signature":       func(b []byte) []byte { i := bytes.Index(b, []byte("signature=")) + 12; b[i] ^= 1; return b },
		"last signature":    func(b []byte) []byte { i := bytes.LastIndex(b, []byte("chunk-signature=")) + 20; b[i] ^= 1; return b },
		"checksum":          func(b []byte) []byte { return bytes.Replace(b, []byte("crc32:"), []byte("crc32:A"), 1) },
		"trailer signature": func(b []byte) []byte { i := len(b) - 6; b[i] ^= 1; return b },
		"no trailer":        func(b []byte) []byte { return append(b[:bytes.Index(b, []byte(sum))], '\r', '\n') },
		"no last chunk":     func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte("0;"))] },
		"cut in a chunk":    func(b []byte) []byte { return b[:len(b)/2] },
		"a chunk repeated": func(b []byte) []byte {
			end := bytes.Index(b, []byte("\r\n")) + 2 + 65536 + 2
			return append(bytes.Clone(b[:end]), b...)
		},
		"something after":    func(b []byte) []byte { return append(b, "more"...) },
		"empty":              func([]byte) []byte { return nil },
		"size not a number":  func(b []byte) []byte { return append([]byte("x"), b...) },
		"size of nonsense":   func(b []byte) []byte { return append([]byte("ffffffffff"), b...) },
		"endless first line": func([]byte) []byte { return bytes.Repeat([]byte("1"), 100_000) },
	} {
		for _, format := range []string{signedChunks, signedTrailer} {
			checksum := ""
			if format == signedTrailer {
				checksum = sum
			} else if strings.Contains(name, "trailer") || name == "checksum" {
				continue
			}
			req := chunked(t, near+"/forged/key", format, checksum, data, 65536)
			body, _ := io.ReadAll(req.Body)
			setBody(req, change(body))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			answer, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode < 400 || res.StatusCode > 499 || !strings.Contains(string(answer), "<Code>") {
				t.Errorf("%s, %s: %d %s", name, format, res.StatusCode, answer)
			}
		}
	}
	for name, edit := range map[string]func(*http.Request){
		"shorter than announced": func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "150001") },
		"longer than announced":  func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "149999") },
		"announced as nothing":   func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "0") },
		"negative":               func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "-1") },
		"not announced":          func(r *http.Request) { r.Header.Del("X-Amz-Decoded-Content-Length") },
		"unknown format": func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
		},
	} {
		req := chunked(t, near+"/forged/key", signedChunks, "", data, 65536)
		edit(req)
		// The header is signed, so only a relay that does not verify gets this far.
		r, err := New(Config{Service: S3, Endpoint: far, Region: farRegion, Sign: sign(S3),
			Verify: func(*http.Request, string) (string, error) { return nearSecret, nil }})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		req.RequestURI = req.URL.RequestURI()
		r.ServeHTTP(w, req)
		if w.Code < 400 || w.Code == 500 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil || len(list.Contents) != 0 {
		t.Errorf("stored: %+v, %v", list.Contents, err)
	}
}

// Trailing checksums without signatures are the endpoint's to check, and go out as they came.
func TestUnsignedTrailer(t *testing.T) {
	t.Parallel()
	_, far := endpoint(t)
	near := newRelay(t, S3, far)
	c := s3Client(near, nearSecret)
	bucket := "trailing"
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: farRegion}}); err != nil {
		t.Fatal(err)
	}
	h := checksums["x-amz-checksum-crc32"]()
	h.Write([]byte("hello"))
	good := base64.StdEncoding.EncodeToString(h.Sum(nil))
	for sum, status := range map[string]int{good: 200, "AAAAAA==": 400} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, near+"/trailing/key", strings.NewReader("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:"+sum+"\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"X-Amz-Content-Sha256": unsignedTrailer, "X-Amz-Trailer": "x-amz-checksum-crc32",
			"X-Amz-Decoded-Content-Length": "5", "Content-Encoding": "aws-chunked"} {
			req.Header.Set(name, value)
		}
		if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(),
			aws.Credentials{AccessKeyID: nearID, SecretAccessKey: nearSecret}, req, unsignedTrailer, "s3", nearRegion, time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d %s", sum, res.StatusCode, answer)
		}
	}
}

// A body is never held as a whole, however large.
func TestConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 512 MiB")
	}
	const size = 256 << 20
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPut && n != size {
			t.Errorf("%d bytes arrived", n)
		}
		if r.Method == http.MethodGet {
			_, _ = io.CopyN(w, zeros{}, size)
		}
	}))
	defer far.Close()
	near := newRelay(t, S3, far.URL)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, method := range []string{"PUT", "GET"} {
		req, err := http.NewRequestWithContext(t.Context(), method, near+"/bucket/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPut {
			req.Body, req.ContentLength = io.NopCloser(io.LimitReader(zeros{}, size)), size
		}
		req.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
		if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: nearID, SecretAccessKey: nearSecret}, req, unsignedPayload, "s3", nearRegion, time.Now()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || method == http.MethodGet && n != size {
			t.Errorf("%s: %d, %d bytes, %v", method, res.StatusCode, n, err)
		}
		t.Logf("%s %.0f MB/s", method, size/1e6/time.Since(start).Seconds())
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 32<<20 {
		t.Errorf("%d MiB allocated to pass on 512 MiB", allocated>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzChunks(f *testing.F) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, checksum := range []string{"", "x-amz-checksum-sha256"} {
		format := signedChunks
		if checksum != "" {
			format = signedTrailer
		}
		body, _ := io.ReadAll(chunkedAt(f, at, "http://host/b/k", format, checksum, []byte("hello world"), 4).Body)
		f.Add(body, checksum)
	}
	f.Add([]byte("0;chunk-signature=\r\n\r\n"), "")
	f.Fuzz(func(t *testing.T, body []byte, checksum string) {
		format := signedChunks
		if checksum != "" {
			format = signedTrailer
		}
		if _, ok := checksums[checksum]; !ok && checksum != "" {
			return
		}
		in := chunkedAt(t, at, "http://host/b/k", format, checksum, []byte("hello world"), 4)
		in.Body = io.NopCloser(iotest.OneByteReader(bytes.NewReader(body)))
		c, err := newChunks(in, format, nearSecret)
		if err != nil {
			return
		}
		g := &gate{src: c, left: 11}
		got, err := io.ReadAll(g)
		var refusal *Error
		if err != nil && !errors.As(err, &refusal) {
			t.Errorf("error is no refusal: %v", err)
		}
		// Without the key no other content can pass.
		if err == nil && string(got) != "hello world" {
			t.Errorf("%q passed", got)
		}
		if err != nil && len(got) >= 11 {
			t.Errorf("the last byte of %q passed in spite of %v", got, err)
		}
	})
}
