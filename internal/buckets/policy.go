package buckets

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/versity/versitygw/s3err"
)

// maxPolicy is S3's limit on a bucket policy, in bytes.
const maxPolicy = 20 << 10

// policyDocument is the form of a bucket policy. What the values of principals, conditions and so on mean is
// left to whoever evaluates it.
type policyDocument struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

// statements is one statement or a list of them.
type statements []statement

func (s *statements) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		*s = make(statements, 1)
		return json.Unmarshal(b, &(*s)[0], json.RejectUnknownMembers(true))
	}
	var list []statement
	err := json.Unmarshal(b, &list, json.RejectUnknownMembers(true))
	*s = list
	return err
}

type statement struct {
	Sid          string
	Effect       string
	Principal    principals
	NotPrincipal principals
	Action       texts
	NotAction    texts
	Resource     texts
	NotResource  texts
	Condition    map[string]map[string]conditionValues
}

// texts is one string or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = make(texts, 1)
		return json.Unmarshal(b, &(*t)[0])
	}
	var list []string
	err := json.Unmarshal(b, &list)
	*t = list
	return err
}

// conditionValues are strings, numbers and booleans, alone or in a list.
type conditionValues []any

func (c *conditionValues) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '[' {
		b = slices.Concat([]byte("["), b, []byte("]"))
	}
	var list []any
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	for _, v := range list {
		switch v.(type) {
		case string, bool, float64:
		default:
			return errConditionValue
		}
	}
	*c = list
	return nil
}

// principals maps the kind of a principal to its names; the principal "*" is {"AWS": ["*"]}.
type principals map[string]texts

func (p *principals) UnmarshalJSON(b []byte) error {
	var name string
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &name); err != nil || name != "*" {
			return malformedPolicy("Invalid principal in policy")
		}
		*p = principals{"AWS": {"*"}}
		return nil
	}
	var m map[string]texts
	err := json.Unmarshal(b, &m)
	*p = m
	return err
}

var errConditionValue = malformedPolicy("A condition value must be a string, a number, a boolean or a list of them")

func malformedPolicy(message string) error {
	return s3err.APIError{Code: "MalformedPolicy", Description: message, HTTPStatusCode: http.StatusBadRequest}
}

// parsePolicy checks the form of a policy for bucket. The error is an S3 error.
func parsePolicy(body []byte, bucket string) (policyDocument, error) {
	var doc policyDocument
	switch {
	case len(body) > maxPolicy:
		return doc, malformedPolicy("The policy exceeds the maximum allowed document size of 20 KB.")
	case len(body) == 0 || body[0] != '{':
		return doc, malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	if err := json.Unmarshal(body, &doc, json.RejectUnknownMembers(true)); err != nil {
		return doc, malformedPolicy("This policy contains invalid Json: " + err.Error())
	}
	if v := doc.Version; v != "" && v != "2012-10-17" && v != "2008-10-17" {
		return doc, malformedPolicy("The policy must contain a valid version string")
	}
	if len(doc.Statement) == 0 {
		return doc, malformedPolicy("Could not parse the policy: Statement is empty!")
	}
	for _, s := range doc.Statement {
		if err := s.check(bucket); err != nil {
			return doc, err
		}
	}
	return doc, nil
}

func (s statement) check(bucket string) error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return malformedPolicy("Invalid effect: " + s.Effect)
	case (len(s.Principal) == 0) == (len(s.NotPrincipal) == 0):
		return malformedPolicy("Missing required field Principal")
	case (len(s.Action) == 0) == (len(s.NotAction) == 0):
		return malformedPolicy("Missing required field Action")
	case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
		return malformedPolicy("Missing required field Resource")
	}
	for _, group := range []principals{s.Principal, s.NotPrincipal} {
		for kind, names := range group {
			if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, kind) || len(names) == 0 || slices.Contains(names, "") {
				return malformedPolicy("Invalid principal in policy")
			}
		}
	}
	for _, action := range slices.Concat(s.Action, s.NotAction) {
		if service, name, ok := strings.Cut(action, ":"); action != "*" && (!ok || !strings.EqualFold(service, "s3") || name == "") {
			return malformedPolicy("Policy has invalid action")
		}
	}
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		if !resourceOf(resource, bucket) {
			return malformedPolicy("Policy has invalid resource")
		}
	}
	return nil
}

// resourceOf reports whether an ARN, possibly with wildcards, names the bucket or something in it. The form
// bucket:* is in a sample of AWS's own.
func resourceOf(arn, bucket string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "s3" {
		return false
	}
	name, _, _ := strings.Cut(parts[5], "/")
	name = strings.TrimSuffix(name, ":*")
	if i := strings.IndexAny(name, "*?"); i >= 0 {
		return strings.HasPrefix(bucket, name[:i])
	}
	return name == bucket
}

// public reports whether the policy opens the bucket to everybody, as GetBucketPolicyStatus means it: a
// statement allows any principal, and no condition ties it to fixed accounts, sources or networks.
func (d policyDocument) public() bool {
	return slices.ContainsFunc(d.Statement, func(s statement) bool {
		if s.Effect != "Allow" || !(len(s.NotPrincipal) > 0 || slices.Contains(s.Principal["AWS"], "*")) {
			return false
		}
		for _, keys := range s.Condition {
			for key, values := range keys {
				if slices.Contains(fixedKeys, strings.ToLower(key)) && !slices.ContainsFunc(values, wildcard) {
					return false
				}
			}
		}
		return true
	})
}

// fixedKeys are the condition keys that, held to a value without wildcards, make a policy not public.
var fixedKeys = []string{
	"aws:sourcearn", "aws:sourceaccount", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip", "aws:sourceowner",
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:userid",
	"s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}

func wildcard(v any) bool {
	text, ok := v.(string)
	return !ok || strings.ContainsAny(text, "*?") || text == "0.0.0.0/0" || text == "::/0"
}
