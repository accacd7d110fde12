package restjson_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/input"
	"github.com/penstock-io/penstock/internal/wire/restjson"
)

func router() *restjson.Router {
	var r restjson.Router
	for i, route := range []struct{ method, uri string }{
		{"GET", "/things"}, {"POST", "/things"}, {"GET", "/things/{Id}"}, {"GET", "/things/{Id}/parts"}, {"DELETE", "/things/{Id}/parts/{Part}"},
		{"GET", "/tags/{resourceArn}"}, {"POST", "/tags/{resourceArn}"},
	} {
		r.Add(route.method, route.uri, i)
	}
	return &r
}

func TestFind(t *testing.T) {
	t.Parallel()
	r := router()
	for _, c := range []struct {
		method, path string
		index        int
		labels       []string
		allowed      []string
	}{
		{"GET", "/things", 0, nil, nil},
		{"POST", "/things", 1, nil, nil},
		{"GET", "/things/a", 2, []string{"Id", "a"}, nil},
		{"GET", "/things/a%2Fb%20c", 2, []string{"Id", "a/b c"}, nil},
		{"GET", "/things/parts/parts", 3, []string{"Id", "parts"}, nil},
		{"DELETE", "/things/a/parts/%C3%BC+", 4, []string{"Id", "a", "Part", "ü+"}, nil},
		{"GET", "/tags/arn:aws:x", 5, []string{"resourceArn", "arn:aws:x"}, nil},
		{"DELETE", "/things", -1, nil, []string{"GET", "POST"}},
		{"PUT", "/tags/a", -1, nil, []string{"GET", "POST"}},
		{"GET", "/", -1, nil, nil},
		{"GET", "", -1, nil, nil},
		{"GET", "/things/", -1, nil, nil},
		{"GET", "//things", -1, nil, nil},
		{"GET", "/Things", -1, nil, nil},
		{"GET", "/things/a/parts/b/c", -1, nil, nil},
		{"GET", "/things/%zz", -1, nil, nil},
	} {
		m := r.Find(c.method, c.path)
		if m.Index != c.index || !reflect.DeepEqual(m.Labels, c.labels) || !slices.Equal(m.Allowed, c.allowed) {
			t.Errorf("%s %s: got %+v, want %+v", c.method, c.path, m, c)
		}
	}
}

type thing struct {
	ID    *string
	Next  *string
	Max   *int32
	Keys  []string
	Color *string
}

func decodeBody(d *awsjson.Decoder) thing {
	var v thing
	if !d.Object() {
		return v
	}
	for name := d.Member(); name != nil; name = d.Member() {
		switch string(name) {
		case "Color":
			v.Color = awsjson.Ptr(d, (*awsjson.Decoder).String)
		default:
			d.Unknown()
		}
	}
	return v
}

func decode(path, query, body string) (thing, *input.Error) {
	r, err := restjson.Parse(router().Find("GET", path), query, []byte(body))
	if err != nil {
		return thing{}, err
	}
	v := restjson.Body(r, decodeBody)
	v.ID = r.Label("Id")
	v.Next = r.QueryString("next")
	v.Max = r.QueryInt32("max")
	v.Keys = r.QueryStrings("key")
	return v, r.Finish()
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, query, body string
		want              thing
	}{
		{"/things", "", "", thing{}},
		{"/things/a%20b", "next=x%2By+z&max=-3&key=1&key=&key=%C3%BC", `{"Color":"red"}`,
			thing{ID: ptr("a b"), Next: ptr("x+y z"), Max: ptr(int32(-3)), Keys: []string{"1", "", "ü"}, Color: ptr("red")}},
		{"/things", "next", "{}", thing{Next: ptr("")}},
		{"/things", "&X-Amz-Date=1&x-amz-signature=2&", "", thing{}},
	} {
		got, err := decode(c.path, c.query, c.body)
		if err != nil {
			t.Errorf("%s?%s: %v", c.path, c.query, err)
		} else if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s?%s: got %+v, want %+v", c.path, c.query, got, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, query, body string
		problem           input.Problem
		text              string
	}{
		{"/things/%ff", "", "", input.Unreadable, "path holds text that is not UTF-8"},
		{"/things", "next=%ff", "", input.Unreadable, "not percent-encoded UTF-8"},
		{"/things", "next=%f", "", input.Unreadable, "not percent-encoded UTF-8"},
		{"/things", "%=1", "", input.Unreadable, "not percent-encoded UTF-8"},
		{"/things", "next=1&next=2", "", input.Mistyped, "next is given more than once"},
		{"/things", "max=1.0", "", input.Mistyped, "max must be a whole number"},
		{"/things", "max=2147483648", "", input.Mistyped, "max must be a whole number"},
		{"/things", "Next=1", "", input.Unknown, "Next is not a parameter"},
		{"/things", "", `{"Id":"x"}`, input.Unknown, "/Id is not a member"},
		{"/things", "", `{`, input.Unreadable, "not valid JSON"},
		{"/things", "max=x", `[]`, input.Mistyped, "Expected an object"}, // the first error is the one told
	} {
		_, err := decode(c.path, c.query, c.body)
		if err == nil || err.Problem != c.problem || !strings.Contains(err.Message, c.text) {
			t.Errorf("%s?%s %s: got %v, want problem %d, %q", c.path, c.query, c.body, err, c.problem, c.text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("/things/a%20b", "next=x&max=1&key=a&key=b", "{}")
	f.Add("/things/%ff", "%=&=&&X-Amz-=1", `{"Color":null}`)
	f.Fuzz(func(t *testing.T, path, query, body string) {
		v, err := decode(path, query, body)
		if err != nil {
			return
		}
		for _, s := range append(v.Keys, deref(v.ID), deref(v.Next), deref(v.Color)) {
			if !utf8.ValidString(s) {
				t.Errorf("decoded %q", s)
			}
		}
	})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
