package vendors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of this package's faults.
const (
	SubjectProfile = "connection profile"
	SubjectVendor  = "source system"
	SubjectRecords = "source object" // the object whose records are read
)

// Query asks for the records of one object.
type Query struct {
	Object string
	Fields []string // those to take, in this order; empty means all
	// Records modified at Start or later and before End. Zero is no bound. The vendors' clocks have whole seconds,
	// and so should these have, or a record of the second that a bound falls into may belong to no window.
	Start, End time.Time
}

// within reports whether a record modified at t is asked for.
func (q Query) within(t time.Time) bool {
	return (q.Start.IsZero() || !t.Before(q.Start)) && (q.End.IsZero() || t.Before(q.End))
}

// Type is what a field holds.
type Type string

const (
	Text    Type = "text"
	Boolean Type = "boolean"
	Integer Type = "integer" // fits 64 bits
	Number  Type = "number"  // any other
	Date    Type = "date"    // "2006-01-02"
	Time    Type = "time"    // RFC 3339, or as Salesforce writes it: 2006-01-02T15:04:05.000+0000
	Nested  Type = "nested"  // an object or an array
)

// Field is a field of an object.
type Field struct {
	Name string
	Type Type
}

// Page is a part of the records, in no order one may rely on.
type Page struct {
	Records []json.RawMessage // objects; the members are the query's fields, in its order
	Mark    string            // where to go on after this page
	Total   int64             // records there are in all, 0 when the vendor does not say
}

// Reader reads the records of a vendor's instance. It is safe for concurrent use.
type Reader interface {
	// Describe checks that the object and the fields are there and returns the fields the vendor declares types
	// for, which are none where it declares no types. It contacts the vendor.
	Describe(ctx context.Context, q Query) ([]Field, error)
	// Read calls yield with one page after the other until there are no more, beginning after the page that had
	// the mark, or at the beginning if that is empty. An error of yield ends the reading and is returned.
	Read(ctx context.Context, q Query, mark string, yield func(Page) error) error
}

// Options are what a Reader needs beside its profile. Zero values stand for the usual.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Sleep waits before a request is tried again. Tests put their own here.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Open makes the Reader of a profile. It contacts nobody.
func Open(v Vendor, name string, p Profile, o Options) (Reader, error) {
	if err := (Profiles{v: {name: p}}).Validate(); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectProfile, "the connection profile %s: %s", name, err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	transport, err := transportOf(p)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(strings.TrimSuffix(p.BaseURL, "/"))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectProfile, "base_url of the connection profile %s is not a URL", name)
	}
	c := &client{
		vendor: v, profile: name, base: base, o: o,
		http: &http.Client{Transport: transport, Timeout: requestTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	c.auth = newAuthenticator(v, p, c.http)
	switch v {
	case Salesforce:
		return newSalesforce(c, p), nil
	case ServiceNow:
		return newServiceNow(c, p), nil
	case Zendesk:
		return newZendesk(c, p), nil
	}
	return nil, fault.New(fault.Unsupported, SubjectVendor, "there is no reader for %s", v)
}

// transportOf is the HTTP transport of a profile.
func transportOf(p Profile) (http.RoundTripper, error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport, nil // somebody has put their own there
	}
	t := base.Clone()
	t.ResponseHeaderTimeout = requestTimeout
	if p.CAFile != "" {
		pem, err := os.ReadFile(p.CAFile)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, SubjectProfile, "ca_file %s cannot be read", p.CAFile)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, SubjectProfile, "ca_file %s holds no certificate in PEM form", p.CAFile)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ParseURI splits a source URI such as Salesforce://AppFlow/sales into the vendor and the profile's name. Schemes
// are known in any case.
func ParseURI(uri string) (Vendor, string, error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	v := Vendor(strings.ToLower(scheme))
	if !slices.Contains(Vendors(), v) {
		return "", "", fault.New(fault.Invalid, SubjectVendor, "the scheme %q names no source system; use Salesforce, ServiceNow or Zendesk", scheme)
	}
	kind, name, _ := strings.Cut(rest, "/")
	if !strings.EqualFold(kind, "AppFlow") || !profileName.MatchString(name) {
		return "", "", fault.New(fault.Invalid, SubjectVendor, "%q is not of the form %s://AppFlow/<connection profile>", uri, v.Name())
	}
	return v, name, nil
}

// Find returns a profile by its name.
func (p Profiles) Find(v Vendor, name string) (Profile, error) {
	if found, ok := p[v][name]; ok {
		return found, nil
	}
	known := "there is none"
	if names := p.Names(v); len(names) > 0 {
		known = "there is " + strings.Join(names, ", ")
	}
	return Profile{}, fault.New(fault.NotFound, SubjectProfile, "there is no %s connection profile %q; %s. Add it to the configuration file as profiles.%s.%s", v.Name(), name, known, v, name)
}

// marks are JSON, so that a newer version can tell what an older one wrote.
func writeMark(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

func readMark(mark string, into any) error {
	if mark == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(mark), into); err != nil {
		return fault.Wrap(err, fault.Invalid, SubjectRecords, "the place to resume reading at cannot be understood: %.100q", mark)
	}
	return nil
}
