package quicksight

import (
	"github.com/penstock-io/penstock/internal/action"
	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/secret"
)

// authIn is an authentication without its secret, and the secret. The union has exactly one member by the time it is
// here; it must be the one of the type.
func authIn(in *api.AuthConfig) (action.Auth, secret.Text, error) {
	a := action.Auth{Type: action.AuthType(member.Text(in.AuthenticationType))}
	m := in.AuthenticationMetadata
	var password *string
	var given action.AuthType
	switch {
	case m.BasicAuthConnectionMetadata != nil:
		b := m.BasicAuthConnectionMetadata
		given, a.BaseEndpoint, a.Username, password = action.Basic, member.Text(b.BaseEndpoint), member.Text(b.Username), b.Password
	case m.ApiKeyConnectionMetadata != nil:
		k := m.ApiKeyConnectionMetadata
		given, a.BaseEndpoint, a.Email, password = action.APIKey, member.Text(k.BaseEndpoint), member.Text(k.Email), k.ApiKey
	case m.NoneConnectionMetadata != nil:
		given, a.BaseEndpoint = action.None, member.Text(m.NoneConnectionMetadata.BaseEndpoint)
	case m.IamConnectionMetadata != nil:
		given, a.RoleARN = action.IAM, member.Text(m.IamConnectionMetadata.RoleArn)
	case m.ClientCredentialsGrantMetadata != nil:
		g := m.ClientCredentialsGrantMetadata
		given, a.BaseEndpoint, a.CredentialsSource = action.ClientCredentials, member.Text(g.BaseEndpoint), member.Text(g.ClientCredentialsSource)
		if g.ClientCredentialsDetails == nil {
			return a, secret.Text{}, noDetails("ClientCredentialsDetails")
		}
		d := g.ClientCredentialsDetails.ClientCredentialsGrantDetails
		a.ClientID, a.TokenEndpoint, password = member.Text(d.ClientId), member.Text(d.TokenEndpoint), d.ClientSecret
	default:
		g := m.AuthorizationCodeGrantMetadata
		given, a.BaseEndpoint, a.RedirectURL, a.CredentialsSource = action.AuthorizationCode, member.Text(g.BaseEndpoint), member.Text(g.RedirectUrl), member.Text(g.AuthorizationCodeGrantCredentialsSource)
		if g.AuthorizationCodeGrantCredentialsDetails == nil {
			return a, secret.Text{}, noDetails("AuthorizationCodeGrantCredentialsDetails")
		}
		d := g.AuthorizationCodeGrantCredentialsDetails.AuthorizationCodeGrantDetails
		a.ClientID, a.TokenEndpoint, a.AuthorizationEndpoint, password = member.Text(d.ClientId), member.Text(d.TokenEndpoint), member.Text(d.AuthorizationEndpoint), d.ClientSecret
	}
	if given != a.Type {
		return a, secret.Text{}, fault.New(fault.Invalid, action.SubjectAuth, "AuthenticationType is %s and AuthenticationMetadata holds what belongs to %s; they must be of one kind", a.Type, given)
	}
	return a, secret.NewText(member.Text(password)), nil
}

// noDetails is the fault of an OAuth client that is not named. The model lets it be left out; nothing could sign in
// without it.
func noDetails(member string) error {
	return fault.New(fault.Invalid, action.SubjectAuth, "%s is missing; give the client id, the client secret and the endpoints of your registration with the vendor", member)
}

// authOut shows an authentication, in the members that have no place for secrets.
func authOut(c *action.Connector) *api.ReadAuthConfig {
	a := &c.Auth
	m := &api.ReadAuthenticationMetadata{}
	switch a.Type {
	case action.Basic:
		m.BasicAuthConnectionMetadata = &api.ReadBasicAuthConnectionMetadata{BaseEndpoint: &a.BaseEndpoint, Username: &a.Username}
	case action.APIKey:
		m.ApiKeyConnectionMetadata = &api.ReadAPIKeyConnectionMetadata{BaseEndpoint: &a.BaseEndpoint, Email: member.Some(a.Email)}
	case action.None:
		m.NoneConnectionMetadata = &api.ReadNoneConnectionMetadata{BaseEndpoint: &a.BaseEndpoint}
	case action.IAM:
		m.IamConnectionMetadata = &api.ReadIamConnectionMetadata{RoleArn: &a.RoleARN, SourceArn: &c.ARN}
	case action.ClientCredentials:
		m.ClientCredentialsGrantMetadata = &api.ReadClientCredentialsGrantMetadata{
			BaseEndpoint: &a.BaseEndpoint, ClientCredentialsSource: member.Some(a.CredentialsSource),
			ReadClientCredentialsDetails: &api.ReadClientCredentialsDetails{
				ReadClientCredentialsGrantDetails: &api.ReadClientCredentialsGrantDetails{ClientId: &a.ClientID, TokenEndpoint: &a.TokenEndpoint},
			},
		}
	case action.AuthorizationCode:
		m.AuthorizationCodeGrantMetadata = &api.ReadAuthorizationCodeGrantMetadata{
			BaseEndpoint: &a.BaseEndpoint, RedirectUrl: &a.RedirectURL, AuthorizationCodeGrantCredentialsSource: member.Some(a.CredentialsSource),
			ReadAuthorizationCodeGrantCredentialsDetails: &api.ReadAuthorizationCodeGrantCredentialsDetails{
				ReadAuthorizationCodeGrantDetails: &api.ReadAuthorizationCodeGrantDetails{ClientId: &a.ClientID, TokenEndpoint: &a.TokenEndpoint, AuthorizationEndpoint: &a.AuthorizationEndpoint},
			},
		}
	}
	return &api.ReadAuthConfig{AuthenticationType: (*string)(&a.Type), AuthenticationMetadata: m}
}
