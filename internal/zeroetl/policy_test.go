package zeroetl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"redshift:*"}}`

func TestPolicyLifeCycle(t *testing.T) {
	w := newWorld(t, false)
	forms := []string{
		"arn:aws:redshift:us-east-1:123456789012:namespace:w1", "arn:aws:redshift:us-east-1:123456789012:namespace/w1",
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w1",
	}
	text := "  " + allowAll + "\n"
	for _, form := range forms {
		p, err := w.PutPolicy(t.Context(), form, text)
		if err != nil || p.ResourceARN != form || p.Text != text || p.WarehouseID != "w1" {
			t.Errorf("put %s: %+v, %v", form, p, err)
		}
		for _, asked := range forms { // one policy, whatever it is called
			p, err := w.GetPolicy(t.Context(), asked)
			if err != nil || p.ResourceARN != asked || p.Text != text {
				t.Errorf("get %s: %+v, %v", asked, p, err)
			}
		}
	}
	if w.notified != len(forms) {
		t.Errorf("notified %d times, want %d", w.notified, len(forms))
	}
	if err := w.DeletePolicy(t.Context(), forms[1]); err != nil {
		t.Fatal(err)
	}
	_, err := w.GetPolicy(t.Context(), forms[0])
	wants(t, err, fault.NotFound, zeroetl.SubjectPolicy)
	wants(t, w.DeletePolicy(t.Context(), forms[0]), fault.NotFound, zeroetl.SubjectPolicy)
	none := "arn:aws:redshift:us-east-1:123456789012:namespace:none"
	_, err = w.PutPolicy(t.Context(), none, allowAll)
	wants(t, err, fault.NotFound, zeroetl.SubjectResource)
	_, err = w.GetPolicy(t.Context(), none)
	wants(t, err, fault.NotFound, zeroetl.SubjectResource)
	wants(t, w.DeletePolicy(t.Context(), none), fault.NotFound, zeroetl.SubjectResource)
}

func TestPolicyForm(t *testing.T) {
	w := newWorld(t, false)
	statement := func(fields string) string { return `{"Version":"2012-10-17","Statement":[{` + fields + `}]}` }
	const rest = `"Principal":{"AWS":"123456789012"},"Action":"redshift:CreateInboundIntegration"`
	for name, text := range map[string]string{
		"a list of statements":     statement(`"Effect":"Allow",` + rest),
		"one statement":            allowAll,
		"without a version":        `{"Statement":{"Effect":"Deny","Principal":"*","Action":"redshift:*"}}`,
		"the older version":        `{"Version":"2008-10-17","Id":"x","Statement":{"Effect":"Deny","Principal":"*","Action":"redshift:*"}}`,
		"an account as a number":   statement(`"Effect":"Allow","Principal":{"AWS":[123456789012]},"Action":"redshift:CreateInboundIntegration"`),
		"every member":             statement(`"Sid":"s","Effect":"Allow","Principal":{"Service":["redshift.amazonaws.com"]},"Action":["redshift:AuthorizeInboundIntegration"],"Resource":"*","Condition":{"StringEquals":{"aws:SourceArn":["a","b"]},"ArnLikeIfExists":{"aws:SourceArn":"arn:*"}}`),
		"an action in other case":  statement(`"Effect":"Allow","Principal":"*","Action":"Redshift:createinboundintegration"`),
		"just short enough":        strings.Repeat(" ", zeroetl.MaxPolicy-len(allowAll)) + allowAll,
		"two kinds of a principal": statement(`"Effect":"Allow","Principal":{"AWS":"*","Service":"redshift.amazonaws.com"},"Action":"redshift:*"`),
	} {
		if _, err := w.PutPolicy(t.Context(), namespace, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tc := range []struct{ name, text, says string }{
		{"nothing", ``, "EOF"},
		{"no JSON", `{`, "EOF"},
		{"no object", `[]`, "array"},
		{"null", `null`, "null"},
		{"text behind it", allowAll + "x", "after"},
		{"another version", `{"Version":"2020-01-01","Statement":[]}`, "2012-10-17"},
		{"no statement", `{"Version":"2012-10-17"}`, "no Statement"},
		{"no statements", `{"Version":"2012-10-17","Statement":[]}`, "no Statement"},
		{"an unknown member", `{"Version":"2012-10-17","Statements":[]}`, "Statements"},
		{"an unknown member of a statement", statement(`"Effect":"Allow","Colour":"red",` + rest), "Colour"},
		{"no effect", statement(rest), "Effect"},
		{"another effect", statement(`"Effect":"allow",` + rest), `"allow"`},
		{"no principal", statement(`"Effect":"Allow","Action":"redshift:*"`), "Principal"},
		{"an empty principal", statement(`"Effect":"Allow","Principal":{},"Action":"redshift:*"`), "Principal"},
		{"another text as principal", statement(`"Effect":"Allow","Principal":"me","Action":"redshift:*"`), `"me"`},
		{"another kind of principal", statement(`"Effect":"Allow","Principal":{"Federated":"x"},"Action":"redshift:*"`), "Federated"},
		{"everyone but", statement(`"Effect":"Allow","NotPrincipal":"*","Action":"redshift:*"`), "NotPrincipal"},
		{"no action", statement(`"Effect":"Allow","Principal":"*"`), "Action"},
		{"another action", statement(`"Effect":"Allow","Principal":"*","Action":["redshift:*","redshift:DeleteCluster"]`), "redshift:DeleteCluster"},
		{"every action of all", statement(`"Effect":"Allow","Principal":"*","Action":"*"`), `"*"`},
		{"an action that is no text", statement(`"Effect":"Allow","Principal":"*","Action":7`), "number"},
		{"another operator", statement(`"Effect":"Allow","Condition":{"NumericEquals":{"k":"1"}},` + rest), "NumericEquals"},
		{"a condition without values", statement(`"Effect":"Allow","Condition":{"StringEquals":{"k":[]}},` + rest), "no values"},
		{"a condition on an object", statement(`"Effect":"Allow","Condition":{"StringEquals":{"k":{}}},` + rest), "not a text"},
		{"too long", strings.Repeat(" ", zeroetl.MaxPolicy-len(allowAll)+1) + allowAll, "20481"},
		{"too deep", strings.Repeat(`[`, zeroetl.MaxPolicy), "depth"},
	} {
		_, err := w.PutPolicy(t.Context(), namespace, tc.text)
		if !fault.Is(err, fault.Invalid, zeroetl.SubjectPolicy) || !strings.Contains(fault.Message(err), tc.says) {
			t.Errorf("%s: err = %v, want Invalid about the policy that says %q", tc.name, err, tc.says)
		}
	}
}

func TestStrictMode(t *testing.T) {
	source := func(rest string) string {
		return `{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration"` + rest + `}`
	}
	principal := func(aws string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%s},"Action":"redshift:CreateInboundIntegration"}`, aws)
	}
	condition := func(c string) string { return source(`,"Condition":` + c) }
	root := principal(`"arn:aws:iam::123456789012:root"`)
	for _, tc := range []struct {
		name       string
		statements []string // nil for no policy
		says       string   // empty when it is allowed
	}{
		{"no policy", nil, "does not let the source"},
		{"everything is allowed", []string{`{"Effect":"Allow","Principal":"*","Action":"redshift:*"}`}, ""},
		{"both statements", []string{source(""), root}, ""},
		{"the source alone", []string{source("")}, "does not let arn:aws:iam::123456789012:root"},
		{"the principal alone", []string{root}, "does not let the source"},

		{"the account's id", []string{source(""), principal(`"123456789012"`)}, ""},
		{"the account's id as a number in a list", []string{source(""), principal(`[999999999999,123456789012]`)}, ""},
		{"anyone", []string{source(""), principal(`"*"`)}, ""},
		{"another account", []string{source(""), principal(`"arn:aws:iam::999999999999:root"`)}, "create integrations"},
		{"another user", []string{source(""), principal(`"arn:aws:iam::123456789012:user/root"`)}, "create integrations"},
		{"another service", []string{strings.Replace(source(""), "redshift.amazonaws.com", "s3.amazonaws.com", 1), root}, "does not let the source"},
		{"a service is no principal", []string{source(""), strings.Replace(source(""), "Authorize", "Create", 1)}, "create integrations"},

		{"StringEquals", []string{condition(`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::orders"}}`), root}, ""},
		{"StringEquals of another", []string{condition(`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::other"}}`), root}, "does not let the source"},
		{"StringEquals knows no pattern", []string{condition(`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::*"}}`), root}, "does not let the source"},
		{"one of a list", []string{condition(`{"StringEquals":{"aws:SourceArn":["x","arn:aws:s3:::orders"]}}`), root}, ""},
		{"a key in other case", []string{condition(`{"StringEquals":{"AWS:sourcearn":"arn:aws:s3:::orders"}}`), root}, ""},
		{"the account too", []string{condition(`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::orders","aws:SourceAccount":123456789012}}`), root}, ""},
		{"another account's source", []string{condition(`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::orders","aws:SourceAccount":"999999999999"}}`), root}, "does not let the source"},
		{"two operators", []string{condition(`{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"arn:aws:s3:::o*"}}`), root}, ""},
		{"StringLike", []string{condition(`{"StringLike":{"aws:SourceArn":"arn:*:or?ers"}}`), root}, ""},
		{"ArnEquals with a pattern", []string{condition(`{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:*:*:orders"}}`), root}, ""},
		{"a * of ArnLike stays in its part", []string{condition(`{"ArnLike":{"aws:SourceArn":"arn:*:orders"}}`), root}, "does not let the source"},
		{"StringNotEquals", []string{condition(`{"StringNotEquals":{"aws:SourceArn":"arn:aws:s3:::other"}}`), root}, ""},
		{"StringNotEquals of this", []string{condition(`{"StringNotEquals":{"aws:SourceArn":["x","arn:aws:s3:::orders"]}}`), root}, "does not let the source"},
		{"StringEqualsIgnoreCase", []string{condition(`{"StringEqualsIgnoreCase":{"aws:SourceArn":"ARN:aws:s3:::Orders"}}`), root}, ""},
		{"ArnNotLike", []string{condition(`{"ArnNotLike":{"aws:SourceArn":"arn:aws:s3:::o*"}}`), root}, "does not let the source"},
		{"an unknown key", []string{condition(`{"StringEquals":{"aws:Colour":"red"}}`), root}, "does not let the source"},
		{"an unknown key, if it exists", []string{condition(`{"StringEqualsIfExists":{"aws:Colour":"red"}}`), root}, ""},
		{"an unknown key, negated", []string{condition(`{"StringNotEquals":{"aws:Colour":"red"}}`), root}, ""},

		{"the resource, in the target's form", []string{source(`,"Resource":"arn:aws:redshift:us-east-1:123456789012:namespace:w1"`), root}, ""},
		{"the resource, in the policy's form", []string{source(`,"Resource":["x","arn:aws:redshift-serverless:*:namespace/w1"]`), root}, ""},
		{"another resource", []string{source(`,"Resource":"arn:aws:redshift:us-east-1:123456789012:namespace:w2"`), root}, "does not let the source"},

		{"a denied source", []string{`{"Effect":"Allow","Principal":"*","Action":"redshift:*"}`, strings.Replace(source(""), "Allow", "Deny", 1)}, "does not let the source"},
		{"a denied principal", []string{strings.Replace(root, "Allow", "Deny", 1), `{"Effect":"Allow","Principal":"*","Action":"redshift:*"}`}, "create integrations"},
		{"a denial of others", []string{source(""), root, `{"Effect":"Deny","Principal":{"AWS":"999999999999"},"Action":"redshift:*"}`}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, true)
			if tc.statements != nil {
				text := `{"Version":"2012-10-17","Statement":[` + strings.Join(tc.statements, ",") + `]}`
				if _, err := w.PutPolicy(t.Context(), "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w1", text); err != nil {
					t.Fatal(err)
				}
			}
			p := zeroetl.CreateParams{Name: "orders", SourceARN: bucket, TargetARN: namespace}
			i, err := w.Create(t.Context(), caller, p)
			if tc.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				// Who asks later, of what is stored, hears the same.
				if err := w.Authorized(t.Context(), i); err != nil {
					t.Error(err)
				}
				if err := w.DeletePolicy(t.Context(), namespace); err != nil {
					t.Fatal(err)
				}
				wants(t, w.Authorized(t.Context(), i), fault.Denied, zeroetl.SubjectPolicy)
				return
			}
			wants(t, err, fault.Denied, zeroetl.SubjectPolicy)
			if !strings.Contains(fault.Message(err), tc.says) {
				t.Errorf("the message %q does not say %q", fault.Message(err), tc.says)
			}
			// Outside strict mode nobody asks.
			lax := newWorld(t, false)
			if _, err := lax.Create(t.Context(), caller, p); err != nil {
				t.Error(err)
			}
		})
	}
}
