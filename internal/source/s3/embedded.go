package s3

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/semaphore"

	"github.com/penstock-io/penstock/internal/source/access"
)

// NewEmbedded returns the objects of a store in this process, for staging: it reaches the store's handler without
// a connection. For reading, Local is better.
func NewEmbedded(store http.Handler, in *access.Access, log *slog.Logger) *Remote {
	client := newClient(in, log, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String("http://embedded.invalid"), true
		o.HTTPClient = &http.Client{Transport: handlerTransport{store}}
	})
	return &Remote{client: client, access: in, where: "The embedded store", slots: semaphore.NewWeighted(downloads)}
}

// handlerTransport hands requests to a handler.
type handlerTransport struct{ http.Handler }

// RoundTrip implements http.RoundTripper. The handler's goroutine ends when it has written its answer, or when
// the answer's body is closed or the request's context is done, whichever is first noticed.
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if r.ContentLength > 0 || r.ContentLength == 0 && (r.Method == http.MethodPut || r.Method == http.MethodPost) {
		in.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10)) // as a connection would have it
	}
	body, write := io.Pipe()
	w := &handlerAnswer{header: http.Header{}, body: write, begun: make(chan struct{})}
	go func() {
		defer func() {
			err := io.EOF
			if p := recover(); p != nil {
				err = fmt.Errorf("the embedded store failed: %v", p)
			}
			w.WriteHeader(http.StatusOK)
			_ = write.CloseWithError(err)
			_ = in.Body.Close()
		}()
		t.ServeHTTP(w, in)
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		_ = body.CloseWithError(r.Context().Err())
		return nil, context.Cause(r.Context())
	}
	length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: length, Request: r,
	}, nil
}

// handlerAnswer is the http.ResponseWriter of a handlerTransport.
type handlerAnswer struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan struct{}

	once   sync.Once
	status int
	sent   http.Header
}

func (w *handlerAnswer) Header() http.Header { return w.header }

func (w *handlerAnswer) WriteHeader(status int) {
	if status < 200 {
		return
	}
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *handlerAnswer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
