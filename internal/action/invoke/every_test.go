package invoke_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/action/vendortest"
)

// without are arguments that exclude others, or stand for the whole request.
func without(typ, id string) []string {
	out := []string{"nextPage", "userId", "filters", "q"}
	switch {
	case typ == "JIRA_CLOUD" && id == "ChangeIssueStatus":
		return append(out, "status")
	case typ == "AMAZON_S3" && id == "CopyObject":
		return append(out, "CopySource")
	case typ == "MICROSOFT_TEAMS" && id == "ListOnlineMeetings":
		return append(out, "filter")
	case typ == "MICROSOFT_TEAMS" && (strings.Contains(id, "Member") || strings.HasPrefix(id, "Invite")):
		return append(out, "user_odata.bind")
	case typ == "MICROSOFT_SHAREPOINT" && id == "SearchSiteDriveItems":
		return []string{"nextPage"}
	}
	return out
}

// Every action of every type makes a request that its vendor takes, with every argument where the vendor wants
// it.
func TestEveryAction(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, typ string, e *invoke.Engine, server *vendortest.Server, known *catalog.Catalogue) {
		for _, a := range known.Actions {
			everyArgument(t, e, server, typ, a)
		}
	})
}

// eachType runs a test for each type, with an engine and a server that is its vendor.
func eachType(t *testing.T, do func(t *testing.T, typ string, e *invoke.Engine, server *vendortest.Server, known *catalog.Catalogue)) {
	set := catalog.NewSet()
	for _, typ := range catalog.Types() {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			server := vendor(t, typ)
			e := engine(t, invoke.Config{Catalogues: set, Burst: 100}, server.Server)
			known, err := set.Catalogue(typ)
			if err != nil {
				t.Fatal(err)
			}
			do(t, typ, e, server, known)
		})
	}
}

func everyArgument(t *testing.T, e *invoke.Engine, server *vendortest.Server, typ string, a *catalog.Action) {
	t.Helper()
	args, err := vendortest.Sample(a, without(typ, a.ID)...)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case typ == catalog.GenericHTTP:
		args["uri"], args["headers"] = "/a%20b/c", map[string]any{"X-One": "1"}
		args["query"] = map[string]any{}
	case typ == "SLACK" && (a.ID == "UploadToURLExternal" || a.ID == "DownloadFile"):
		return // of two requests; see TestSlackFiles
	}
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	server.Reset()
	result, err := e.Invoke(t.Context(), call(typ, server.URL, authOf(typ), a.ID, string(text)))
	got := server.Requests()
	if err != nil || len(got) != 1 {
		t.Errorf("%s with %s: %v; %d requests %+v", a.ID, text, err, len(got), got)
		return
	}
	r := got[0]
	if !slices.Contains(r.Actions, a.ID) {
		t.Errorf("%s with %s was taken for %v", a.ID, text, r.Actions)
	}
	if result.Status < 200 || result.Status > 299 || result.Attempts != 1 {
		t.Errorf("%s: result %+v", a.ID, result)
	}
	authorized(t, typ, r)
	for _, p := range a.Parameters {
		want, given := args[p.Argument]
		if p.Argument == "" || p.In == catalog.InLocal || !given || typ == catalog.GenericHTTP {
			continue
		}
		quoted := strings.ReplaceAll(written(want), "'", "''")
		if have := r.Values[p.Name]; have != written(want) && !(strings.Contains(a.Path, "'{"+p.Name+"}'") && have == quoted) {
			t.Errorf("%s: %s %s is %q, want %q", a.ID, p.In, p.Name, have, written(want))
		}
	}
	sameBody(t, typ, a, args, r)
}

// written is how a value is told in a path, a query or a header.
func written(v any) string {
	if list, ok := v.([]any); ok {
		var words []string
		for _, item := range list {
			words = append(words, written(item))
		}
		return strings.Join(words, ",")
	}
	return fmt.Sprint(v)
}

func authorized(t *testing.T, typ string, r vendortest.Request) {
	t.Helper()
	got, want := r.Header.Get("Authorization"), "Bearer token-1"
	switch {
	case strings.HasPrefix(typ, "AMAZON_"):
		want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"
	case strings.HasPrefix(typ, "SAP_"):
		want = "Basic dXNlcjpwYXNz"
	case typ == catalog.GenericHTTP:
		want = ""
	}
	if !strings.HasPrefix(got, want) || want == "" && got != "" {
		t.Errorf("%v is authorized by %q, want %q", r.Actions, got, want)
	}
}

