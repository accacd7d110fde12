// Package relay passes requests for S3 or DynamoDB on to another endpoint, so that one address serves a whole
// program although its tables or buckets are elsewhere.
//
// A request's own signature is verified first. The request then goes out as it came (path, query, headers,
// body), save for what belongs to the signature and the connection, signed again with the endpoint's
// credentials. Bodies stream in constant memory; DynamoDB's, which are small and signed as a whole, are read
// first.
//
// Nothing unverified takes effect at the endpoint. Where the endpoint cannot check the body against what the
// client signed, because the client signed it chunk by chunk, the chunks are checked here and the last byte is
// held back until all of them are.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Service is what requests are for.
type Service string

const (
	S3       Service = "s3"
	DynamoDB Service = "dynamodb" // tables and streams
)

// Payload hashes of S3 that stand for something else than a hash.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	streamingPrefix = "STREAMING-"
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// maxBody is the largest DynamoDB request, in bytes.
const maxBody = 16 << 20

// Error is an error for the client: Config.Verify returns it for a request that is not authentic.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (r *Error) Error() string { return r.Code + ": " + r.Message }

// Config says where requests go and how they are authenticated.
type Config struct {
	Service  Service
	Endpoint string // URL; empty for AWS's own in Region
	Region   string // the endpoint's
	// Verify checks the signature a request came with, over its headers and payloadHash, and returns the
	// secret it was made with. For S3 payloadHash is what the request claims, which is checked later. The
	// error is a *Error, or internal.
	Verify func(r *http.Request, payloadHash string) (secret string, err error)
	// Sign signs an outgoing request with the endpoint's credentials, in its headers. For S3 it also sets
	// X-Amz-Content-Sha256 to payloadHash. An error is one of the credentials.
	Sign func(ctx context.Context, r *http.Request, payloadHash string) error
	Log  *slog.Logger
	// Transport makes the requests; nil means one with connections of its own.
	Transport http.RoundTripper
}

// Relay is an http.Handler that passes requests on.
type Relay struct {
	Config
	tables, streams *url.URL // streams differ from tables on AWS
	where           string   // the endpoint as messages name it
}

// New checks a configuration. It contacts nobody.
func New(c Config) (*Relay, error) {
	if c.Service != S3 && c.Service != DynamoDB {
		return nil, fmt.Errorf("relay: no such service: %q", c.Service)
	}
	r := &Relay{Config: c, where: c.Endpoint}
	if c.Endpoint == "" {
		domain := "amazonaws.com"
		if strings.HasPrefix(c.Region, "cn-") {
			domain += ".cn"
		}
		host := string(c.Service) + "." + c.Region + "." + domain
		r.where = "https://" + host
		r.tables = &url.URL{Scheme: "https", Host: host}
		r.streams = &url.URL{Scheme: "https", Host: "streams." + host}
	} else {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" {
			return nil, fmt.Errorf("%s endpoint %q is not a URL like https://host:port", c.Service, c.Endpoint)
		}
		r.tables, r.streams = u, u
	}
	if r.Transport == nil {
		r.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true, // what the client asked for is what it gets
			ForceAttemptHTTP2:     false,
			ExpectContinueTimeout: 0,
		}
	}
	return r, nil
}

// ServeHTTP passes one request on and its answer back.
func (r *Relay) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	out, err := r.prepare(in)
	if err == nil {
		err = r.forward(w, out)
	}
	if err != nil && in.Context().Err() == nil {
		r.refuse(w, in, err)
		linger(w, in)
	}
}

// linger discards what remains of a long body after an error has gone out. Closing at once would reset the
// connection under a client that is still sending, and lose the error; net/http sees to short bodies.
func linger(w http.ResponseWriter, in *http.Request) {
	ctl := http.NewResponseController(w)
	if in.ContentLength >= 0 && in.ContentLength <= 256<<10 || ctl.Flush() != nil {
		return
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if ctl.SetReadDeadline(time.Now().Add(time.Second)) != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, in.Body, 1<<20); err != nil {
			return
		}
	}
}

