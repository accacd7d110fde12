package redshift

import (
	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Subjects of faults raised here: parts of AWS that a request can name and that do not exist here.
const (
	subjectHSMCertificate = "HSM client certificate"
	subjectHSM            = "HSM configuration"
	subjectElasticIP      = "Elastic IP"
	subjectSchedule       = "snapshot schedule"
	subjectIDC            = "IAM Identity Center application"
	subjectOption         = "option"
	subjectTags           = "tag filter"
)

// faults says which declared error a fault becomes. Kinds that are not here, among them Invalid without a
// row of its own, become the query protocol's own errors.
func faults() wire.FaultTable {
	return wire.FaultTable{
		{Kind: fault.Unsupported}: api.ErrUnsupportedOperationFault,

		{Kind: fault.NotFound, Subject: zeroetl.SubjectIntegration}:                                      api.ErrIntegrationNotFoundFault,
		{Kind: fault.AlreadyExists, Subject: zeroetl.SubjectIntegration}:                                 api.ErrIntegrationAlreadyExistsFault,
		{Kind: fault.Conflict, Subject: zeroetl.SubjectIntegration}:                                      api.ErrIntegrationConflictOperationFault,
		{Kind: fault.State, Subject: zeroetl.SubjectIntegration}:                                         api.ErrIntegrationConflictStateFault,
		{Kind: fault.Limit, Subject: zeroetl.SubjectIntegration}:                                         api.ErrIntegrationQuotaExceededFault,
		{Kind: fault.NotFound, Subject: zeroetl.SubjectSource}:                                           api.ErrIntegrationSourceNotFoundFault,
		{Kind: fault.NotFound, Subject: zeroetl.SubjectTarget}:                                           api.ErrIntegrationTargetNotFoundFault,
		{Kind: fault.NotFound, Subject: zeroetl.SubjectTarget, Operation: "DescribeInboundIntegrations"}: api.ErrInvalidNamespaceFault,
		{Kind: fault.State, Subject: zeroetl.SubjectTargetState}:                                         api.ErrInvalidClusterStateFault,
		{Kind: fault.NotFound, Subject: zeroetl.SubjectPolicy}:                                           api.ErrResourceNotFoundFault,
		{Kind: fault.Invalid, Subject: zeroetl.SubjectPolicy}:                                            api.ErrInvalidPolicyFault,
		{Kind: fault.NotFound, Subject: zeroetl.SubjectResource}:                                         api.ErrResourceNotFoundFault,
		{Kind: fault.Invalid, Subject: zeroetl.SubjectTag}:                                               api.ErrInvalidTagFault,
		{Kind: fault.Limit, Subject: zeroetl.SubjectTagCount}:                                            api.ErrTagLimitExceededFault,
		{Kind: fault.NotFound, Subject: warehouses.SubjectPartner}:                                       api.ErrPartnerNotFoundFault,
		{Kind: fault.Denied, Subject: warehouses.SubjectPartner}:                                         api.ErrUnauthorizedPartnerIntegrationFault,
		{Kind: fault.NotFound, Subject: warehouses.SubjectCluster}:                                       api.ErrClusterNotFoundFault,
		{Kind: fault.AlreadyExists, Subject: warehouses.SubjectCluster}:                                  api.ErrClusterAlreadyExistsFault,
		{Kind: fault.State, Subject: warehouses.SubjectCluster}:                                          api.ErrInvalidClusterStateFault,
		{Kind: fault.Limit, Subject: warehouses.SubjectCluster}:                                          api.ErrLimitExceededFault,
		{Kind: fault.Limit, Subject: warehouses.SubjectWarehouse}:                                        api.ErrClusterQuotaExceededFault,
		{Kind: fault.Limit, Subject: warehouses.SubjectNodes}:                                            api.ErrNumberOfNodesPerClusterLimitExceededFault,
		{Kind: fault.Invalid, Subject: warehouses.SubjectRetention}:                                      api.ErrInvalidRetentionPeriodFault,
		{Kind: fault.NotFound, Subject: subjectHSMCertificate}:                                           api.ErrHsmClientCertificateNotFoundFault,
		{Kind: fault.NotFound, Subject: subjectHSM}:                                                      api.ErrHsmConfigurationNotFoundFault,
		{Kind: fault.NotFound, Subject: subjectElasticIP}:                                                api.ErrInvalidElasticIpFault,
		{Kind: fault.NotFound, Subject: subjectSchedule}:                                                 api.ErrSnapshotScheduleNotFoundFault,
		{Kind: fault.NotFound, Subject: subjectIDC}:                                                      api.ErrRedshiftIdcApplicationNotExistsFault,
		{Kind: fault.Unsupported, Subject: subjectOption, Operation: "ModifyCluster"}:                    api.ErrUnsupportedOptionFault,
	}
}