// sameBody compares what came with what was given; what is fixed may be there besides.
func sameBody(t *testing.T, typ string, a *catalog.Action, args map[string]any, r vendortest.Request) {
	t.Helper()
	b := a.Body
	if b == nil || b.Kind == catalog.BodyMultipart {
		return // the server has read the form
	}
	if b.Kind == catalog.BodyBinary {
		if string(r.Body) != args[b.Argument] {
			t.Errorf("%s sent %q, want %q", a.ID, r.Body, args[b.Argument])
		}
		return
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	var got any
	if err := d.Decode(&got); err != nil {
		t.Errorf("%s sent %q: %v", a.ID, r.Body, err)
		return
	}
	if b.Kind == catalog.BodyWhole {
		if !reflect.DeepEqual(got, normal(args[b.Argument])) {
			t.Errorf("%s sent %s, want %v", a.ID, r.Body, args[b.Argument])
		}
		return
	}
	object, _ := got.(map[string]any)
	if b.Unwrap != "" {
		object, _ = object[b.Unwrap].(map[string]any)
	}
	for _, m := range b.Members {
		want, given := args[m.Argument]
		if given && !reflect.DeepEqual(object[m.Name], normal(want)) && !completed(typ, m.Name) {
			t.Errorf("%s sent %s as %v, want %v", a.ID, m.Name, object[m.Name], want)
		}
	}
}

// completed are members that code of a vendor adds to; tests of the vendor have them.
func completed(typ, member string) bool {
	return strings.HasPrefix(typ, "MICROSOFT_") && (member == "message" || member == "members" || member == "attendees" || member == "start" || member == "end")
}

// normal is a value as it is after being JSON.
func normal(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		return err
	}
	return out
}

// A dry run shows what is sent, but for the secrets.
func TestRenderIsWhatIsSent(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, typ string, e *invoke.Engine, server *vendortest.Server, known *catalog.Catalogue) {
		for _, a := range known.Actions[:min(6, len(known.Actions))] {
			args, err := vendortest.Sample(a, without(typ, a.ID)...)
			if err != nil {
				t.Fatal(err)
			}
			if typ == catalog.GenericHTTP {
				args = map[string]any{"uri": "/x?y=1", "body": map[string]any{"a": 1}}
				if a.ID == http.MethodGet {
					delete(args, "body")
				}
			}
			if typ == "SLACK" && (a.ID == "UploadToURLExternal" || a.ID == "DownloadFile") {
				continue
			}
			text, err := json.Marshal(args)
			if err != nil {
				t.Fatal(err)
			}
			c := call(typ, server.URL, authOf(typ), a.ID, string(text))
			server.Reset()
			shown, err := e.Render(t.Context(), c)
			if err != nil || len(server.Requests()) != 0 {
				t.Errorf("%s: %v, and %d requests", a.ID, err, len(server.Requests()))
				continue
			}
			if _, err := e.Invoke(t.Context(), c); err != nil {
				t.Errorf("%s: %v", a.ID, err)
				continue
			}
			r := server.Requests()[0]
			if shown.Method != r.Method || shown.URL != server.URL+r.Path+query(r) || !bytes.Equal(shown.Body, r.Body) || shown.Write != a.Write {
				t.Errorf("%s shows %s %s %s, sends %s %s %s", a.ID, shown.Method, shown.URL, shown.Body, r.Method, r.Path+query(r), r.Body)
			}
			for name := range shown.Header {
				if name != "Authorization" && shown.Header.Get(name) != r.Header.Get(name) {
					t.Errorf("%s shows %s %q, sends %q", a.ID, name, shown.Header.Get(name), r.Header.Get(name))
				}
			}
			if all := fmt.Sprint(shown); strings.Contains(all, "token-1") || strings.Contains(all, "dXNlcjpwYXNz") {
				t.Errorf("%s shows a secret: %s", a.ID, all)
			}
		}
	})
}

func query(r vendortest.Request) string {
	if r.RawQuery == "" {
		return ""
	}
	return "?" + r.RawQuery
}
