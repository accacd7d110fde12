package vendors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
	"github.com/penstock-io/penstock/internal/transfer/vendors/vendortest"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, v vendors.Vendor, p vendors.Profile) vendors.Reader {
	t.Helper()
	r, err := vendors.Open(v, "test", p, vendors.Options{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readAll(t *testing.T, r vendors.Reader, q vendors.Query) (records []string) {
	t.Helper()
	err := r.Read(t.Context(), q, "", func(p vendors.Page) error {
		for _, r := range p.Records {
			records = append(records, string(r))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestSalesforceQueries(t *testing.T) {
	t.Parallel()
	f := vendortest.New(t, vendors.Salesforce)
	f.Add(epoch, 2)
	r := open(t, vendors.Salesforce, f.Profile())
	lastQuery := func() string {
		requests, _ := f.Requests()
		return requests[len(requests)-1]
	}
	_ = readAll(t, r, vendors.Query{Object: "Account"})
	if q := lastQuery(); !strings.Contains(q, "/query?") || strings.Contains(q, "Body") {
		t.Errorf("the query is %s; want no deleted records and no field of type base64", q)
	}
	got := readAll(t, r, vendors.Query{Object: "Account", Fields: []string{"title", "IsDeleted", "Body", "Owner.Name"}})
	if q := lastQuery(); !strings.Contains(q, "/queryAll?") || !strings.Contains(q, "Body") {
		t.Errorf("the query is %s; want deleted records and the field asked for", q)
	}
	if want := `{"title":null,"IsDeleted":null,"Body":null,"Owner.Name":null}`; got[0] != want { // the fake spells it Title
		t.Errorf("got %s, want %s", got[0], want)
	}
	fields, err := r.Describe(t.Context(), vendors.Query{Object: "Account"})
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]vendors.Type{}
	for _, f := range fields {
		types[f.Name] = f.Type
	}
	for name, want := range map[string]vendors.Type{"Id": vendors.Text, "Open": vendors.Boolean, "Rank": vendors.Integer, "SystemModstamp": vendors.Time, "Parts": vendors.Nested} {
		if types[name] != want {
			t.Errorf("%s is %s, want %s", name, types[name], want)
		}
	}
	for _, field := range []string{"Nothing", "a b", "Id FROM User--"} {
		if _, err := r.Describe(t.Context(), vendors.Query{Object: "Account", Fields: []string{field}}); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("field %q: err = %v", field, err)
		}
	}
	var many []string
	for n := range 2000 {
		many = append(many, fmt.Sprintf("Owner.Field%d", n))
	}
	err = r.Read(t.Context(), vendors.Query{Object: "Account", Fields: many}, "", func(vendors.Page) error { return nil })
	if fault.KindOf(err) != fault.Limit || !strings.Contains(err.Error(), "ObjectConfiguration") {
		t.Errorf("too long a query: err = %v", err)
	}
}

// Salesforce asks for a next page of its own choosing; it must be one of its paths.
func TestSalesforceStaysWhereItIs(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"https://elsewhere.example/services/data/x", "//elsewhere.example/services/data/x", "/services/oauth2/token", "/services/data/../../secret"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/describe") {
				_, _ = w.Write([]byte(`{"fields":[{"name":"Id","type":"id"},{"name":"SystemModstamp","type":"datetime"}]}`))
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"nextRecordsUrl": next, "records": []map[string]string{{"Id": "1", "SystemModstamp": "2026-01-01T00:00:00.000+0000"}}})
		}))
		t.Cleanup(server.Close)
		r := open(t, vendors.Salesforce, vendors.Profile{BaseURL: server.URL, Auth: vendors.Auth{Type: vendors.Bearer, Token: secret.NewText("t")}})
		err := r.Read(t.Context(), vendors.Query{Object: "Account"}, "", func(vendors.Page) error { return nil })
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "next page") {
			t.Errorf("%s: err = %v", next, err)
		}
	}
}

