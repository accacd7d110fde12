package redshiftserverless_test

import (
	"fmt"
	"net/http"
	"testing"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
)

// someTags are n tags.
func someTags(from, n int) []object {
	var out []object
	for i := from; i < from+n; i++ {
		out = append(out, object{"key": fmt.Sprintf("k%d", i), "value": "v"})
	}
	return out
}

func TestDeclared(t *testing.T) {
	after := func(first func(env), op string, e *wire.ErrorShape, in object) fronttest.Case[env] {
		return fronttest.Case[env]{Operation: op, Error: e, Request: func(_ *testing.T, e env) *http.Request {
			first(e)
			return request(op, in)
		}}
	}
	plain := func(op string, e *wire.ErrorShape, in object) fronttest.Case[env] {
		return after(func(env) {}, op, e, in)
	}
	broken := func(e env) { e.Break("partner", "cluster", "workgroup", "namespace", "warehouse") }
	unknownARN := namespaceARN[:len(namespaceARN)-3] + "999"
	sales := object{"namespaceName": "sales"}

	var cases []fronttest.Case[env]
	for op, in := range map[string]object{
		"CreateNamespace": sales, "GetNamespace": sales, "UpdateNamespace": sales, "DeleteNamespace": sales, "ListNamespaces": {},
		"CreateWorkgroup": {"workgroupName": "sales", "namespaceName": "default"}, "GetWorkgroup": {"workgroupName": "sales"},
		"UpdateWorkgroup": {"workgroupName": "sales"}, "DeleteWorkgroup": {"workgroupName": "sales"}, "ListWorkgroups": {},
		"TagResource": {"resourceArn": namespaceARN, "tags": someTags(0, 1)}, "UntagResource": {"resourceArn": namespaceARN, "tagKeys": []string{"a"}},
		"ListTagsForResource": {"resourceArn": namespaceARN},
	} {
		cases = append(cases, after(broken, op, api.ErrInternalServerException, in))
	}
	cases = append(cases,
		plain("CreateNamespace", api.ErrValidationException, object{"namespaceName": "x"}),
		after(func(e env) {
			for n := range warehouses.MaxWarehouses - 1 {
				e.must("CreateNamespace", object{"namespaceName": fmt.Sprintf("n-%d", n)})
			}
		}, "CreateNamespace", api.ErrConflictException, sales),
		plain("CreateNamespace", api.ErrTooManyTagsException, object{"namespaceName": "sales", "tags": someTags(0, 51)}),
		plain("GetNamespace", api.ErrResourceNotFoundException, sales),
		plain("GetNamespace", api.ErrValidationException, object{}),
		plain("ListNamespaces", api.ErrValidationException, object{"nextToken": "nonsense"}),
		plain("UpdateNamespace", api.ErrResourceNotFoundException, sales),
		plain("UpdateNamespace", api.ErrValidationException, object{"namespaceName": "default", "adminUsername": "boss"}),
		after(func(e env) { e.must("CreateNamespace", sales) }, "UpdateNamespace", api.ErrConflictException, sales),
		plain("DeleteNamespace", api.ErrResourceNotFoundException, sales),
		plain("DeleteNamespace", api.ErrValidationException, object{"namespaceName": "a b"}),
		plain("DeleteNamespace", api.ErrConflictException, object{"namespaceName": "default"}),

		plain("CreateWorkgroup", api.ErrResourceNotFoundException, object{"workgroupName": "sales", "namespaceName": "nowhere"}),
		plain("CreateWorkgroup", api.ErrValidationException, object{"workgroupName": "sales", "namespaceName": "default", "baseCapacity": 5}),
		plain("CreateWorkgroup", api.ErrConflictException, object{"workgroupName": "sales", "namespaceName": "default"}),
		plain("CreateWorkgroup", api.ErrTooManyTagsException, object{"workgroupName": "sales", "namespaceName": "default", "tags": someTags(0, 51)}),
		plain("GetWorkgroup", api.ErrResourceNotFoundException, object{"workgroupName": "sales"}),
		plain("GetWorkgroup", api.ErrValidationException, object{"workgroupName": "S"}),
		plain("ListWorkgroups", api.ErrValidationException, object{"maxResults": 101}),
		plain("UpdateWorkgroup", api.ErrResourceNotFoundException, object{"workgroupName": "sales"}),
		plain("UpdateWorkgroup", api.ErrValidationException, object{"workgroupName": "default", "port": 22}),
		plain("DeleteWorkgroup", api.ErrResourceNotFoundException, object{"workgroupName": "sales"}),
		plain("DeleteWorkgroup", api.ErrValidationException, object{}),
		plain("DeleteWorkgroup", api.ErrConflictException, object{"workgroupName": "default"}),

		plain("TagResource", api.ErrResourceNotFoundException, object{"resourceArn": unknownARN, "tags": someTags(0, 1)}),
		plain("TagResource", api.ErrValidationException, object{"resourceArn": namespaceARN, "tags": []object{{"key": "aws:x", "value": "v"}}}),
		after(func(e env) { e.must("TagResource", object{"resourceArn": namespaceARN, "tags": someTags(0, 50)}) },
			"TagResource", api.ErrTooManyTagsException, object{"resourceArn": namespaceARN, "tags": someTags(50, 1)}),
		plain("UntagResource", api.ErrResourceNotFoundException, object{"resourceArn": unknownARN, "tagKeys": []string{"a"}}),
		plain("UntagResource", api.ErrValidationException, object{"resourceArn": namespaceARN}),
		plain("ListTagsForResource", api.ErrResourceNotFoundException, object{"resourceArn": workgroupARN + "0"}),
		plain("ListTagsForResource", api.ErrValidationException, object{"resourceArn": ""}),
	)
	never := []fronttest.Never{
		fronttest.Cannot("", api.ErrInsufficientCapacityException, "the embedded engine has no capacity to run out of"),
		fronttest.Cannot("", api.ErrIpv6CidrBlockNotFoundException, "there is no VPC whose address blocks could lack IPv6"),
		fronttest.Cannot("", api.ErrThrottlingException, "nothing limits the rate of these calls"),
		fronttest.Cannot("UpdateWorkgroup", api.ErrConflictException, "settings of a workgroup can be changed in every state"),
	}
	fronttest.Declared(t, "testdata/errors.txtar", newEnv(t).service, newEnv, cases, never)
}

