package redshiftserverless_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/redshiftserverless"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// ARNs of the default namespace and workgroup.
var (
	namespaceARN = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/" + fronttest.ID(1)
	workgroupARN = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/" + fronttest.ID(2)
)

// env is a server with this front alone.
type env struct {
	*fronttest.World
	t       testing.TB
	service *wire.Service
}

func newEnv(t *testing.T) env {
	t.Helper()
	w := fronttest.New(t)
	return env{w, t, redshiftserverless.New(redshiftserverless.Config{Warehouses: w.Warehouses, Address: "penstock.test"}).Service()}
}

func (e env) Client() wiretest.Client { return e.World.Client(e.service) }

func request(operation string, in any) *http.Request {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // the tests' own inputs
	}
	return wiretest.JSON("RedshiftServerless."+operation, string(body))
}

// object is an input or an output as JSON has it.
type object = map[string]any

func (e env) call(operation string, in any) *httptest.ResponseRecorder {
	e.t.Helper()
	return e.Client().Do(e.t, "redshift-serverless", request(operation, in))
}

// must is call for what has to succeed; it returns the answer.
func (e env) must(operation string, in any) object {
	e.t.Helper()
	w := e.call(operation, in)
	var out object
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		e.t.Fatalf("%s: %d %s", operation, w.Code, w.Body)
	}
	return out
}

func TestGolden(t *testing.T) {
	for _, file := range []string{"namespaces", "workgroups", "tags"} {
		t.Run(file, func(t *testing.T) {
			e := newEnv(t)
			e.Supervised = true
			e.Client().Golden(t, filepath.Join("testdata", file+".txtar"))
		})
	}
}

// A list read page by page is the whole list, in order and without repetition.
func TestPaging(t *testing.T) {
	e := newEnv(t)
	want := []string{"default"}
	for _, name := range []string{"aaa", "bbb", "zzz", "mmm"} {
		e.must("CreateNamespace", object{"namespaceName": name})
		e.must("CreateWorkgroup", object{"namespaceName": name, "workgroupName": name})
		want = append(want, name)
	}
	slices.Sort(want)
	for operation, member := range map[string][2]string{"ListNamespaces": {"namespaces", "namespaceName"}, "ListWorkgroups": {"workgroups", "workgroupName"}} {
		for size := 1; size <= 6; size++ {
			var got []string
			in := object{"maxResults": size}
			for {
				out := e.must(operation, in)
				for _, one := range out[member[0]].([]any) {
					got = append(got, one.(object)[member[1]].(string))
				}
				token, more := out["nextToken"]
				if !more {
					break
				}
				in["nextToken"] = token
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d gives %v, want %v", operation, size, got, want)
			}
		}
	}
}

// Terraform's plan after an apply must find what it asked for, and types it can parse.
func TestNoDrift(t *testing.T) {
	e := newEnv(t)
	role := "arn:aws:iam::123456789012:role/loader"
	e.must("CreateNamespace", object{"namespaceName": "sales", "dbName": "dev", "logExports": []string{}, "manageAdminPassword": false})
	e.must("CreateWorkgroup", object{"namespaceName": "sales", "workgroupName": "sales", "baseCapacity": 8})
	e.Supervise()
	n := e.must("GetNamespace", object{"namespaceName": "sales"})["namespace"].(object)
	for _, absent := range []string{"defaultIamRoleArn", "adminPasswordSecretArn", "adminPasswordSecretKmsKeyId"} { // null to Terraform, not ""
		if v, there := n[absent]; there {
			t.Errorf("namespace %s is %v, want it left out", absent, v)
		}
	}
	for _, empty := range []string{"logExports", "iamRoles"} {
		if v, ok := n[empty].([]any); !ok || len(v) != 0 {
			t.Errorf("namespace %s is %v, want an empty list", empty, n[empty])
		}
	}
	if n["status"] != "AVAILABLE" || n["dbName"] != "dev" || n["adminUsername"] != "admin" || n["kmsKeyId"] != "AWS_OWNED_KMS_KEY" {
		t.Errorf("the namespace is %v", n)
	}
	g := e.must("GetWorkgroup", object{"workgroupName": "sales"})["workgroup"].(object)
	endpoint, ok := g["endpoint"].(object)
	if !ok || endpoint["address"] != "penstock.test" || endpoint["port"] != float64(5439) || g["port"] != float64(5439) {
		t.Errorf("the endpoint is %v, the port %v", g["endpoint"], g["port"])
	}
	if g["status"] != "AVAILABLE" || g["baseCapacity"] != float64(8) || g["publiclyAccessible"] != false || g["trackName"] != "current" {
		t.Errorf("the workgroup is %v", g)
	}
	e.must("UpdateNamespace", object{"namespaceName": "sales", "iamRoles": []string{role}, "defaultIamRoleArn": role})
	n = e.must("UpdateNamespace", object{"namespaceName": "sales", "manageAdminPassword": true})["namespace"].(object)
	roles, _ := n["iamRoles"].([]any)
	if len(roles) != 1 || !strings.HasPrefix(roles[0].(string), "IamRole(") || !strings.Contains(roles[0].(string), "iamRoleArn="+role) || n["defaultIamRoleArn"] != role {
		t.Errorf("the roles are %v, the default %v", roles, n["defaultIamRoleArn"])
	}
	if secret, _ := n["adminPasswordSecretArn"].(string); !strings.HasPrefix(secret, "arn:aws:secretsmanager:us-east-1:123456789012:secret:") {
		t.Errorf("with a managed password, adminPasswordSecretArn is %q", secret)
	}
}
