package appintegrations

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestBucketsElsewhere copies files between buckets of another store, which does the copying, and loads them into a
// table. After kill -9 in the midst of it no upload is left behind.
func TestBucketsElsewhere(t *testing.T) {
	store := start(t)
	t.Setenv("PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID", "penstock")
	t.Setenv("PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY", "penstock")
	w := &world{T: t, dir: t.TempDir(), args: []string{"--s3-endpoint", store.Endpoint()}}
	w.boot()
	t.Cleanup(func() {
		if err := w.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log ends\n%s", w.Tail(40))
		}
	})
	var want []string
	for n := range 40 {
		store.put(fmt.Sprintf("in/%02d.csv", n), fmt.Sprintf("%d,x\n", n))
		want = append(want, fmt.Sprintf("%02d.csv", n))
	}
	d := w.integration("copies", "s3://source/in")
	w.associate(d, "s3://destination/out", onDemand())
	w.must(w.Kill()) // whatever it has done by now
	w.boot()
	w.completed(d)
	if got := store.keys("out/", 1); !slices.Equal(got, want) {
		t.Errorf("the destination has %q", got)
	}
	left, err := store.S3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("destination")})
	if err != nil || len(left.Uploads) > 0 {
		t.Errorf("%d uploads are left behind, %v", len(left.Uploads), err)
	}
	if _, err := w.SQL(t.Context(), "CREATE TABLE public.t (n int, x varchar(1))"); err != nil {
		t.Fatal(err)
	}
	d = w.integration("rows", "s3://source/in")
	w.associate(d, "redshift://default/dev/public/t", onDemand())
	w.completed(d)
	rows, err := w.SQL(t.Context(), "SELECT count(*), sum(n) FROM public.t")
	if err != nil || fmt.Sprint(rows) != "[[40 780]]" {
		t.Errorf("the table has %v, %v", rows, err)
	}
}