func TestServiceNowRowsTheUserMayNotRead(t *testing.T) {
	t.Parallel()
	f := vendortest.New(t, vendors.ServiceNow)
	all := f.Add(epoch, 14)
	f.Hide(all[0])
	f.Hide(all[4:12]...) // whole pages of them
	got := readAll(t, open(t, vendors.ServiceNow, f.Profile()), vendors.Query{Object: "incident", Fields: []string{"sys_id"}})
	var want []string
	for _, r := range append(slices.Clone(all[1:4]), all[12:]...) {
		want = append(want, `{"sys_id":"`+r.ID+`"}`)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A query that takes too long is answered with status 200, some of its records, and an error.
func TestServiceNowGivesUp(t *testing.T) {
	t.Parallel()
	f := vendortest.New(t, vendors.ServiceNow)
	f.PageSize = 64
	all := f.Add(epoch, 20)
	f.Fail(vendortest.Failure{Status: 200, Body: `{"result":[{"sys_id":"` + all[0].ID + `"}],"error":{"message":"Transaction cancelled: maximum execution time exceeded"},"status":"failure"}`})
	got := readAll(t, open(t, vendors.ServiceNow, f.Profile()), vendors.Query{Object: "incident"})
	requests, _ := f.Requests()
	if len(got) != len(all) || !strings.Contains(requests[1], "sysparm_limit=16") {
		t.Errorf("got %d records, want %d; the requests were %v", len(got), len(all), requests)
	}
	f.Fail(slices.Repeat([]vendortest.Failure{{Status: 200, Body: `{"result":[],"error":{"message":"Transaction cancelled"}}`}}, 10)...)
	err := open(t, vendors.ServiceNow, f.Profile()).Read(t.Context(), vendors.Query{Object: "incident"}, "", func(vendors.Page) error { return nil })
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "page_size") {
		t.Errorf("err = %v, want Unavailable that says what to set", err)
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		vendor vendors.Vendor
		auth   vendors.Auth
		header string
		want   []string // of the header, in the requests for data
	}{
		{"basic", vendors.ServiceNow, vendors.Auth{Type: vendors.Basic, Username: "u", Password: secret.NewText("p")}, "Authorization", []string{"Basic dTpw"}},
		{"key in a header", vendors.ServiceNow, vendors.Auth{Type: vendors.APIKey, APIKey: secret.NewText("k")}, "X-Sn-Apikey", []string{"k"}},
		{"key with a name", vendors.Zendesk, vendors.Auth{Type: vendors.APIKey, Username: "u", APIKey: secret.NewText("k")}, "Authorization", []string{"Basic dS90b2tlbjpr"}},
		{"bearer", vendors.Zendesk, vendors.Auth{Type: vendors.Bearer, Token: secret.NewText("t")}, "Authorization", []string{"Bearer t"}},
		{"refresh token", vendors.ServiceNow, vendors.Auth{Type: vendors.RefreshToken, ClientID: "c", ClientSecret: secret.NewText("s"), RefreshToken: secret.NewText("r0")}, "Authorization",
			[]string{"Bearer a-r0", "Bearer a-r1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.Method == http.MethodPost { // a server that gives a new refresh token with every access token
					refresh := r.FormValue("refresh_token")
					_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a-" + refresh, "refresh_token": "r" + string(refresh[1]+1), "expires_in": 3600})
					return
				}
				seen = append(seen, r.Header.Get(c.header))
				if len(seen) == 1 {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = w.Write([]byte(`{"result":[],"macros":[]}`))
			}))
			t.Cleanup(server.Close)
			r := open(t, c.vendor, vendors.Profile{BaseURL: server.URL, Auth: c.auth})
			err := r.Read(t.Context(), vendors.Query{Object: "macros"}, "", func(vendors.Page) error { return nil })
			if renewable := len(c.want) > 1; renewable != (err == nil) {
				t.Errorf("err = %v", err)
			}
			if !slices.Equal(seen, c.want) {
				t.Errorf("the requests had %q, want %q", seen, c.want)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/login", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	r := open(t, vendors.ServiceNow, vendors.Profile{BaseURL: server.URL, Auth: vendors.Auth{Type: vendors.Bearer, Token: secret.NewText("t")}})
	_, err := r.Describe(t.Context(), vendors.Query{Object: "incident"})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("err = %v", err)
	}
}
