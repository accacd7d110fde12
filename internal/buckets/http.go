package buckets

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// maxDocument bounds the bodies that the gateway reads into memory: all but uploads. The largest legitimate
// one completes an upload of 10,000 parts with checksums.
const maxDocument = 8 << 20

// adaptor serves the gateway's application to net/http without a socket between. Bodies stream both ways and
// are never held in memory; the request line and the headers pass through as they came, since they are signed.
type adaptor struct {
	serve fasthttp.RequestHandler
	log   *slog.Logger
}

func (a *adaptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A fresh context for every request: pooled ones keep the values of the request before, among them
	// whether it was authenticated.
	var ctx fasthttp.RequestCtx
	ctx.Init2(&connection{ctl: http.NewResponseController(w), remote: remoteAddr(r)}, silent{}, true)
	ctx.SetUserValue(requestContextKey{}, r.Context())
	if r.ContentLength > maxDocument && !streams(r) {
		ctx.SetUserValue(tooLong{}, true)
	}
	if err := fillRequest(&ctx, r); err != nil {
		refused := s3err.GetAPIError(s3err.ErrCannotParseHTTPRequest)
		ctx.Response.Header.SetContentType("application/xml")
		ctx.Response.SetStatusCode(refused.StatusCode())
		ctx.Response.SetBody(refused.XMLBody("", ""))
	} else {
		a.serve(&ctx)
	}
	refused := ctx.Response.StatusCode() >= 400 && (r.ContentLength > spare || r.ContentLength < 0)
	if refused {
		w.Header().Set("Connection", "close")
	}
	a.answer(w, r, &ctx.Response)
	if refused {
		linger(http.NewResponseController(w), r.Body)
	}
}

// spare is what net/http discards of a body by itself, in bytes.
const spare = 256 << 10

// linger discards the rest of a refused body after the answer has gone out. Closing at once would reset the
// connection under a client that is still sending, and lose the answer; many do not wait for "100 Continue".
func linger(ctl *http.ResponseController, body io.Reader) {
	if ctl.Flush() != nil {
		return
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if ctl.SetReadDeadline(time.Now().Add(time.Second)) != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, body, 1<<20); err != nil {
			return
		}
	}
}

// fillRequest hands over the request as the client signed it. The head goes through the gateway's own parser,
// because the gateway also looks at headers in their raw form.
func fillRequest(ctx *fasthttp.RequestCtx, r *http.Request) error {
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") { // absolute form, as proxies send it
		uri = r.URL.RequestURI()
	}
	var head bytes.Buffer
	head.Grow(2 << 10)
	line := func(parts ...string) {
		for _, p := range parts {
			head.WriteString(p)
		}
		head.WriteString("\r\n")
	}
	line(r.Method, " ", uri, " HTTP/1.1")
	line("Host: ", r.Host)
	announced := false
	for name, values := range r.Header {
		switch name {
		case "Content-Length":
			announced = true
		case "Transfer-Encoding":
		default:
			for _, v := range values {
				line(name, ": ", v)
			}
		}
	}
	switch {
	case r.ContentLength < 0:
		line("Transfer-Encoding: chunked")
	case r.ContentLength > 0, announced:
		line("Content-Length: ", strconv.FormatInt(r.ContentLength, 10))
	}
	line()
	if err := ctx.Request.Header.Read(bufio.NewReaderSize(&head, head.Len())); err != nil {
		return err
	}
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	b := &requestBody{Reader: r.Body, answered: func() bool { return ctx.Response.StatusCode() >= 400 }}
	if !streams(r) {
		b.Reader = io.LimitReader(r.Body, maxDocument)
	}
	ctx.Request.SetBodyStream(b, int(r.ContentLength)) // -1 for chunked, as in net/http
	return nil
}

// streams reports whether the gateway reads the request's body as a stream: an object, a part of one, or a
// browser's form upload.
func streams(r *http.Request) bool {
	if formUpload(r.Method, r.URL.Path, r.Header.Get("Content-Type")) {
		return true
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method != http.MethodPut || key == "" {
		return false
	}
	q := r.URL.Query()
	for _, sub := range []string{"tagging", "acl", "retention", "legal-hold"} {
		if q.Has(sub) {
			return false
		}
	}
	return true
}

// formUpload reports whether the request is a browser's upload to a bucket, which carries its signature and
// its data in a form.
func formUpload(method, path, contentType string) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return method == http.MethodPost && key == "" && strings.HasPrefix(contentType, "multipart/form-data")
}

