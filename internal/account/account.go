// Package account is the domain of who may call: access keys and the principals they stand for.
//
// There is one key today, the root credential of the server's account, which may do everything.
package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

// SubjectAccessKey is the subject of this package's faults.
const SubjectAccessKey = "access key"

// Credential is an access key with its secret.
type Credential struct {
	AccessKeyID string
	Secret      secret.Text
}

// Service is the API of this domain. It is safe for concurrent use.
type Service struct {
	root   Credential
	caller identity.Caller
}

// NewService returns a Service for the account, with one key for its root user.
func NewService(partition, region, account string, root Credential) *Service {
	return &Service{root, identity.Caller{
		Partition: partition, Region: region, Account: account, AccessKeyID: root.AccessKeyID, UserID: account,
		ARN: arn.ARN{Partition: partition, Service: "iam", Account: account, Resource: "root"}.String(),
	}}
}

// Lookup returns the secret of an access key and whom it stands for. An unknown key is NotFound. How long it takes
// tells nothing about which keys exist.
func (s *Service) Lookup(_ context.Context, accessKeyID string) (secret.Text, identity.Caller, error) {
	if !same(accessKeyID, s.root.AccessKeyID) {
		return secret.Text{}, identity.Caller{}, fault.New(fault.NotFound, SubjectAccessKey, "the access key id %.128q is not known here; `penstock env` prints the one that is", accessKeyID)
	}
	return s.root.Secret, s.caller, nil
}

// Root returns the principal of the root credential.
func (s *Service) Root() identity.Caller { return s.caller }

// same compares in a time that depends on neither text's content nor on how the lengths differ.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
