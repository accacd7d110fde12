package buckets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A browser's form upload is checked by the policy in the form, and arrives like any other object.
func TestFormUpload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "forms")
	day, stamp := time.Now().UTC().Format("20060102"), time.Now().UTC().Format("20060102T150405Z")
	credential := testKey + "/" + day + "/us-east-1/s3/aws4_request"
	policy, err := json.Marshal(map[string]any{
		"expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"conditions": []any{
			map[string]string{"bucket": bucket}, []string{"starts-with", "$key", "up/"}, map[string]string{"x-amz-algorithm": "AWS4-HMAC-SHA256"},
			map[string]string{"x-amz-credential": credential}, map[string]string{"x-amz-date": stamp}, []any{"content-length-range", 0, 100},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(policy)
	key := []byte("AWS4" + testSecret)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request", encoded} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	signature := hex.EncodeToString(key)
	post := func(fields map[string]string, data string) (int, string) {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		for name, value := range fields {
			if err := w.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		part, err := w.CreateFormFile("file", "name.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		res, err := http.Post(f.http.URL+"/"+bucket, w.FormDataContentType(), &form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(answer)
	}
	fields := func(key, signature string) map[string]string {
		return map[string]string{"key": key, "policy": encoded, "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": credential,
			"x-amz-date": stamp, "x-amz-signature": signature}
	}
	if status, answer := post(fields("up/a.csv", signature), "from a form"); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	if got := f.get(t, bucket, "up/a.csv"); got != "from a form" {
		t.Errorf("holds %q", got)
	}
	if a, _ := f.take(); len(a) != 1 || a[0].Key != "up/a.csv" || a[0].Size != int64(len("from a form")) {
		t.Errorf("arrivals %+v", a)
	}
	for name, form := range map[string]map[string]string{
		"wrong signature": fields("up/b.csv", strings.Repeat("0", 64)),
		"key outside":     fields("elsewhere/b.csv", signature),
		"hostile key":     fields("up/../../b.csv", signature),
		"doubled slash":   fields("up//b.csv", signature),
		"no signature":    {"key": "up/b.csv"},
	} {
		if status, answer := post(form, "x"); status < 400 || status > 499 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if status, answer := post(fields("up/b.csv", signature), strings.Repeat("x", 101)); status != http.StatusBadRequest {
		t.Errorf("too long: %d %s", status, answer)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v of refused forms", a)
	}
	if keys := f.keys(t, bucket, "", ""); len(keys) != 1 {
		t.Errorf("stored %q", keys)
	}
}