// requestBody passes a body on, with two changes. A body cut short is an error that says so: the gateway takes
// io.ErrUnexpectedEOF for the end, and would store what came. And it ends once an error has been an error has been decided on:
// the gateway would otherwise read on to discard the rest, which asks a client that waits for "100 Continue" to send it; net/http knows better what to do.
type requestBody struct {
	io.Reader
	answered func() bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.answered() {
		return 0, io.EOF
	}
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = errIncomplete
	}
	return n, err
}

var errIncomplete = s3err.APIError{
	Code:           "IncompleteBody",
	Description:    "You did not provide the number of bytes specified by the Content-Length HTTP header.",
	HTTPStatusCode: http.StatusBadRequest,
}

func (a *adaptor) answer(w http.ResponseWriter, r *http.Request, res *fasthttp.Response) {
	stream := res.BodyStream()
	if stream != nil {
		defer func() { _ = res.CloseBodyStream() }() // it was read, or nobody wants it
	}
	header := w.Header()
	for name, value := range res.Header.All() {
		switch n, v := string(name), string(value); {
		case n == "Server" || n == "Content-Length":
		case slices.Contains(header.Values(n), v): // request ids come twice
		default:
			header.Add(n, v)
		}
	}
	status := res.StatusCode()
	length := -1
	switch {
	case stream != nil || r.Method == http.MethodHead:
		length = res.Header.ContentLength()
	case status != http.StatusNoContent && status != http.StatusNotModified:
		length = len(res.Body())
	}
	if length >= 0 {
		header.Set("Content-Length", strconv.Itoa(length))
	}
	if status >= 500 && status != http.StatusNotImplemented {
		a.log.Error("object store request failed", "method", r.Method, "path", r.URL.Path, "status", status,
			"request_id", header.Get("X-Amz-Request-Id"))
	}
	if length == 0 && r.Method != http.MethodHead || header.Get("Content-Type") == "" {
		header["Content-Type"] = nil // nor any guess at one
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	// A failed copy means the client has gone, or the file has: either way the length announced and the length
	// sent differ, and net/http closes the connection for that.
	if stream != nil {
		_, _ = io.Copy(w, stream)
	} else if length > 0 {
		_, _ = w.Write(res.Body())
	}
}

// screen refuses two sorts of request whatever they are for. Those without a signature of any kind, also where
// a bucket's access control list would let them in; preflight requests never carry one, and form uploads have
// it among their fields. And those with a body too long to be read into memory.
func screen(ctx fiber.Ctx) error {
	if ctx.RequestCtx().UserValue(tooLong{}) != nil {
		return s3err.GetMaxMessageLengthExceeded(maxDocument)
	}
	if ctx.Method() == fiber.MethodOptions || ctx.Get("Authorization") != "" || utils.IsPresignedURLAuth(ctx) ||
		formUpload(ctx.Method(), ctx.Path(), ctx.Get("Content-Type")) {
		return nil
	}
	return s3err.GetAPIError(s3err.ErrAccessDenied)
}

// tooLong marks a request whose body exceeds maxDocument.
type tooLong struct{}

// requestContextKey finds the net/http request's context among the values of the gateway's.
type requestContextKey struct{}

// requestContext returns the context of the request that ctx belongs to. The gateway's own context neither
// ends with the client nor outlives its handler.
func requestContext(ctx context.Context) context.Context {
	if c, ok := ctx.Value(requestContextKey{}).(context.Context); ok {
		return c
	}
	return ctx
}

// connection is what the gateway sees of the client's connection.
type connection struct {
	net.Conn // nil: nothing reads or writes past the adaptor
	ctl      *http.ResponseController
	remote   net.Addr
}

func (c *connection) RemoteAddr() net.Addr              { return c.remote }
func (c *connection) LocalAddr() net.Addr               { return &net.TCPAddr{} }
func (c *connection) SetReadDeadline(t time.Time) error { return c.ctl.SetReadDeadline(t) }

func remoteAddr(r *http.Request) net.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return net.TCPAddrFromAddrPort(ap)
	}
	return &net.TCPAddr{}
}

type silent struct{}

func (silent) Printf(string, ...any) {}
