// Command transfer measures how fast data integrations copy files between buckets: runs of the transfer engine over
// the embedded store, against plain multipart copies of the same objects with the SDK, in turn, in the same process,
// as many objects at a time.
//
//	go run ./test/bench/transfer            full size, about a gigabyte
//	go run ./test/bench/transfer -scale 0.1
//	go run ./test/bench/transfer -remote    as if the store were elsewhere: over HTTP, uploads completed at the end
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/source/s3"
	"github.com/penstock-io/penstock/internal/transfer"
)

const (
	key      = "penstock"
	parallel = 8
	part     = 64 << 20
	rounds   = 3
	least    = 0.7 // of the plain copy's speed, below which this command fails
)

// load is a set of objects.
type load struct {
	name  string
	count int
	size  int
}

func main() {
	scale := flag.Float64("scale", 1, "size of the data")
	remote := flag.Bool("remote", false, "reach the store over HTTP")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *scale, *remote); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, scale float64, remote bool) error {
	dir, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := open(ctx, dir, remote)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%s, %d cores, %s\n\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format("2006-01-02"))
	fmt.Println("| objects | data integration | plain multipart copy | ratio |\n|---|---|---|---|")
	slow := false
	for _, l := range []load{{"1 KiB", 1000, 1 << 10}, {"1 MiB", 200, 1 << 20}, {"16 MiB", 24, 16 << 20}, {"160 MiB", 2, 160 << 20}} {
		l.count = max(int(float64(l.count)*scale), 1)
		ratio, err := b.compare(ctx, l)
		if err != nil {
			return err
		}
		slow = slow || ratio < least
	}
	if slow {
		return fmt.Errorf("a ratio is below %.1f", least)
	}
	return nil
}

// bench is the store and the two ways to copy in it.
type bench struct {
	dir    string
	store  *buckets.Server
	web    *httptest.Server
	client *awss3.Client
	local  *s3.Local
	to     transfer.Buckets
	runs   int
}

func open(ctx context.Context, dir string, remote bool) (*bench, error) {
	store, err := buckets.Open(buckets.Config{
		Dir: filepath.Join(dir, "s3"), Region: "us-east-1", Account: "123456789012", Store: none{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Keys: func(id string) (string, bool) { return key, id == key },
	})
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, store: store, web: httptest.NewServer(store.Handler())}
	in := access.Fixed("us-east-1", key, secret.NewText(key))
	b.client = awss3.NewFromConfig(in.SDK(), func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle = &b.web.URL, true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.HTTPClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	})
	if b.local, err = s3.NewLocal(store, filepath.Join(dir, "scratch")); err != nil {
		return nil, err
	}
	b.to = store
	if remote {
		credentials := map[string]string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID": key, "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY": key}
		b.to, err = s3.NewRemote(ctx, s3.RemoteConfig{
			Endpoint: b.web.URL, Region: "us-east-1", Scratch: filepath.Join(dir, "downloads"), Log: slog.New(slog.DiscardHandler), Getenv: func(n string) string { return credentials[n] },
		})
	}
	return b, err
}

func (b *bench) close() {
	b.web.Close()
	_ = b.store.Close()
}

// compare copies a load both ways, in turn, and prints the medians.
func (b *bench) compare(ctx context.Context, l load) (float64, error) {
	if err := b.fill(ctx, l); err != nil {
		return 0, err
	}
	var ours, plain []time.Duration
	for round := range rounds {
		ways := []func(context.Context) error{b.transfer, b.plain}
		if round%2 == 1 {
			slices.Reverse(ways)
		}
		for n, way := range ways {
			if err := b.empty(ctx, "target"); err != nil {
				return 0, err
			}
			began := time.Now()
			if err := way(ctx); err != nil {
				return 0, err
			}
			took := time.Since(began)
			if (n == 0) == (round%2 == 0) {
				ours = append(ours, took)
			} else {
				plain = append(plain, took)
			}
		}
	}
	a, p := median(ours), median(plain)
	rate := func(d time.Duration) string {
		return fmt.Sprintf("%s, %.1f MiB/s", d.Round(time.Millisecond), float64(l.count*l.size)/(1<<20)/d.Seconds())
	}
	ratio := p.Seconds() / a.Seconds()
	fmt.Printf("| %d of %s | %s | %s | %.2f |\n", l.count, l.name, rate(a), rate(p), ratio)
	return ratio, errors.Join(b.empty(ctx, "target"), b.empty(ctx, "source"))
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func (b *bench) fill(ctx context.Context, l load) error {
	content := make([]byte, l.size)
	if _, err := rand.Read(content); err != nil {
		return err
	}
	for _, bucket := range []string{"source", "target"} {
		if _, err := b.client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return err
		}
	}
	for n := range l.count {
		if _, err := b.client.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String(fmt.Sprintf("in/%05d", n)), Body: bytes.NewReader(content)}); err != nil {
			return err
		}
	}
	return nil
}

// list are the keys of a bucket.
func (b *bench) list(ctx context.Context, bucket string) (keys []string, err error) {
	pages := awss3.NewListObjectsV2Paginator(b.client, &awss3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys, nil
}

func (b *bench) empty(ctx context.Context, bucket string) error {
	keys, err := b.list(ctx, bucket)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := b.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: &k}); err != nil {
			return err
		}
	}
	return nil
}

// transfer copies with a run of a data integration.
func (b *bench) transfer(ctx context.Context) error {
	b.runs++
	r := transfer.New(transfer.Config{
		Dir: filepath.Join(b.dir, "runs"), Account: "123456789012", Objects: b.local, Buckets: b.to, Parallel: parallel, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return r.Run(ctx, transfer.Job{
		ExecutionID: fmt.Sprintf("bench-%d", b.runs), Name: "bench", Requested: time.Now(), Source: "s3://source/in", Destination: "s3://target/out",
	}, func(transfer.Progress) error { return nil })
}

// plain copies every object by itself: begin an upload, have the store copy the parts, complete it.
func (b *bench) plain(ctx context.Context) error {
	keys, err := b.list(ctx, "source")
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, k := range keys {
		g.Go(func() error { return b.copy(ctx, k) })
	}
	return g.Wait()
}

func (b *bench) copy(ctx context.Context, k string) error {
	head, err := b.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: aws.String("source"), Key: &k})
	if err != nil {
		return err
	}
	up, err := b.client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{Bucket: aws.String("target"), Key: &k, ContentType: head.ContentType})
	if err != nil {
		return err
	}
	size := *head.ContentLength
	parts := make([]types.CompletedPart, (size+part-1)/part)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for n := range parts {
		g.Go(func() error {
			start := int64(n) * part
			out, err := b.client.UploadPartCopy(gctx, &awss3.UploadPartCopyInput{
				Bucket: aws.String("target"), Key: &k, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), CopySource: aws.String("source/" + k),
				CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", start, min(start+part, size)-1)),
			})
			if err != nil {
				return err
			}
			parts[n] = types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: aws.Int32(int32(n + 1))}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = b.client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{Bucket: aws.String("target"), Key: &k, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return err
}

// none is a store of bucket documents that has none.
type none struct{}

func (none) DocumentGet(context.Context, string, buckets.Kind) ([]byte, error) {
	return nil, fault.New(fault.NotFound, buckets.SubjectDocument, "none")
}
func (none) DocumentUpdate(context.Context, string, buckets.Kind, func([]byte) ([]byte, error)) error {
	return errors.ErrUnsupported
}
func (none) DocumentDeleteAll(context.Context, string) error { return nil }
