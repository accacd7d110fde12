package redshift_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Parameters that are right, to be changed one at a time.
var (
	newIntegration = []string{"SourceArn", "arn:aws:s3:::orders", "TargetArn", namespace, "IntegrationName", "orders"}
	newCluster     = []string{"ClusterIdentifier", "sales", "NodeType", "ra3.large", "MasterUsername", "boss", "MasterUserPassword", "Secret123"}
	aPartner       = []string{"AccountId", "123456789012", "ClusterIdentifier", "default", "DatabaseName", "dev", "PartnerName", "Datacoral"}
	aPolicy        = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"redshift:CreateInboundIntegration"}]}`
)

// with returns params with others laid over them. "" as a value takes a parameter away.
func with(params []string, others ...string) []string {
	var out []string
	set := map[string]string{}
	for i := 0; i+1 < len(others); i += 2 {
		set[others[i]] = others[i+1]
	}
	for i := 0; i+1 < len(params); i += 2 {
		if _, changed := set[params[i]]; !changed {
			out = append(out, params[i], params[i+1])
		}
	}
	for i := 0; i+1 < len(others); i += 2 {
		if others[i+1] != "" {
			out = append(out, others[i], others[i+1])
		}
	}
	return out
}

// manyTags are parameters for n tags.
func manyTags(list string, n int) []string {
	var out []string
	for i := 1; i <= n; i++ {
		out = append(out, fmt.Sprintf("%s.Tag.%d.Key", list, i), fmt.Sprintf("k%d", i), fmt.Sprintf("%s.Tag.%d.Value", list, i), "v")
	}
	return out
}

func roles(n int) []string {
	var out []string
	for i := 1; i <= n; i++ {
		out = append(out, fmt.Sprintf("IamRoles.IamRoleArn.%d", i), fmt.Sprintf("arn:aws:iam::123456789012:role/r%d", i))
	}
	return out
}

func TestDeclared(t *testing.T) {
	plain := func(op string, e *wire.ErrorShape, params ...string) fronttest.Case[env] {
		return fronttest.Case[env]{Operation: op, Error: e, Request: func(*testing.T, env) *http.Request { return wiretest.Query(op, params...) }}
	}
	// after is plain with something done first.
	after := func(first func(env), op string, e *wire.ErrorShape, params ...string) fronttest.Case[env] {
		return fronttest.Case[env]{Operation: op, Error: e, Request: func(_ *testing.T, e env) *http.Request {
			first(e)
			return wiretest.Query(op, params...)
		}}
	}
	integrate := func(e env) { e.must("CreateIntegration", newIntegration...) }
	active := func(e env) { integrate(e); e.Supervise() }
	created := func(e env) { e.must("CreateCluster", newCluster...) }
	available := func(e env) { created(e); e.Supervise() }
	quota := func(e env) {
		for n := range zeroetl.MaxPerTarget {
			e.must("CreateIntegration", with(newIntegration, "SourceArn", fmt.Sprintf("arn:aws:s3:::bucket-%d", n), "IntegrationName", fmt.Sprintf("i%d", n))...)
		}
	}
	first := integrationARN(3)
	unknown := integrationARN(999)

	cases := []fronttest.Case[env]{
		after(integrate, "CreateIntegration", api.ErrIntegrationAlreadyExistsFault, with(newIntegration, "SourceArn", "arn:aws:s3:::other")...),
		plain("CreateIntegration", api.ErrIntegrationConflictOperationFault, with(newIntegration, "SourceArn", "arn:aws:s3:::taken")...),
		after(quota, "CreateIntegration", api.ErrIntegrationQuotaExceededFault, newIntegration...),
		plain("CreateIntegration", api.ErrIntegrationSourceNotFoundFault, with(newIntegration, "SourceArn", "arn:aws:s3:::missing")...),
		plain("CreateIntegration", api.ErrIntegrationTargetNotFoundFault, with(newIntegration, "TargetArn", strings.Replace(namespace, "0001", "0999", 1))...),
		plain("CreateIntegration", api.ErrUnsupportedOperationFault, with(newIntegration, "KMSKeyId", "alias/mine")...),
		after(created, "CreateIntegration", api.ErrInvalidClusterStateFault, with(newIntegration, "TargetArn", strings.Replace(namespace, "0001", "0003", 1))...),
		plain("CreateIntegration", api.ErrTagLimitExceededFault, append(manyTags("TagList", 51), newIntegration...)...),
		plain("CreateIntegration", api.ErrInvalidTagFault, with(newIntegration, "TagList.Tag.1.Key", "aws:mine", "TagList.Tag.1.Value", "x")...),

		plain("DescribeIntegrations", api.ErrIntegrationNotFoundFault, "IntegrationArn", unknown),
		plain("DescribeInboundIntegrations", api.ErrIntegrationNotFoundFault, "IntegrationArn", unknown),
		plain("DescribeInboundIntegrations", api.ErrInvalidNamespaceFault, "TargetArn", strings.Replace(namespace, "0001", "0999", 1)),

		plain("ModifyIntegration", api.ErrIntegrationNotFoundFault, "IntegrationArn", unknown, "Description", "x"),
		after(integrate, "ModifyIntegration", api.ErrIntegrationConflictStateFault, "IntegrationArn", first, "Description", "x"),
		after(func(e env) {
			active(e)
			e.must("CreateIntegration", with(newIntegration, "SourceArn", "arn:aws:s3:::other", "IntegrationName", "other")...)
		}, "ModifyIntegration", api.ErrIntegrationAlreadyExistsFault, "IntegrationArn", first, "IntegrationName", "other"),
		plain("DeleteIntegration", api.ErrIntegrationNotFoundFault, "IntegrationArn", unknown),
		after(integrate, "DeleteIntegration", api.ErrIntegrationConflictStateFault, "IntegrationArn", first),

		plain("AddPartner", api.ErrPartnerNotFoundFault, with(aPartner, "PartnerName", "Nobody")...),
		plain("AddPartner", api.ErrClusterNotFoundFault, with(aPartner, "ClusterIdentifier", "nowhere")...),
		plain("AddPartner", api.ErrUnauthorizedPartnerIntegrationFault, with(aPartner, "AccountId", "210987654321")...),
		plain("UpdatePartnerStatus", api.ErrPartnerNotFoundFault, with(aPartner, "Status", "Active")...),
		plain("UpdatePartnerStatus", api.ErrClusterNotFoundFault, with(aPartner, "ClusterIdentifier", "nowhere", "Status", "Active")...),
		plain("UpdatePartnerStatus", api.ErrUnauthorizedPartnerIntegrationFault, with(aPartner, "AccountId", "210987654321", "Status", "Active")...),
		plain("DeletePartner", api.ErrPartnerNotFoundFault, aPartner...),
		plain("DeletePartner", api.ErrClusterNotFoundFault, with(aPartner, "ClusterIdentifier", "nowhere")...),
		plain("DeletePartner", api.ErrUnauthorizedPartnerIntegrationFault, with(aPartner, "AccountId", "210987654321")...),
		plain("DescribePartners", api.ErrClusterNotFoundFault, with(aPartner, "ClusterIdentifier", "nowhere")...),
		plain("DescribePartners", api.ErrUnauthorizedPartnerIntegrationFault, with(aPartner, "AccountId", "210987654321")...),

		plain("PutResourcePolicy", api.ErrResourceNotFoundFault, "ResourceArn", strings.Replace(namespace, "0001", "0999", 1), "Policy", aPolicy),
		plain("PutResourcePolicy", api.ErrInvalidPolicyFault, "ResourceArn", namespace, "Policy", `{"Statement":[{"Effect":"Maybe"}]}`),
		plain("GetResourcePolicy", api.ErrResourceNotFoundFault, "ResourceArn", namespace),
		plain("DeleteResourcePolicy", api.ErrResourceNotFoundFault, "ResourceArn", namespace),

		plain("CreateTags", api.ErrTagLimitExceededFault, append(manyTags("Tags", 51), "ResourceName", cluster)...),
		plain("CreateTags", api.ErrResourceNotFoundFault, "ResourceName", unknown, "Tags.Tag.1.Key", "a", "Tags.Tag.1.Value", "b"),
		plain("CreateTags", api.ErrInvalidTagFault, "ResourceName", cluster, "Tags.Tag.1.Value", "b"),
		plain("DeleteTags", api.ErrResourceNotFoundFault, "ResourceName", "arn:aws:redshift:us-east-1:123456789012:cluster:nowhere", "TagKeys.TagKey.1", "a"),
		plain("DeleteTags", api.ErrInvalidTagFault, "ResourceName", cluster, "TagKeys.TagKey.1", strings.Repeat("k", 129)),
		plain("DescribeTags", api.ErrResourceNotFoundFault, "ResourceName", "nothing"),
		plain("DescribeTags", api.ErrInvalidTagFault, "TagKeys.TagKey.1", strings.Repeat("k", 129)),

		after(created, "CreateCluster", api.ErrClusterAlreadyExistsFault, newCluster...),
		after(func(e env) {
			for n := range warehouses.MaxWarehouses - 1 {
				e.must("CreateCluster", with(newCluster, "ClusterIdentifier", fmt.Sprintf("c%d", n))...)
			}
		}, "CreateCluster", api.ErrClusterQuotaExceededFault, newCluster...),
		plain("CreateCluster", api.ErrNumberOfNodesPerClusterLimitExceededFault, with(newCluster, "NumberOfNodes", "101")...),
		plain("CreateCluster", api.ErrHsmClientCertificateNotFoundFault, with(newCluster, "HsmClientCertificateIdentifier", "cert")...),
		plain("CreateCluster", api.ErrHsmConfigurationNotFoundFault, with(newCluster, "HsmConfigurationIdentifier", "hsm")...),
		plain("CreateCluster", api.ErrInvalidElasticIpFault, with(newCluster, "ElasticIp", "203.0.113.7")...),
		plain("CreateCluster", api.ErrTagLimitExceededFault, append(manyTags("Tags", 51), newCluster...)...),
		plain("CreateCluster", api.ErrInvalidTagFault, with(newCluster, "Tags.Tag.1.Key", "aws:x")...),
		plain("CreateCluster", api.ErrLimitExceededFault, append(roles(51), newCluster...)...),
		plain("CreateCluster", api.ErrSnapshotScheduleNotFoundFault, with(newCluster, "SnapshotScheduleIdentifier", "nightly")...),
		plain("CreateCluster", api.ErrInvalidRetentionPeriodFault, with(newCluster, "AutomatedSnapshotRetentionPeriod", "36")...),
		plain("CreateCluster", api.ErrUnsupportedOperationFault, with(newCluster, "AvailabilityZoneRelocation", "true")...),
		plain("CreateCluster", api.ErrRedshiftIdcApplicationNotExistsFault, with(newCluster, "RedshiftIdcApplicationArn", "arn:aws:redshift:us-east-1:123456789012:redshiftidcapplication:1")...),

		plain("DescribeClusters", api.ErrClusterNotFoundFault, "ClusterIdentifier", "nowhere"),
		plain("DescribeClusters", api.ErrInvalidTagFault, "TagKeys.TagKey.1", strings.Repeat("k", 129)),
		plain("DescribeLoggingStatus", api.ErrClusterNotFoundFault, "ClusterIdentifier", "nowhere"),

		after(created, "ModifyCluster", api.ErrInvalidClusterStateFault, "ClusterIdentifier", "sales", "MultiAZ", "true"),
		plain("ModifyCluster", api.ErrClusterNotFoundFault, "ClusterIdentifier", "nowhere", "MultiAZ", "true"),
		after(available, "ModifyCluster", api.ErrNumberOfNodesPerClusterLimitExceededFault, "ClusterIdentifier", "sales", "NumberOfNodes", "101"),
		after(available, "ModifyCluster", api.ErrUnsupportedOptionFault, "ClusterIdentifier", "sales", "ExtraComputeForAutomaticOptimization", "true"),
		after(available, "ModifyCluster", api.ErrHsmClientCertificateNotFoundFault, "ClusterIdentifier", "sales", "HsmClientCertificateIdentifier", "cert"),
		after(available, "ModifyCluster", api.ErrHsmConfigurationNotFoundFault, "ClusterIdentifier", "sales", "HsmConfigurationIdentifier", "hsm"),
		after(available, "ModifyCluster", api.ErrClusterAlreadyExistsFault, "ClusterIdentifier", "sales", "NewClusterIdentifier", "default"),
		after(available, "ModifyCluster", api.ErrInvalidElasticIpFault, "ClusterIdentifier", "sales", "ElasticIp", "203.0.113.7"),
		after(available, "ModifyCluster", api.ErrInvalidRetentionPeriodFault, "ClusterIdentifier", "sales", "ManualSnapshotRetentionPeriod", "0"),

		plain("DeleteCluster", api.ErrClusterNotFoundFault, "ClusterIdentifier", "nowhere", "SkipFinalClusterSnapshot", "true"),
		after(created, "DeleteCluster", api.ErrInvalidClusterStateFault, "ClusterIdentifier", "sales", "SkipFinalClusterSnapshot", "true"),
		plain("DeleteCluster", api.ErrInvalidRetentionPeriodFault, "ClusterIdentifier", "default", "FinalClusterSnapshotIdentifier", "last", "FinalClusterSnapshotRetentionPeriod", "0"),
	}
	never := []fronttest.Never{
		fronttest.Cannot("DescribeIntegrations", api.ErrUnsupportedOperationFault, "every integration can be described"),
		fronttest.Cannot("DescribeInboundIntegrations", api.ErrUnsupportedOperationFault, "every integration can be described"),
		fronttest.Cannot("ModifyIntegration", api.ErrUnsupportedOperationFault, "every integration can be modified"),
		fronttest.Cannot("DeleteIntegration", api.ErrUnsupportedOperationFault, "every integration can be deleted"),
		fronttest.Cannot("ModifyIntegration", api.ErrIntegrationConflictOperationFault, "an operation under way shows as the status, which IntegrationConflictStateFault is for"),
		fronttest.Cannot("DeleteIntegration", api.ErrIntegrationConflictOperationFault, "an operation under way shows as the status, which IntegrationConflictStateFault is for"),
		fronttest.Cannot("AddPartner", api.ErrUnsupportedOperationFault, "partners are offered on every cluster"),
		fronttest.Cannot("UpdatePartnerStatus", api.ErrUnsupportedOperationFault, "partners are offered on every cluster"),
		fronttest.Cannot("DeletePartner", api.ErrUnsupportedOperationFault, "partners are offered on every cluster"),
		fronttest.Cannot("DescribePartners", api.ErrUnsupportedOperationFault, "partners are offered on every cluster"),
		fronttest.Cannot("PutResourcePolicy", api.ErrConflictPolicyUpdateFault, "a policy is replaced in one transaction; of two at a time the later one stays"),
		fronttest.Cannot("PutResourcePolicy", api.ErrUnsupportedOperationFault, "every namespace can have a policy"),
		fronttest.Cannot("GetResourcePolicy", api.ErrInvalidPolicyFault, "a policy is checked before it is stored"),
		fronttest.Cannot("GetResourcePolicy", api.ErrUnsupportedOperationFault, "every namespace can have a policy"),
		fronttest.Cannot("DeleteResourcePolicy", api.ErrUnsupportedOperationFault, "every namespace can have a policy"),
		fronttest.Cannot("CreateTags", api.ErrInvalidClusterStateFault, "tags can be changed in every state of a cluster"),
		fronttest.Cannot("DescribeLoggingStatus", api.ErrUnsupportedOperationFault, "every cluster has a logging status: off"),

		fronttest.Cannot("", api.ErrInsufficientClusterCapacityFault, "the embedded engine has no capacity to run out of"),
		fronttest.Cannot("", api.ErrClusterParameterGroupNotFoundFault, "parameter groups are names that are kept; none is looked up"),
		fronttest.Cannot("", api.ErrClusterSecurityGroupNotFoundFault, "security groups are names that are kept; none is looked up"),
		fronttest.Cannot("", api.ErrInvalidClusterSecurityGroupStateFault, "security groups are names that are kept; they have no state"),
		fronttest.Cannot("", api.ErrNumberOfNodesQuotaExceededFault, "there is no quota of nodes over all clusters"),
		fronttest.Cannot("", api.ErrClusterSubnetGroupNotFoundFault, "subnet groups are names that are kept; none is looked up"),
		fronttest.Cannot("", api.ErrInvalidClusterSubnetGroupStateFault, "subnet groups are names that are kept; they have no state"),
		fronttest.Cannot("", api.ErrInvalidSubnet, "there are no subnets"),
		fronttest.Cannot("", api.ErrInvalidVPCNetworkStateFault, "there is no VPC"),
		fronttest.Cannot("", api.ErrIpv6CidrBlockNotFoundFault, "there is no VPC whose address blocks could lack IPv6"),
		fronttest.Cannot("", api.ErrUnauthorizedOperation, "the root credential, the only one, may do everything"),
		fronttest.Cannot("", api.ErrDependentServiceRequestThrottlingFault, "no other service is asked"),
		fronttest.Cannot("", api.ErrDependentServiceUnavailableFault, "no other service is asked"),
		fronttest.Cannot("", api.ErrDependentServiceAccessDeniedFault, "no other service is asked"),
		fronttest.Cannot("", api.ErrInvalidClusterTrackFault, "maintenance tracks are names that are kept; the engine has one version on each"),
		fronttest.Cannot("", api.ErrCustomCnameAssociationFault, "custom domain names are not offered, so none is associated"),
		fronttest.Cannot("", api.ErrTableLimitExceededFault, "the number of tables does not depend on the node type"),
		fronttest.Cannot("ModifyCluster", api.ErrLimitExceededFault, "the roles, which have a limit, are not modified by this call"),
		fronttest.Cannot("ModifyCluster", api.ErrUnsupportedOperationFault, "what is not offered is UnsupportedOption in this call"),
		fronttest.Cannot("", api.ErrClusterSnapshotAlreadyExistsFault, "snapshots are not offered, so none exists"),
		fronttest.Cannot("", api.ErrClusterSnapshotQuotaExceededFault, "snapshots are not offered; asking for one is refused as unsupported"),
	}
	fronttest.Declared(t, "testdata/errors.txtar", newEnv(t).service, setup, cases, never)
}
