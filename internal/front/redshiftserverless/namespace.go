package redshiftserverless

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/warehouses"
)

const (
	noSecretStore = "there is no secret store whose key it could be"
	noIDC         = "there is no IAM Identity Center"
)

func (f *Front) createNamespace(ctx context.Context, caller identity.Caller, in *api.CreateNamespaceRequest) (*api.CreateNamespaceResponse, error) {
	if err := refuse(member.Text(in.AdminPasswordSecretKmsKeyId) != "", "adminPasswordSecretKmsKeyId", noSecretStore); err != nil {
		return nil, err
	}
	if err := refuse(member.Text(in.RedshiftIdcApplicationArn) != "", "redshiftIdcApplicationArn", noIDC); err != nil {
		return nil, err
	}
	n, err := f.warehouses.CreateNamespace(ctx, warehouses.CreateNamespaceParams{
		Name: member.Text(in.NamespaceName), AdminUsername: member.Text(in.AdminUsername), AdminPassword: secret.NewText(member.Text(in.AdminUserPassword)),
		ManagePassword: member.True(in.ManageAdminPassword), Database: member.Text(in.DbName), KMSKeyID: member.Text(in.KmsKeyId),
		DefaultIAMRole: member.Text(in.DefaultIamRoleArn), IAMRoles: in.IamRoles, LogExports: in.LogExports, Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateNamespaceResponse{Namespace: namespace(caller, &n)}, nil
}

func (f *Front) getNamespace(ctx context.Context, caller identity.Caller, in *api.GetNamespaceRequest) (*api.GetNamespaceResponse, error) {
	n, err := f.warehouses.Namespace(ctx, member.Text(in.NamespaceName))
	if err != nil {
		return nil, err
	}
	return &api.GetNamespaceResponse{Namespace: namespace(caller, &n)}, nil
}

func (f *Front) updateNamespace(ctx context.Context, caller identity.Caller, in *api.UpdateNamespaceRequest) (*api.UpdateNamespaceResponse, error) {
	if err := refuse(member.Text(in.AdminPasswordSecretKmsKeyId) != "", "adminPasswordSecretKmsKeyId", noSecretStore); err != nil {
		return nil, err
	}
	n, err := f.warehouses.UpdateNamespace(ctx, warehouses.UpdateNamespaceParams{
		Name: member.Text(in.NamespaceName), AdminUsername: member.Text(in.AdminUsername), AdminPassword: secret.NewText(member.Text(in.AdminUserPassword)),
		ManagePassword: in.ManageAdminPassword, KMSKeyID: in.KmsKeyId, DefaultIAMRole: in.DefaultIamRoleArn,
		IAMRoles: member.List(in.IamRoles), LogExports: member.List(in.LogExports),
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateNamespaceResponse{Namespace: namespace(caller, &n)}, nil
}

func (f *Front) deleteNamespace(ctx context.Context, caller identity.Caller, in *api.DeleteNamespaceRequest) (*api.DeleteNamespaceResponse, error) {
	n, err := f.warehouses.DeleteNamespace(ctx, member.Text(in.NamespaceName), member.Text(in.FinalSnapshotName))
	if err != nil {
		return nil, err
	}
	return &api.DeleteNamespaceResponse{Namespace: namespace(caller, &n)}, nil
}

func (f *Front) listNamespaces(ctx context.Context, caller identity.Caller, in *api.ListNamespacesRequest) (*api.ListNamespacesResponse, error) {
	page, err := f.warehouses.ListNamespaces(ctx, member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &api.ListNamespacesResponse{NextToken: member.Some(page.Token), Namespaces: make([]api.Namespace, len(page.Namespaces))}
	for i := range page.Namespaces {
		out.Namespaces[i] = *namespace(caller, &page.Namespaces[i])
	}
	return out, nil
}

// namespace shows n. A default role that is not set is left out, since Terraform parses it as an ARN; the log
// exports are there even when there are none.
func namespace(caller identity.Caller, n *warehouses.NamespaceInfo) *api.Namespace {
	out := &api.Namespace{
		NamespaceName: &n.Name, NamespaceId: &n.WarehouseID, NamespaceArn: &n.ARN, Status: new(n.Status()), CreationDate: &n.Created,
		AdminUsername: &n.AdminUsername, DbName: &n.Database, KmsKeyId: &n.KMSKeyID, DefaultIamRoleArn: member.Some(n.DefaultIAMRole),
		IamRoles: make([]string, len(n.IAMRoles)), LogExports: member.Present(n.LogExports),
	}
	for i, role := range n.IAMRoles {
		// AWS shows roles as the text of a structure.
		out.IamRoles[i] = "IamRole(applyStatus=in-sync, iamRoleArn=" + role + ")"
	}
	if n.ManagePassword {
		// There is no secret store to ask for it, and no password that anything would take: the name is what
		// tells Terraform that the password is managed.
		out.AdminPasswordSecretArn = new("arn:" + caller.Partition + ":secretsmanager:" + caller.Region + ":" + caller.Account + ":secret:redshift!" + n.Name + "-" + n.AdminUsername)
	}
	return out
}