// Bad input gets the error that fits and changes nothing.
func TestHostile(t *testing.T) {
	namespace := func(member string, value any) object { return object{"namespaceName": "sales", member: value} }
	workgroup := func(member string, value any) object {
		return object{"workgroupName": "sales", "namespaceName": "default", member: value}
	}
	update := func(member string, value any) object { return object{"workgroupName": "default", member: value} }
	table := []struct {
		operation string
		in        any
		code      string
	}{
		{"CreateNamespace", object{}, "ValidationException"},
		{"CreateNamespace", object{"namespaceName": "Sales"}, "ValidationException"},
		{"CreateNamespace", object{"namespaceName": "../../etc"}, "ValidationException"},
		{"CreateNamespace", object{"namespaceName": 7}, "SerializationException"},
		{"CreateNamespace", []int{1}, "SerializationException"},
		{"CreateNamespace", namespace("nonsense", 1), "ValidationException"},
		{"CreateNamespace", namespace("dbName", "select"), "ValidationException"},
		{"CreateNamespace", namespace("dbName", `a"; DROP`), "ValidationException"},
		{"CreateNamespace", namespace("adminUsername", "boss"), "ValidationException"},
		{"CreateNamespace", namespace("adminUserPassword", "Secret123"), "ValidationException"},
		{"CreateNamespace", object{"namespaceName": "sales", "adminUsername": "boss", "adminUserPassword": "weak"}, "ValidationException"},
		{"CreateNamespace", namespace("logExports", []string{"everything"}), "ValidationException"},
		{"CreateNamespace", namespace("iamRoles", []string{"me"}), "ValidationException"},
		{"CreateNamespace", namespace("tags", []object{{"key": ""}}), "ValidationException"},
		{"CreateNamespace", namespace("tags", []object{{"key": "a", "value": "1"}, {"key": "a", "value": "2"}}), "ValidationException"},
		{"CreateNamespace", namespace("redshiftIdcApplicationArn", "arn:aws:redshift:us-east-1:123456789012:redshiftidcapplication:1"), "ValidationException"},
		{"CreateNamespace", namespace("adminPasswordSecretKmsKeyId", "alias/mine"), "ValidationException"},
		{"UpdateNamespace", object{"namespaceName": "default", "adminPasswordSecretKmsKeyId": "alias/mine"}, "ValidationException"},
		{"UpdateNamespace", object{"namespaceName": "default", "defaultIamRoleArn": "arn:aws:iam::123456789012:role/r"}, "ValidationException"},
		{"DeleteNamespace", object{"namespaceName": "default", "finalSnapshotName": "last"}, "ConflictException"},
		{"ListNamespaces", object{"maxResults": 0}, "ValidationException"},
		{"ListNamespaces", object{"maxResults": 1 << 40}, "SerializationException"},
		{"CreateWorkgroup", workgroup("baseCapacity", -8), "ValidationException"},
		{"CreateWorkgroup", workgroup("maxCapacity", 9000), "ValidationException"},
		{"CreateWorkgroup", workgroup("ipAddressType", "ipv9"), "ValidationException"},
		{"CreateWorkgroup", workgroup("trackName", "a b"), "ValidationException"},
		{"CreateWorkgroup", workgroup("pricePerformanceTarget", object{"status": "ENABLED", "level": 50}), "ValidationException"},
		{"CreateWorkgroup", workgroup("pricePerformanceTarget", object{"level": 50}), "ValidationException"},
		{"CreateWorkgroup", workgroup("extraComputeForAutomaticOptimization", true), "ValidationException"},
		{"CreateWorkgroup", workgroup("configParameters", []object{{"parameterKey": "color", "parameterValue": "red"}}), "ValidationException"},
		{"CreateWorkgroup", workgroup("configParameters", []object{{"parameterKey": "datestyle"}}), "ValidationException"},
		{"CreateWorkgroup", workgroup("configParameters", []object{{"parameterValue": "x"}}), "ValidationException"},
		{"UpdateWorkgroup", update("configParameters", []object{{"parameterKey": "datestyle", "parameterValue": "a"}, {"parameterKey": "datestyle", "parameterValue": "b"}}), "ValidationException"},
		{"UpdateWorkgroup", update("baseCapacity", "many"), "SerializationException"},
		{"ListWorkgroups", object{"nextToken": 3}, "SerializationException"},
		{"ListWorkgroups", object{"ownerAccount": "me"}, "ValidationException"},
		{"TagResource", object{"resourceArn": namespaceARN, "tags": []object{{"key": "<k>", "value": "v"}}}, "ValidationException"},
		{"TagResource", object{"resourceArn": "arn:aws:s3:::bucket", "tags": someTags(0, 1)}, "ResourceNotFoundException"},
		{"UntagResource", object{"resourceArn": namespaceARN, "tagKeys": []string{""}}, "ValidationException"},
		{"GetCredentials", object{"workgroupName": "default"}, "UnknownOperationException"},
		{"GetResourcePolicy", object{"resourceArn": namespaceARN}, "UnknownOperationException"},
		{"DropEverything", object{}, "UnknownOperationException"},
	}
	e := newEnv(t)
	state := func() string {
		return fmt.Sprint(e.must("ListNamespaces", object{}), e.must("ListWorkgroups", object{}), e.must("ListTagsForResource", object{"resourceArn": namespaceARN}))
	}
	before := state()
	for _, bad := range table {
		t.Run(fmt.Sprintf("%s %.80v", bad.operation, bad.in), func(t *testing.T) {
			w := e.call(bad.operation, bad.in)
			if code, message := fronttest.ErrorOf(t, w); code != bad.code || w.Code >= 500 || message == "" {
				t.Errorf("got %d %s %q, want %s", w.Code, code, message, bad.code)
			}
		})
	}
	if after := state(); after != before {
		t.Errorf("refused requests changed something: %s, before: %s", after, before)
	}
}
