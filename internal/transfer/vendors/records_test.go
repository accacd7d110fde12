package vendors

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestProject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in     string
		fields []string
		want   string // empty for an error
	}{
		{`{"b": 1, "a": [1, 2], "attributes": {"x": 1}}`, nil, `{"b":1,"a":[1,2]}`},
		{`{"b":12345678901234567890.123456789,"a":"x\ny z"}`, nil, `{"b":12345678901234567890.123456789,"a":"x\ny z"}`},
		{`{"B":1,"a":2}`, []string{"a", "b", "c"}, `{"a":2,"b":1,"c":null}`},
		{`{"Owner":{"attributes":{},"Name":"n"},"x":null}`, []string{"Owner.Name", "x.y"}, `{"Owner.Name":"n","x.y":null}`},
		{`{}`, nil, `{}`},
		{`{}`, []string{"a"}, `{"a":null}`},
		{`{"a":1,"a":2}`, nil, ""}, {`[]`, nil, ""}, {`{"a":}`, nil, ""}, {``, nil, ""}, {`{"a":1} {}`, nil, ""}, {`null`, nil, ""}, {`{"a":1`, nil, ""},
	} {
		got, err := project([]byte(c.in), c.fields, "attributes")
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("project(%s, %v) = %s, %v; want %s", c.in, c.fields, got, err, c.want)
		}
	}
}

func FuzzProject(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,"x"]},"c":null}`, `{"a":1e400}`, `{"\u0041":"\ud800"}`, `{`, `[]`, "{\"a\":\n1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, fields := range [][]string{nil, {"a", "a.b", "A"}} {
			got, err := project(in, fields, "attributes")
			if err != nil {
				continue
			}
			if !json.Valid(got) || bytes.ContainsAny(got, "\r\n") {
				t.Errorf("project(%q, %v) = %q", in, fields, got)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`[{"message":"m","errorCode":"c"}]`))
	f.Add([]byte(`{"error":{"message":"m","detail":"d"}}`))
	f.Add([]byte(`{"error":"RecordNotFound","description":"Not found"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if got := message(in); len(got) > 210 {
			t.Errorf("message(%q) is %d bytes", in, len(got))
		}
	})
}

func BenchmarkProject(b *testing.B) {
	record := []byte(`{"attributes":{"type":"Account","url":"/services/data/v62.0/sobjects/Account/001"},"Id":"0015g00000AbCdE","Name":"Example & Sons","Industry":"Energy","AnnualRevenue":1250000.5,"IsDeleted":false,"BillingAddress":{"city":"Oslo","street":"Main \"1\""},"SystemModstamp":"2026-03-01T12:00:00.000+0000"}`)
	for name, fields := range map[string][]string{"all": nil, "some": {"Id", "Name", "SystemModstamp"}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := project(record, fields, "attributes"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
