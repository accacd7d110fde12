package buckets

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

const (
	testKey     = "penstock"
	testSecret  = "penstock-secret"
	testAccount = "123456789012"
)

// memoryStore is a Store that forgets.
type memoryStore struct {
	mu   sync.Mutex
	docs map[string][]byte
	fail error // returned by every method when set
}

func newMemoryStore() *memoryStore { return &memoryStore{docs: map[string][]byte{}} }

func (m *memoryStore) DocumentGet(_ context.Context, bucket string, kind Kind) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	if doc, ok := m.docs[bucket+"/"+string(kind)]; ok {
		return bytes.Clone(doc), nil
	}
	return nil, fault.New(fault.NotFound, SubjectDocument, "no %s of %s", kind, bucket)
}

func (m *memoryStore) DocumentUpdate(_ context.Context, bucket string, kind Kind, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	name := bucket + "/" + string(kind)
	doc, err := change(bytes.Clone(m.docs[name]))
	if err != nil {
		return err
	}
	if len(doc) == 0 {
		delete(m.docs, name)
	} else {
		m.docs[name] = bytes.Clone(doc)
	}
	return nil
}

func (m *memoryStore) DocumentDeleteAll(_ context.Context, bucket string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, kind := range []Kind{KindNotification, KindPolicy} {
		delete(m.docs, bucket+"/"+string(kind))
	}
	return nil
}

// fixture is a store served over HTTP, and what it reported.
type fixture struct {
	*Server
	store *memoryStore
	http  *httptest.Server
	s3    *s3.Client

	mu       sync.Mutex
	arrivals []Arrival
	removals []Removal
}

func (f *fixture) take() ([]Arrival, []Removal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, r := f.arrivals, f.removals
	f.arrivals, f.removals = nil, nil
	return a, r
}

func newFixture(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{store: newMemoryStore()}
	cfg := Config{
		Dir: t.TempDir(), Region: "us-east-1", Account: testAccount,
		Keys: func(id string) (string, bool) {
			if id == testKey {
				return testSecret, true
			}
			return "", false
		},
		Store: f.store, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), NoSync: true,
		OnArrival: func(a Arrival) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.arrivals = append(f.arrivals, a)
		},
		OnRemoval: func(r Removal) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.removals = append(f.removals, r)
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	srv, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = srv
	f.http = httptest.NewServer(srv.Handler())
	t.Cleanup(func() {
		f.http.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	f.s3 = client(f.http.URL, testKey, testSecret, cfg.Region)
	return f
}

func client(endpoint, key, secret, region string, opts ...func(*s3.Options)) *s3.Client {
	o := s3.Options{
		BaseEndpoint: &endpoint, Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
		Retryer:     aws.NopRetryer{},
	}
	return s3.New(o, opts...)
}

func (f *fixture) bucket(t testing.TB, name string) string {
	t.Helper()
	if _, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}

func (f *fixture) put(t testing.TB, bucket, key, body string) *s3.PutObjectOutput {
	t.Helper()
	out, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(body))})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return out
}

func (f *fixture) get(t testing.TB, bucket, key string) string {
	t.Helper()
	out, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// wantCode fails unless err is an S3 error with the given code.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error %v, want code %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Fatalf("code %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "objects")
	for _, key := range []string{
		"plain.csv", "a/b/c/deep.csv", "with space.csv", "plus+and&amp=eq.csv", "unicode/größe-日本語-🚰.csv", "per%20cent.csv",
		"quote'\"<>.csv", "trailing.", "~tilde/!$(),;:@", ".hidden", "#hash?question",
	} {
		before := time.Now()
		out := f.put(t, bucket, key, "hello "+key)
		if got := f.get(t, bucket, key); got != "hello "+key {
			t.Errorf("%q holds %q", key, got)
		}
		arrivals, _ := f.take()
		if len(arrivals) != 1 {
			t.Fatalf("%q: %d arrivals", key, len(arrivals))
		}
		a := arrivals[0]
		if a.Bucket != bucket || a.Key != key || a.Size != int64(len("hello "+key)) || `"`+a.ETag+`"` != *out.ETag || a.Event != EventPut {
			t.Errorf("arrival %+v", a)
		}
		file, err := f.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		if !file.Modified.Equal(a.Modified) || a.Modified.Before(before) || file.Size != a.Size || file.ETag != a.ETag {
			t.Errorf("stat %+v, arrival %+v, begun %v", file, a, before)
		}
	}
	var listed []string
	pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed = append(listed, *o.Key)
		}
	}
	if len(listed) != 11 {
		t.Errorf("listed %q", listed)
	}
}

// keys lists in process.
func (f *fixture) keys(t testing.TB, bucket, prefix, after string) []string {
	t.Helper()
	var keys []string
	err := f.List(t.Context(), bucket, prefix, after, func(file load.File) error {
		keys = append(keys, file.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
