package expression

import (
	"bytes"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
)

func parse(t testing.TB, text string) item.Item {
	t.Helper()
	m, err := item.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var names = map[string]string{"#a": "a", "#d": "a.b", "#s": "status", "#x": "missing"}

func terms(t testing.TB) *Terms {
	t.Helper()
	values, err := item.ParseValues(`{":s":{"S":"hello"},":h":{"S":"he"},":n":{"N":"5"},":m":{"N":"7"},":one":{"N":"1"},":l":{"L":[{"N":"1"}]},":map":{"M":{}},`+
		`":ss":{"SS":["a","b"]},":ns":{"NS":["1","2"]},":b":{"B":"AQI="},":b1":{"B":"AQ=="},":t":{"S":"S"},":bad":{"S":"Q"},":true":{"BOOL":true},":null":{"NULL":true},":a":{"S":"a"}}`,
		func(_ string, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	out, err := NewTerms(names, values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const sample = `{"a":{"N":"5"},"s":{"S":"hello"},"l":{"L":[{"N":"1"},{"S":"x"},{"L":[{"N":"9"}]}]},"map0":{"M":{"k":{"S":"v"},"deep":{"M":{"n":{"N":"1"}}}}},` +
	`"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"b":{"B":"AQID"},"t":{"BOOL":true},"nul":{"NULL":true},"a.b":{"S":"dotted"},"status":{"S":"ok"}}`

func TestCondition(t *testing.T) {
	m := parse(t, sample)
	for _, tc := range []struct {
		text string
		want bool
	}{
		{"a = :n", true}, {"a <> :n", false}, {"a < :m", true}, {"a <= :n", true}, {"a > :n", false}, {"a >= :n", true}, {":n = a", true},
		{"s = :s", true}, {"s = :n", false}, {"s <> :n", true}, {"s < :n", false}, {"#a = :n", true}, {"#d = :s", false},
		{"missing1 = :n", false}, {"missing1 <> :n", true}, {"missing1 < :n", false}, {"NOT missing1 = :n", true},
		{"a BETWEEN :n AND :m", true}, {"a between :one and :n", true}, {"a BETWEEN :one AND :one", false}, {"s BETWEEN :n AND :m", false},
		{"a IN (:s, :n)", true}, {"a in (:s)", false}, {"missing1 IN (:n)", false},
		{"attribute_exists(a)", true}, {"attribute_exists(map0.k)", true}, {"attribute_exists(map0.z)", false}, {"attribute_exists(l[2][0])", true}, {"attribute_exists(l[9])", false},
		{"attribute_not_exists(#x)", true}, {"attribute_not_exists(a.b)", true}, {"attribute_exists(#d)", true},
		{"attribute_type(s, :t)", true}, {"attribute_type(a, :t)", false}, {"attribute_type(missing1, :t)", false},
		{"begins_with(s, :h)", true}, {"begins_with(b, :b1)", true}, {"begins_with(a, :h)", false}, {"begins_with(missing1, :h)", false},
		{"contains(s, :h)", true}, {"contains(ss, :a)", true}, {"contains(ss, :s)", false}, {"contains(ns, :one)", true}, {"contains(l, :one)", true}, {"contains(b, :b1)", true}, {"contains(s, :n)", false},
		{"size(s) = :n", true}, {"size(l) < :n", true}, {"size(ss) = size(ns)", true}, {"size(a) = :n", false}, {"size(missing1) < :n", false}, {":n = size(s)", true},
		{"a = :n AND s = :s", true}, {"a = :m AND s = :s", false}, {"a = :m OR s = :s", true}, {"a = :m OR s = :m AND a = :n", false}, {"(a = :m OR s = :s) AND a = :n", true},
		{"NOT a = :m AND s = :s", true}, {"NOT (a = :n AND s = :s)", false}, {"not not a = :n", true}, {"(a) = (:n)", true},
		{"t = :true", true}, {"nul = :null", true}, {"ss = :ss", true}, {"ns = :ns", true}, {"l[0] = :one", true}, {"map0.deep.n = :one", true}, {"l = :l", false},
	} {
		c, err := ParseCondition(ConditionExpression, tc.text, terms(t))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := c.Holds(m); got != tc.want {
			t.Errorf("%s is %v, want %v", tc.text, got, tc.want)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "The expression can not be empty;"}, {"  ", "The expression can not be empty;"},
		{"a", `Syntax error; token: "<EOF>", near: "a"`},
		{"a =", `Syntax error; token: "<EOF>", near: "="`},
		{"a = = :n", `Syntax error; token: "=", near: "= = :n"`},
		{"a = :n AND", `Syntax error; token: "<EOF>", near: "AND"`},
		{"a = :n b", `Syntax error; token: "b", near: ":n b"`},
		{"a = :n)", `Syntax error; token: ")", near: ":n)"`},
		{"(a = :n", `Syntax error; token: "<EOF>", near: ":n"`},
		{"a ! :n", `Syntax error; token: "!", near: "a !"`},
		{"a = 5", `Syntax error; token: "5", near: "= 5"`},
		{"a[x] = :n", `Syntax error; token: "x", near: "[x]"`},
		{"a. = :n", `Syntax error; token: "=", near: ". = :n"`},
		{"((a = :n))", "The expression has redundant parentheses;"},
		{"foo(a)", "Invalid function name; function: foo"}, {"SIZE(a) = :n", "Invalid function name; function: SIZE"},
		{"size(a)", "The function is not allowed to be used this way in an expression; function: size"},
		{"attribute_exists(a) = :n", "The function is not allowed to be used this way in an expression; function: attribute_exists"},
		{"size(a) AND a = :n", "The function is not allowed to be used this way in an expression; function: size"},
		{"abort = :n", "Attribute name is a reserved keyword; reserved keyword: abort"},
		{"map0.Status = :n", "Attribute name is a reserved keyword; reserved keyword: Status"},
		{"#zz = :n", "An expression attribute name used in the document path is not defined; attribute name: #zz"},
		{"a = :zz", "An expression attribute value used in expression is not defined; attribute value: :zz"},
		{"attribute_exists(a, s)", "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
		{"attribute_exists(:n)", "Operator or function requires a document path; operator or function: attribute_exists"},
		{"begins_with(a, :n)", "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"attribute_type(a, :n)", "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"},
		{"attribute_type(a, :bad)", "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"},
		{"size(:n) = :n", "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
		{"a < :true", "Incorrect operand type for operator or function; operator: <, operand type: BOOL"},
		{"a = a", "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]"},
		{"a BETWEEN :n AND :s", "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:hello}"},
		{"a BETWEEN :m AND :n", "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:7}, upper bound operand: AttributeValue: {N:5}"},
		{"a IN (" + strings.Repeat(":n,", 100) + ":n)", "Incorrect number of operands for operator or function; operator or function: IN, number of operands: 101"},
		{strings.Repeat("a", 4097), "Expression size has exceeded the maximum allowed size; expression size: 4097"},
		{"a" + strings.Repeat("[1]", 32) + " = :n", "The document path has too many nesting elements; nesting level: 33"},
		{"a[99999999999] = :n", "List index is not within the allowable range; index: [99999999999]"},
	} {
		_, err := ParseCondition(ConditionExpression, tc.text, terms(t))
		if want := "Invalid ConditionExpression: " + tc.want; !fault.Is(err, fault.Invalid, Subject) || err.Error() != want {
			t.Errorf("%.80s: %v\nwant %s", tc.text, err, want)
		}
	}
}

func TestTerms(t *testing.T) {
	one := map[string]item.Value{":a": item.Text("x")}
	for _, tc := range []struct {
		names  map[string]string
		values map[string]item.Value
		want   string
	}{
		{map[string]string{}, nil, "ExpressionAttributeNames must not be empty"},
		{nil, map[string]item.Value{}, "ExpressionAttributeValues must not be empty"},
		{map[string]string{"a": "b"}, one, `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{map[string]string{"#": "b"}, one, `ExpressionAttributeNames contains invalid key: Syntax error; key: "#"`},
		{map[string]string{"#a": ""}, one, `ExpressionAttributeNames contains invalid value: Empty attribute name for key #a`},
		{nil, map[string]item.Value{"a": {}}, `ExpressionAttributeValues contains invalid key: Syntax error; key: "a"`},
	} {
		if _, err := NewTerms(tc.names, tc.values); err == nil || err.Error() != tc.want {
			t.Errorf("%v %v: %v, want %s", tc.names, tc.values, err, tc.want)
		}
	}
	used, _ := NewTerms(map[string]string{"#a": "a", "#c": "c", "#b": "b"}, one)
	if _, err := ParseCondition(ConditionExpression, "#a = :a", used); err != nil {
		t.Fatal(err)
	}
	if err := used.Unused(); err == nil || err.Error() != "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}" {
		t.Errorf("Unused: %v", err)
	}
	used, _ = NewTerms(nil, one)
	if err := used.Unused(); err == nil || err.Error() != "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}" {
		t.Errorf("Unused: %v", err)
	}
}

func TestProjection(t *testing.T) {
	m := parse(t, sample)
	for _, tc := range []struct{ text, want string }{
		{"a", `{"a":{"N":"5"}}`},
		{"s, a, nope", `{"a":{"N":"5"},"s":{"S":"hello"}}`},
		{"#d", `{"a.b":{"S":"dotted"}}`},
		{"map0.k", `{"map0":{"M":{"k":{"S":"v"}}}}`},
		{"map0.deep.n, map0.k", `{"map0":{"M":{"deep":{"M":{"n":{"N":"1"}}},"k":{"S":"v"}}}}`},
		{"l[1], l[0]", `{"l":{"L":[{"N":"1"},{"S":"x"}]}}`},
		{"l[2][0]", `{"l":{"L":[{"L":[{"N":"9"}]}]}}`},
		{"map0.z, l[7], s.x", `{}`},
	} {
		p, err := ParseProjection(tc.text, terms(t))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := string(p.Of(m).JSON()); got != tc.want {
			t.Errorf("%s gives %s, want %s", tc.text, got, tc.want)
		}
	}
	for _, tc := range []struct{ text, want string }{
		{"a, a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
		{"l[1], l[1].x", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [l, [1]], path two: [l, [1], x]"},
		{"l[1], l.x", "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [l, [1]], path two: [l, x]"},
		{"a,", `Syntax error; token: "<EOF>", near: ","`},
		{"a b", `Syntax error; token: "b", near: "a b"`},
		{"size(a)", `Syntax error; token: "(", near: "size(a"`},
		{"name", "Attribute name is a reserved keyword; reserved keyword: name"},
	} {
		if _, err := ParseProjection(tc.text, terms(t)); err == nil || err.Error() != "Invalid ProjectionExpression: "+tc.want {
			t.Errorf("%s: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestUpdate(t *testing.T) {
	base := `{"a":{"N":"5"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"}}},"ss":{"SS":["a","c"]}}`
	for _, tc := range []struct{ text, want string }{
		{"SET b = :s", `{"a":{"N":"5"},"b":{"S":"hello"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"}}},"ss":{"SS":["a","c"]}}`},
		{"SET a = a + :n", strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"10"}`, 1)},
		{"set a = :m - a", strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"2"}`, 1)},
		{"SET a = (a + :n)", strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"10"}`, 1)},
		{"SET a = if_not_exists(a, :m) + :one", strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"6"}`, 1)},
		{"SET a = if_not_exists(zz, :m) + :one", strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"8"}`, 1)},
		{"SET l = list_append(l, :l)", strings.Replace(base, `{"N":"2"}]`, `{"N":"2"},{"N":"1"}]`, 1)},
		{"SET l = list_append(if_not_exists(zz, :l), l)", strings.Replace(base, `[{"N":"0"}`, `[{"N":"1"},{"N":"0"}`, 1)},
		{"SET l[1] = :s", strings.Replace(base, `{"N":"1"}`, `{"S":"hello"}`, 1)},
		{"SET l[9] = :s, l[7] = :n", strings.Replace(base, `{"N":"2"}]`, `{"N":"2"},{"N":"5"},{"S":"hello"}]`, 1)},
		{"SET m.k = a, m.z = l[1]", strings.Replace(base, `{"k":{"S":"v"}}`, `{"k":{"N":"5"},"z":{"N":"1"}}`, 1)},
		{"SET a = l[0], l[0] = a", strings.Replace(strings.Replace(base, `{"N":"0"}`, `{"N":"x"}`, 1), `"a":{"N":"5"}`, `"a":{"N":"0"}`, 1)},
		{"REMOVE a", strings.Replace(base, `"a":{"N":"5"},`, ``, 1)},
		{"REMOVE l[0], l[2]", strings.Replace(base, `[{"N":"0"},{"N":"1"},{"N":"2"}]`, `[{"N":"1"}]`, 1)},
		{"REMOVE m.k, zz", strings.Replace(base, `{"k":{"S":"v"}}`, `{}`, 1)},
		{"ADD a :n, cnt :one", strings.Replace(strings.Replace(base, `"a":{"N":"5"}`, `"a":{"N":"10"}`, 1), `,"l"`, `,"cnt":{"N":"1"},"l"`, 1)},
		{"ADD ss :ss", strings.Replace(base, `["a","c"]`, `["a","b","c"]`, 1)},
		{"DELETE ss :ss", strings.Replace(base, `["a","c"]`, `["c"]`, 1)},
		{"ADD m.c :one", strings.Replace(base, `{"k":{"S":"v"}}`, `{"c":{"N":"1"},"k":{"S":"v"}}`, 1)},
		{"DELETE zz :ss", base},
		{"SET b = :s REMOVE a ADD c :one DELETE ss :ss", `{"b":{"S":"hello"},"c":{"N":"1"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"}}},"ss":{"SS":["c"]}}`},
	} {
		want := strings.Replace(tc.want, `{"N":"x"}`, `{"N":"5"}`, 1)
		u, err := ParseUpdate(tc.text, terms(t))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		m := parse(t, base)
		out, err := u.Apply(m)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := string(out.JSON()); got != want {
			t.Errorf("%s gives\n%s, want\n%s", tc.text, got, want)
		}
		if got := string(m.JSON()); got != base {
			t.Errorf("%s changed the item it was applied to: %s", tc.text, got)
		}
	}
}

func TestUpdateErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "Invalid UpdateExpression: The expression can not be empty;"},
		{"SET", `Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "SET"`},
		{"a = :n", `Invalid UpdateExpression: Syntax error; token: "a", near: "a ="`},
		{"SET a = :n, ", `Invalid UpdateExpression: Syntax error; token: "<EOF>", near: ","`},
		{"SET a :n", `Invalid UpdateExpression: Syntax error; token: ":n", near: "a :n"`},
		{"ADD a b", `Invalid UpdateExpression: Syntax error; token: "b", near: "a b"`},
		{"SET a = b * :n", `Invalid UpdateExpression: Syntax error; token: "*", near: "b *"`},
		{"SET a = :n SET b = :n", `Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`},
		{"SET a = :n REMOVE a", "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
		{"SET a.b = :n, a[0] = :n", "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [0]]"},
		{"SET a = foo(b)", "Invalid UpdateExpression: Invalid function name; function: foo"},
		{"SET a = if_not_exists(:n, :n)", "Invalid UpdateExpression: Operator or function requires a document path; operator or function: if_not_exists"},
		{"SET a = list_append(b)", "Invalid UpdateExpression: Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1"},
		{"SET a = list_append(b, :n)", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
		{"SET a = b + :s", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S"},
		{"ADD a :s", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING"},
		{"DELETE a :n", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"},
		{"SET name = :n", "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name"},
		{"SET #q = :n", "Invalid UpdateExpression: An expression attribute name used in the document path is not defined; attribute name: #q"},
		{"SET a = :q", "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :q"},
		{"SET z = zz", "The provided expression refers to an attribute that does not exist in the item"},
		{"SET z = s + :n", "An operand in the update expression has an incorrect data type"},
		{"SET z = list_append(s, :l)", "An operand in the update expression has an incorrect data type"},
		{"ADD s :n", "An operand in the update expression has an incorrect data type"},
		{"DELETE s :ss", "An operand in the update expression has an incorrect data type"},
		{"SET zz.x = :n", "The document path provided in the update expression is invalid for update"},
		{"SET s[0] = :n", "The document path provided in the update expression is invalid for update"},
		{"REMOVE s.x", "The document path provided in the update expression is invalid for update"},
	} {
		u, err := ParseUpdate(tc.text, terms(t))
		if err == nil {
			_, err = u.Apply(parse(t, sample))
		}
		if !fault.Is(err, fault.Invalid, "") || err.Error() != tc.want {
			t.Errorf("%s: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestKeyCondition(t *testing.T) {
	schema := item.Schema{Hash: item.Definition{Name: "pk", Type: item.S}, Range: item.Definition{Name: "sk", Type: item.N}}
	for _, tc := range []struct{ text, op string }{
		{"pk = :s", ""}, {"pk = :s AND sk = :n", "="}, {"sk > :n and pk = :s", ">"}, {"(pk = :s) AND (sk BETWEEN :n AND :m)", "BETWEEN"}, {":s = pk", ""},
	} {
		k, err := ParseKeyCondition(tc.text, schema, terms(t))
		if err != nil || k.Op != tc.op || k.Hash.Text != "hello" {
			t.Errorf("%s: %+v, %v", tc.text, k, err)
		}
	}
	for _, tc := range []struct{ text, want string }{
		{"pk > :s", "Query key condition not supported"},
		{"sk = :n", "Query condition missed key schema element: pk"},
		{"pk = :s AND zz = :n", "Query condition missed key schema element: sk"},
		{"pk = :s OR sk = :n", "Invalid operator used in KeyConditionExpression: OR"},
		{"NOT pk = :s", "Invalid operator used in KeyConditionExpression: NOT"},
		{"pk <> :s", "Invalid operator used in KeyConditionExpression: <>"},
		{"attribute_exists(pk)", "Invalid operator used in KeyConditionExpression: attribute_exists"},
		{"pk = :s AND pk = :h", "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"},
		{"pk = :n", "One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"pk = :s AND sk = :s", "One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"pk.x = :s", "KeyConditionExpressions cannot have conditions on nested attributes"},
		{"size(pk) = :n", "KeyConditionExpressions cannot contain nested operations"},
		{"pk = sk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
		{"pk = :s AND sk = :n AND zz = :n", "Conditions can be of length 1 or 2 only"},
		{"pk =", `Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "="`},
	} {
		if _, err := ParseKeyCondition(tc.text, schema, terms(t)); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestReservedWordsAreSorted(t *testing.T) {
	for i := 1; i < len(reserved); i++ {
		if reserved[i-1] >= reserved[i] {
			t.Fatalf("%s comes before %s", reserved[i-1], reserved[i])
		}
	}
	if len(reserved) != 573 || !isReserved("Abort") || !isReserved("zone") || isReserved("pk") {
		t.Errorf("the list of reserved words is not what it should be (%d words)", len(reserved))
	}
}

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"a = :n AND (s <> :s OR NOT contains(ss, :a))", "a BETWEEN :n AND :m", "a IN (:n, :m)", "SET a = if_not_exists(b, :n) + :m REMOVE l[0], l[1] ADD c :n DELETE ss :ss",
		"map0.deep.n, l[0][1], #d", "pk = :s AND begins_with(sk, :h)", "((a) = (:n))", "size(l) > :one", "SET l = list_append(l, :l), l2[3] = :n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := parse(t, sample)
		before := m.JSON()
		if c, err := ParseCondition(ConditionExpression, text, terms(t)); err == nil {
			c.Holds(m)
			c.Holds(nil)
		} else if !fault.Is(err, fault.Invalid, Subject) {
			t.Fatalf("%q: %v", text, err)
		}
		if p, err := ParseProjection(text, terms(t)); err == nil {
			p.Of(m)
		}
		if u, err := ParseUpdate(text, terms(t)); err == nil {
			if out, err := u.Apply(m); err == nil {
				if _, err := item.Parse(string(out.JSON())); err != nil {
					t.Fatalf("%q makes %s: %v", text, out.JSON(), err)
				}
			}
		}
		_, _ = ParseKeyCondition(text, item.Schema{Hash: item.Definition{Name: "pk", Type: item.S}, Range: item.Definition{Name: "sk", Type: item.S}}, terms(t))
		if !bytes.Equal(m.JSON(), before) {
			t.Fatalf("%q changed the item it was applied to", text)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	m := parse(b, sample)
	c, err := ParseCondition(ConditionExpression, "a = :n AND begins_with(s, :h)", terms(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c.Holds(m)
	}
}