// prepare verifies a request and makes the one that goes out.
func (r *Relay) prepare(in *http.Request) (*http.Request, error) {
	out := r.copyRequest(in)
	if r.Service == DynamoDB {
		body, err := io.ReadAll(io.LimitReader(in.Body, maxBody+1))
		if err != nil {
			return nil, &Error{http.StatusBadRequest, "SerializationException", "The request body could not be read."}
		}
		if len(body) > maxBody {
			return nil, &Error{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The request body is larger than 16 MiB."}
		}
		hash := hexHash(body)
		if _, err := r.Verify(in, hash); err != nil {
			return nil, err
		}
		setBody(out, body)
		return out, r.sign(out, hash)
	}
	claimed := in.Header.Get("X-Amz-Content-Sha256")
	switch {
	case presigned(in):
		claimed = unsignedPayload
	case claimed == "":
		return nil, &Error{http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"}
	}
	secret, err := r.Verify(in, claimed)
	if err != nil {
		return nil, err
	}
	hash, err := streamBody(out, in, claimed, secret)
	if err != nil {
		return nil, err
	}
	return out, r.sign(out, hash)
}

func (r *Relay) sign(out *http.Request, hash string) error {
	if err := r.Sign(out.Context(), out, hash); err != nil {
		r.Log.Error("request cannot be signed for the endpoint", "endpoint", r.where, "error", err)
		return &Error{http.StatusServiceUnavailable, "ServiceUnavailable",
			fmt.Sprintf("Penstock has no usable credentials for %s. Check PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and its siblings, or the AWS chain.", r.where)}
	}
	return nil
}

// hopByHop are headers about the connection, and those of the incoming signature.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Expect", "Content-Length",
	"Authorization", "X-Amz-Date", "X-Amz-Security-Token",
}

// queryAuth are the parameters of a presigned URL.
var queryAuth = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
	"X-Amz-Security-Token", "X-Amz-Content-Sha256",
}

func presigned(in *http.Request) bool { return in.URL.Query().Has("X-Amz-Signature") }

// copyRequest makes the outgoing request without body and signature. The path and the query keep the
// encoding they came in.
func (r *Relay) copyRequest(in *http.Request) *http.Request {
	to := r.tables
	if strings.HasPrefix(in.Header.Get("X-Amz-Target"), "DynamoDBStreams_") {
		to = r.streams
	}
	out := in.Clone(in.Context())
	base := strings.TrimSuffix(to.EscapedPath(), "/")
	out.URL = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: strings.TrimSuffix(to.Path, "/") + in.URL.Path, RawQuery: in.URL.RawQuery}
	if raw := base + in.URL.EscapedPath(); raw != out.URL.EscapedPath() {
		out.URL.RawPath = raw
	}
	if presigned(in) {
		out.URL.RawQuery = withoutAuth(in.URL.RawQuery)
	}
	out.Host, out.RequestURI = to.Host, ""
	out.Body, out.ContentLength, out.TransferEncoding, out.Trailer = nil, 0, nil, nil
	for _, names := range in.Header["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			out.Header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		out.Header.Del(name)
	}
	return out
}

// withoutAuth removes the parameters of a presigned URL and leaves the others byte for byte.
func withoutAuth(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		auth := false
		for _, a := range queryAuth {
			auth = auth || name == a
		}
		if !auth {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// streamBody gives out the body of in, and returns the payload hash to sign. claimed is the hash the client
// signed.
func streamBody(out, in *http.Request, claimed, secret string) (string, error) {
	switch {
	case claimed == signedChunks || claimed == signedTrailer:
		return decodeChunks(out, in, claimed, secret)
	case strings.HasPrefix(claimed, streamingPrefix) && claimed != unsignedTrailer:
		return "", &Error{http.StatusNotImplemented, "NotImplemented", "The payload format " + claimed + " is not supported."}
	}
	// The endpoint checks the body, whether by its hash or by the checksum that trails it.
	out.ContentLength = in.ContentLength
	if in.ContentLength != 0 {
		out.Body = io.NopCloser(in.Body) // the transport may be done with it before the client is
	}
	return claimed, nil
}

// forward sends a request and passes the answer on. An error means that nothing was passed on.
func (r *Relay) forward(w http.ResponseWriter, out *http.Request) error {
	res, err := r.Transport.RoundTrip(out)
	if err != nil {
		var refusal *Error // of our own, met while the body was read
		if errors.As(err, &refusal) {
			return refusal
		}
		r.Log.Warn("endpoint cannot be reached", "endpoint", r.where, "error", err)
		return &Error{http.StatusServiceUnavailable, "ServiceUnavailable",
			fmt.Sprintf("Penstock could not reach the %s endpoint %s%s.", r.Service, r.where, cause(err))}
	}
	defer res.Body.Close()
	header := w.Header()
	for _, names := range res.Header["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			res.Header.Del(strings.TrimSpace(name))
		}
	}
	for name, values := range res.Header {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Authenticate", "Trailer", "Transfer-Encoding", "Upgrade":
		default:
			header[name] = values
		}
	}
	if res.Header.Get("Content-Type") == "" {
		header["Content-Type"] = nil // no guessing
	}
	if res.ContentLength >= 0 {
		header.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	w.WriteHeader(res.StatusCode)
	if _, err := io.Copy(w, res.Body); err != nil {
		// The status is out. Breaking the connection off is all that tells the client.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// cause is what the network said, for a message that should name it.
func cause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return ": no such host"
	case errors.As(err, &op):
		return ": " + op.Err.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return ": it closed the connection"
	}
	return ""
}
