// Package vendortest is what every reader of a vendor's records must do, as tests, and the vendors to read from:
// local TLS servers that answer as Salesforce, ServiceNow and Zendesk do, and fail as they do when told to.
package vendortest

import (
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// Credentials every Fake accepts.
const (
	ClientID     = "client"
	ClientSecret = "client-secret-0451"
)

// Record is a record of a Fake.
type Record struct {
	ID       string
	Modified time.Time
	Values   map[string]any // beside the vendor's own fields of id and modification
}

// Failure is something that goes wrong with one request for data.
type Failure struct {
	Status     int    // answered with this status
	RetryAfter string // and this header
	Body       string
	Cut        bool // the connection breaks off in the middle of the answer
	Short      bool // the answer is whole by its length, and its JSON ends too early
	Page       bool // a web page with status 200
	Expire     bool // the access token stops being accepted before the request is looked at
}

// Fake is a vendor's instance.
type Fake struct {
	Vendor   vendors.Vendor
	URL      string
	Object   string // that the records are of
	Stamp    string // name of the field of modification
	Key      string // name of the field of identity
	PageSize int

	certificates string
	mu           sync.Mutex
	records      []Record
	failures     []Failure
	token        string
	tokens       int
	refuse       bool
	forget       bool
	requests     []string
	cursors      map[string]cursor
	hidden       map[string]bool
}

type cursor struct {
	records []Record
	fields  []string
	total   int
}

// New starts a Fake that the test's end stops.
func New(t *testing.T, v vendors.Vendor) *Fake {
	f := &Fake{Vendor: v, token: rand.Text(), cursors: map[string]cursor{}, hidden: map[string]bool{}, PageSize: 3}
	var data http.HandlerFunc
	tokenPath := ""
	switch v {
	case vendors.Salesforce:
		f.Object, f.Stamp, f.Key, tokenPath, data = "Account", "SystemModstamp", "Id", "/services/oauth2/token", f.salesforce
	case vendors.ServiceNow:
		f.Object, f.Stamp, f.Key, tokenPath, data = "incident", "sys_updated_on", "sys_id", "/oauth_token.do", f.serviceNow
	case vendors.Zendesk:
		f.Object, f.Stamp, f.Key, tokenPath, data = "tickets", "updated_at", "id", "/oauth/tokens", f.zendesk
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tokenPath, f.giveToken)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, data) })
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up are part of the tests
	server.StartTLS()
	t.Cleanup(server.Close)
	f.URL = server.URL
	f.certificates = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(f.certificates, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// Profile is a connection profile for the instance.
func (f *Fake) Profile() vendors.Profile {
	return vendors.Profile{
		BaseURL: f.URL, CAFile: f.certificates, PageSize: f.PageSize,
		Auth: vendors.Auth{Type: vendors.ClientCredentials, ClientID: ClientID, ClientSecret: secret.NewText(ClientSecret)},
	}
}

// Add makes n records, a second apart from the given time on, and returns them.
func (f *Fake) Add(from time.Time, n int) []Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var added []Record
	for range n {
		k := len(f.records) + 1
		r := Record{ID: fmt.Sprintf("%08d", 10000000+k), Modified: from.Add(time.Duration(len(added)) * time.Second).UTC().Truncate(time.Second), Values: map[string]any{
			"Title": fmt.Sprintf("record %d, \"ü\"\nline", k), "Open": k%2 == 0, "Rank": k, "Note": nil, "Parts": map[string]any{"a": []int{k}},
		}}
		if f.Vendor == vendors.ServiceNow { // it has lower-case names and nothing but text
			r.Values = map[string]any{"title": r.Values["Title"], "open": strconv.FormatBool(k%2 == 0), "rank": strconv.Itoa(k), "note": ""}
		}
		added = append(added, r)
		f.records = append(f.records, r)
	}
	return added
}

// Put adds a record, or puts it in the place of the one with its id.
func (f *Fake) Put(r Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = append(slices.DeleteFunc(f.records, func(o Record) bool { return o.ID == r.ID }), r)
}

// Hide keeps records from the user in the way ServiceNow does: a page is cut first, and what may not be seen is
// taken out of it then.
func (f *Fake) Hide(records ...Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range records {
		f.hidden[r.ID] = true
	}
}

// Fail makes the next requests for data fail, one failure each.
func (f *Fake) Fail(failures ...Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, failures...)
}

// Refuse makes the instance refuse its credentials from now on.
func (f *Fake) Refuse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse, f.token = true, rand.Text()
}

// Forget makes the instance forget every cursor it gave out.
func (f *Fake) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget, f.cursors = true, map[string]cursor{}
}

// Requests are the paths and queries asked for so far, and how many tokens were given out.
func (f *Fake) Requests() (requests []string, tokens int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests), f.tokens
}

func (f *Fake) giveToken(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse || r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != ClientID || r.FormValue("client_secret") != ClientSecret {
		// Some servers do repeat what they were sent.
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "no such client: " + r.FormValue("client_secret")})
		return
	}
	f.token = "token-" + rand.Text()
	f.tokens++
	answer(w, http.StatusOK, map[string]any{"access_token": f.token, "token_type": "Bearer", "expires_in": 3600})
}

// serve answers a request for data, or fails it.
func (f *Fake) serve(w http.ResponseWriter, r *http.Request, data http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.URL.RequestURI())
	var now Failure
	if len(f.failures) > 0 {
		now, f.failures = f.failures[0], f.failures[1:]
	}
	if now.Expire {
		f.token = "expired " + rand.Text()
	}
	if f.refuse || r.Header.Get("Authorization") != "Bearer "+f.token {
		if f.Vendor == vendors.Salesforce {
			answer(w, http.StatusUnauthorized, []map[string]string{{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}})
			return
		}
		answer(w, http.StatusUnauthorized, map[string]any{"error": map[string]string{"message": "User Not Authenticated", "detail": "Required to provide Auth information"}})
		return
	}
	switch {
	case now.Status != 0:
		if now.RetryAfter != "" {
			w.Header().Set("Retry-After", now.RetryAfter)
		}
		w.WriteHeader(now.Status)
		_, _ = w.Write([]byte(now.Body))
	case now.Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Instance hibernating</title>"))
	case now.Cut, now.Short:
		whole := httptest.NewRecorder()
		data(whole, r)
		half := whole.Body.Bytes()[:whole.Body.Len()/2]
		if now.Cut {
			w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
		}
		_, _ = w.Write(half)
		if now.Cut {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	default:
		data(w, r)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// between are the records modified in a window, in the order of modification and id.
func (f *Fake) between(start, end time.Time) []Record {
	var out []Record
	for _, r := range f.records {
		if !r.Modified.Before(start) && (end.IsZero() || r.Modified.Before(end)) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Record) int {
		if c := a.Modified.Compare(b.Modified); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}
