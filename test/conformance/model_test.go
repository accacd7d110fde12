package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// model is a Smithy model as api-models has it.
type model struct {
	Shapes map[string]*shape

	id      string // of the service
	signing string
	known   map[string]any // values of members, by name
	service *shape
}

type shape struct {
	Type       string
	Traits     map[string]json.RawMessage
	Members    map[string]*member
	Member     *member // of a list
	Key, Value *member // of a map
	Operations []member
	Input      *member
}

type member struct {
	Target string
	Traits map[string]json.RawMessage
}

func loadModels(t *testing.T) []*model {
	t.Helper()
	files, err := filepath.Glob("../../api-models/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	var all []*model
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{}
		if err := json.Unmarshal(text, m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for id, s := range m.Shapes {
			if s.Type == "service" {
				m.id, m.service = id, s
			}
		}
		var auth struct{ Name string }
		if err := json.Unmarshal(m.service.Traits["aws.auth#sigv4"], &auth); err != nil {
			t.Fatal(err)
		}
		m.signing = auth.Name
		all = append(all, m)
	}
	return all
}

func (m *model) protocol() string {
	for trait := range m.service.Traits {
		if name, ok := strings.CutPrefix(trait, "aws.protocols#"); ok {
			return name
		}
	}
	return ""
}

// trait reads a trait of a shape or a member into v.
func trait(traits map[string]json.RawMessage, name string, v any) bool {
	raw, ok := traits[name]
	return ok && json.Unmarshal(raw, v) == nil
}

type bounds struct{ Min, Max *float64 }

// samples are values for strings with a pattern: the first that fits is taken.
var samples = []string{
	"sample", "default", "dev", "123456789012", "11111111-2222-3333-4444-555555555555", "1", "a-b", "arn:aws:s3:::bucket",
	"arn:aws:redshift:us-east-1:123456789012:namespace:11111111-2222-3333-4444-555555555555",
	"arn:aws:redshift:us-east-1:123456789012:integration:11111111-2222-3333-4444-555555555555",
	"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/11111111-2222-3333-4444-555555555555",
	"arn:aws:dynamodb:us-east-1:123456789012:table/t", "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2024-01-01T00:00:00.000",
	"arn:aws:app-integrations:us-east-1:123456789012:application/11111111-2222-3333-4444-555555555555", "https://example.com", "10.0.0.0", "Abcdefg1", "s3://bucket/key", "rate(1 hour)",
}

// common are values of members that lead further into an operation than a sample does.
var common = map[string]any{
	"ClusterIdentifier": "default", "Database": "dev", "DatabaseName": "dev", "PartnerName": "Datacoral", "AccountId": "123456789012", "MasterUserPassword": "Passw0rd-hostile", "MasterUsername": "admin",
	"NodeType": "ra3.large", "Sql": "SELECT 1", "Sqls": []any{"SELECT 1"}, "adminUserPassword": "Passw0rd-hostile", "namespaceName": "default", "workgroupName": "default",
	"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration"}]}`,
}

// also are members an operation needs though its model does not say so.
var also = map[string][]string{
	"ExecuteStatement": {"ClusterIdentifier", "Database"}, "BatchExecuteStatement": {"ClusterIdentifier", "Database"}, "ListDatabases": {"ClusterIdentifier"}, "ListSchemas": {"ClusterIdentifier"}, "ListTables": {"ClusterIdentifier"},
	"DescribeTable": {"ClusterIdentifier", "Table"}, "CreateCluster": {"MasterUserPassword"}, "ModifyIntegration": {"Description"},
}

// named is the value a member is known to need. Whatever is made, changed or destroyed is not the default warehouse.
func (m *model) named(op, name string) (any, bool) {
	v, ok := m.known[name]
	if !ok {
		v, ok = common[name]
	}
	for _, verb := range []string{"Create", "Delete", "Modify", "Update"} {
		if strings.HasPrefix(op, verb) && slices.Contains([]string{"ClusterIdentifier", "namespaceName", "workgroupName"}, name) || op == "DeleteIntegration" {
			return nil, false
		}
	}
	return v, ok
}

// valid makes a value the model allows.
func (m *model) valid(op, name, target string, depth int) any {
	if v, ok := m.named(op, name); ok {
		return v
	}
	s := m.Shapes[target]
	if s == nil {
		return "sample"
	}
	var b bounds
	trait(s.Traits, "smithy.api#length", &b)
	switch s.Type {
	case "string":
		return m.validString(s, b)
	case "enum":
		names := slices.Sorted(maps.Keys(s.Members))
		var value string
		if !trait(s.Members[names[0]].Traits, "smithy.api#enumValue", &value) {
			return names[0]
		}
		return value
	case "integer", "long", "double":
		var r bounds
		if trait(s.Traits, "smithy.api#range", &r) && r.Min != nil && *r.Min > 1 {
			return int64(*r.Min)
		}
		return int64(1)
	case "boolean":
		return false
	case "timestamp":
		if m.protocol() == "awsQuery" {
			return "2024-01-01T00:00:00Z"
		}
		return 1700000000
	case "blob":
		return "AAAA"
	case "list":
		if depth > 4 {
			return []any{}
		}
		list := []any{}
		for range max(1, int(orZero(b.Min))) {
			list = append(list, m.valid(op, "", s.Member.Target, depth+1))
		}
		return list
	case "map":
		if depth > 4 {
			return map[string]any{}
		}
		key, ok := m.valid(op, "", s.Key.Target, depth+1).(string)
		if !ok {
			key = "sample"
		}
		return map[string]any{key: m.valid(op, "", s.Value.Target, depth+1)}
	case "union":
		name := slices.Sorted(maps.Keys(s.Members))[0]
		return map[string]any{name: m.valid(op, name, s.Members[name].Target, depth+1)}
	case "structure":
		return m.required(op, s, depth)
	}
	return nil
}

func (m *model) required(op string, s *shape, depth int) map[string]any {
	out := map[string]any{}
	for name, mem := range s.Members {
		_, ok := mem.Traits["smithy.api#required"]
		if ok = ok || depth == 0 && slices.Contains(also[op], name); ok && depth < 6 {
			out[name] = m.valid(op, name, mem.Target, depth+1)
		}
	}
	return out
}

func orZero(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}

func (m *model) validString(s *shape, b bounds) string {
	var pattern string
	if trait(s.Traits, "smithy.api#pattern", &pattern) {
		if re, err := regexp.Compile("^(?:" + pattern + ")$"); err == nil {
			for _, sample := range samples {
				if n := float64(len(sample)); re.MatchString(sample) && n >= orZero(b.Min) && (b.Max == nil || n <= *b.Max) {
					return sample
				}
			}
		}
	}
	v := "sample"
	for float64(len(v)) < orZero(b.Min) {
		v += "x"
	}
	if b.Max != nil && float64(len(v)) > *b.Max {
		v = v[:int(*b.Max)]
	}
	return v
}

// trial is an input to try. What breaks the model must be refused.
type trial struct {
	op, what string
	input    map[string]any
	refuse   bool
}

// junk is what people put where text belongs.
var junk = []string{"\x00", "\u202e\ufeff", "' OR 1=1; --", "../../../etc/passwd", "%s%n%x", "${jndi:ldap://x}", "<x>&amp;</x>", "ünïcødé-😀", " ", "null", "-1", "1e999", strings.Repeat("A", 70_000), strings.Repeat("../", 2000)}

// trials are all inputs to try for an operation: every member in turn with values at, within and past its limits.
func (m *model) trials(op string, in *shape) []trial {
	name := op[strings.IndexByte(op, '#')+1:]
	all := []trial{{name, "only what is required", m.required(name, in, 0), false}, {name, "nothing", map[string]any{}, len(m.required(name, in, 0)) > 0}}
	unknown := m.required(name, in, 0)
	unknown["NoSuchMember"] = "x"
	all = append(all, trial{name, "an unknown member", unknown, true})
	for _, field := range slices.Sorted(maps.Keys(in.Members)) {
		mem := in.Members[field]
		if _, ok := mem.Traits["smithy.api#required"]; ok {
			without := m.required(name, in, 0)
			delete(without, field)
			all = append(all, trial{name, "no " + field, without, true})
		}
		for _, v := range m.variants(name, field, mem.Target, 0) {
			if _, label := mem.Traits["smithy.api#httpLabel"]; label {
				if text, ok := v.value.(string); !ok || text == "" {
					continue // another path altogether
				}
			}
			input := m.required(name, in, 0)
			input[field] = v.value
			all = append(all, trial{name, field + " = " + v.what, input, v.refuse})
		}
	}
	return all
}

type variant struct {
	what   string
	value  any
	refuse bool
}

// variants are values for a member.
func (m *model) variants(op, name, target string, depth int) []variant {
	s := m.Shapes[target]
	if s == nil || depth > 3 {
		return nil
	}
	query := m.protocol() == "awsQuery"
	out := []variant{{"a valid one", m.valid(op, name, target, depth), false}}
	var b bounds
	trait(s.Traits, "smithy.api#length", &b)
	switch s.Type {
	case "string", "enum", "blob", "timestamp":
		var re *regexp.Regexp
		var pattern string
		if trait(s.Traits, "smithy.api#pattern", &pattern) && s.Type == "string" {
			re, _ = regexp.Compile("^(?s:" + pattern + ")$")
		}
		for _, j := range append(junk, "") {
			n := float64(utf8.RuneCountInString(j))
			bad := re != nil && !re.MatchString(j) || s.Type == "string" && (n < orZero(b.Min) || b.Max != nil && n > *b.Max) || s.Type == "enum" && j != ""
			out = append(out, variant{fmt.Sprintf("%.20q", j), j, bad})
		}
		if b.Max != nil && *b.Max < 100_000 && s.Type == "string" {
			out = append(out, variant{"too long", strings.Repeat("a", int(*b.Max)+1), true})
		}
		if !query {
			bad := s.Type != "timestamp"
			out = append(out, variant{"a number", 5, bad}, variant{"a list", []any{}, true}, variant{"an object", map[string]any{}, true}, variant{"null", nil, false}, variant{"a deep list", deep(500), true})
		}
	case "integer", "long", "double":
		var r bounds
		trait(s.Traits, "smithy.api#range", &r)
		for _, n := range []float64{-1, 0, 1, 19, 20, 100, 101, math.MaxInt32, math.MaxInt32 + 1, -math.MaxInt32 - 2} {
			bad := r.Min != nil && n < *r.Min || r.Max != nil && n > *r.Max || s.Type == "integer" && math.Abs(n) > math.MaxInt32+1
			out = append(out, variant{fmt.Sprint(n), json.Number(fmt.Sprintf("%.0f", n)), bad})
		}
		out = append(out, variant{"letters", "x", true}, variant{"a fraction", json.Number("1.5"), s.Type != "double"}, variant{"9e99", json.Number("9e99"), s.Type != "double"},
			variant{"twenty digits", json.Number("99999999999999999999"), s.Type != "double"})
		if !query {
			out = append(out, variant{"a list", []any{1}, true}, variant{"an object", map[string]any{"a": 1}, true}, variant{"a truth", true, true})
		}
	case "boolean":
		out = append(out, variant{"true", true, false}, variant{"letters", "maybe", true})
		if !query {
			out = append(out, variant{"a number", 1, true}, variant{"a list", []any{true}, true})
		}
	case "list":
		many := make([]any, 1000)
		for i := range many {
			many[i] = m.valid(op, "", s.Member.Target, depth+1)
		}
		out = append(out, variant{"empty", []any{}, orZero(b.Min) > 0 && !query}, variant{"a thousand", many, b.Max != nil && *b.Max < 1000})
		for _, v := range m.variants(op, "", s.Member.Target, depth+1) {
			out = append(out, variant{"with " + v.what, []any{v.value}, v.refuse})
		}
		if !query {
			out = append(out, variant{"text", "x", true}, variant{"an object", map[string]any{"0": "x"}, true})
		}
	case "map":
		for _, v := range m.variants(op, "", s.Value.Target, depth+1) {
			out = append(out, variant{"with " + v.what, map[string]any{"sample": v.value}, v.refuse && s.Key != nil})
		}
		if !query {
			out = append(out, variant{"text", "x", true}, variant{"a list", []any{"x"}, true})
		}
	case "structure", "union":
		for field, mem := range s.Members {
			for _, v := range m.variants(op, field, mem.Target, depth+1) {
				value := map[string]any{}
				if s.Type == "structure" {
					value = m.required(op, s, depth)
				}
				value[field] = v.value
				out = append(out, variant{field + " = " + v.what, value, v.refuse})
			}
		}
		if !query {
			out = append(out, variant{"text", "x", true}, variant{"a list", []any{}, true})
		}
	}
	return out
}

// deep is a list in a list in a list.
func deep(n int) any {
	var v any = []any{}
	for range n {
		v = []any{v}
	}
	return v
}

// wire is a request of the model's protocol.
func (m *model) wire(op string, in *shape, input map[string]any) (method, path string, headers map[string]string, body []byte) {
	switch m.protocol() {
	case "awsQuery":
		form := url.Values{"Action": {op}, "Version": {m.version()}}
		for name, value := range input {
			m.flatten(form, wireName(name, in.Members[name]), in.Members[name], value)
		}
		return "POST", "/", map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, []byte(form.Encode())
	case "restJson1":
		return m.rest(op, in, input)
	}
	var prefix, version string
	trait(m.service.Traits, "aws.json#targetPrefix", &prefix)
	trait(m.service.Traits, "aws.json#version", &version)
	text, _ := json.Marshal(input)
	return "POST", "/", map[string]string{"Content-Type": "application/x-amz-json-" + version, "X-Amz-Target": prefix + "." + op}, text
}

func (m *model) version() string {
	var raw map[string]json.RawMessage
	_ = json.Unmarshal([]byte("{}"), &raw)
	switch m.signing {
	case "redshift":
		return "2012-12-01"
	default:
		return "2011-06-15"
	}
}

func wireName(name string, mem *member) string {
	var xml string
	if mem != nil && trait(mem.Traits, "smithy.api#xmlName", &xml) {
		return xml
	}
	return name
}

func (m *model) flatten(form url.Values, name string, mem *member, value any) {
	switch v := value.(type) {
	case []any:
		item, elem := "member", (*member)(nil)
		if mem != nil && m.Shapes[mem.Target] != nil && m.Shapes[mem.Target].Member != nil {
			elem = m.Shapes[mem.Target].Member
			item = wireName("member", elem)
		}
		for i, e := range v {
			m.flatten(form, fmt.Sprintf("%s.%s.%d", name, item, i+1), elem, e)
		}
	case map[string]any:
		s := (*shape)(nil)
		if mem != nil {
			s = m.Shapes[mem.Target]
		}
		if s != nil && s.Type == "map" {
			i := 1
			for k, e := range v {
				form.Set(fmt.Sprintf("%s.entry.%d.key", name, i), k)
				m.flatten(form, fmt.Sprintf("%s.entry.%d.value", name, i), s.Value, e)
				i++
			}
			return
		}
		for k, e := range v {
			var sub *member
			if s != nil {
				sub = s.Members[k]
			}
			m.flatten(form, name+"."+wireName(k, sub), sub, e)
		}
	case nil:
	default:
		form.Set(name, fmt.Sprint(v))
	}
}

func (m *model) rest(op string, in *shape, input map[string]any) (method, path string, headers map[string]string, body []byte) {
	var bound struct{ Method, Uri string }
	for id, s := range m.Shapes {
		if s.Type == "operation" && strings.HasSuffix(id, "#"+op) {
			trait(s.Traits, "smithy.api#http", &bound)
		}
	}
	rest, query := map[string]any{}, url.Values{}
	path = bound.Uri
	bodiless := bound.Method == http.MethodGet || bound.Method == http.MethodDelete
	for name, value := range input {
		var key, label string
		mem := in.Members[name]
		switch {
		case mem == nil && bodiless:
			query.Set(name, fmt.Sprint(value))
		case mem == nil:
			rest[name] = value
		case trait(mem.Traits, "smithy.api#httpQuery", &key):
			query.Set(key, fmt.Sprint(value))
		case mem.Traits["smithy.api#httpLabel"] != nil:
			if label = name; !strings.Contains(path, "{"+name+"}") {
				trait(mem.Traits, "aws.label#name", &label)
			}
			path = strings.NewReplacer("{"+label+"}", url.PathEscape(fmt.Sprint(value)), "{"+label+"+}", url.PathEscape(fmt.Sprint(value))).Replace(path)
		default:
			rest[name] = value
		}
	}
	path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "sample")
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if !bodiless {
		body, _ = json.Marshal(rest)
	}
	return bound.Method, path, map[string]string{"Content-Type": "application/json"}, body
}
