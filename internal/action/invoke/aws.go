package invoke

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// AWS says how services of AWS are called.
type AWS struct {
	Region string
	// Endpoints are URLs by the first part of AWS's host: s3, textract. A service that is not in it is called
	// at AWS itself.
	Endpoints map[string]string
	// Local are the services that this server is itself, by the same name. They know nothing of AWS's roles and keys.
	Local map[string]Local
	// Credentials are those of the server at AWS.
	Credentials func(ctx context.Context) (AWSCredentials, error)
	// STS is the endpoint at which the role of a connector is assumed: a URL, or "aws" for AWS's own. Without
	// one calls are made with the server's own credentials.
	STS string
	// Transport reaches Endpoints, which the operator has chosen and no egress policy is about; nil for the
	// connector's egress.
	Transport http.RoundTripper
}

// Local is what requests to a service of this server are signed with.
type Local struct {
	Region      string
	Credentials AWSCredentials
}

// AWSCredentials sign requests.
type AWSCredentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    string
	Expires         time.Time // zero for never
}

// signer signs requests with the role of a connector.
type signer struct {
	AWS
	now   func() time.Time
	plain *v4.Signer
	s3    *v4.Signer

	mu    sync.Mutex
	roles map[string]aws.CredentialsProvider
}

func newSigner(c AWS, now func() time.Time) *signer {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	return &signer{AWS: c, now: now, plain: v4.NewSigner(), roles: map[string]aws.CredentialsProvider{},
		s3: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
}

// own reports whether the operator has said where a service is.
func (s *signer) own(service string) bool { return s.Endpoints[service] != "" }

func (s *signer) endpoint(service string) (*url.URL, error) {
	address := s.Endpoints[service]
	if address == "" {
		domain := "amazonaws.com"
		if strings.HasPrefix(s.Region, "cn-") {
			domain += ".cn"
		}
		address = "https://" + service + "." + s.Region + "." + domain
	}
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Host == "" {
		return nil, failure(AddressRefused, err, "The endpoint %q configured for %s is not a URL.", address, service)
	}
	return u, nil
}

// sign adds a signature for the service to a request.
func (s *signer) sign(ctx context.Context, r *http.Request, body []byte, service *catalog.AWS, role string) error {
	provider, err := s.provider(service.Endpoint, role)
	if err != nil {
		return err
	}
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return unsigned(err, fault.Unavailable, role)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	signer := s.plain
	if service.Signing == "s3" {
		signer = s.s3
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return signer.SignHTTP(ctx, c, r, hash, service.Signing, s.region(service.Endpoint), s.now())
}

// unsigned is the error of a request that could not be signed.
func unsigned(err error, kind fault.Kind, role string) error {
	var none *noCredentialsError
	if errors.As(err, &none) {
		return fault.Wrap(err, fault.Unavailable, SubjectVendor, "The server has no credentials of AWS. Set PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY, or give it those of the AWS CLI, and start it again.")
	}
	return fault.Wrap(err, kind, SubjectVendor, "There are no credentials for the role %s: %s.", role, reasonOf(err))
}

// region is the one that a service is called in.
func (s *signer) region(service string) string {
	if local, ok := s.Local[service]; ok {
		return local.Region
	}
	return s.Region
}

// reasonOf is the text of an error of the SDK without its request ids and addresses.
func reasonOf(err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, "api error "); at >= 0 {
		return strings.TrimRight(text[at+len("api error "):], ".")
	}
	return "see the server's log"
}

// provider yields what requests to a service are signed with: the credentials of a role, assumed once and again before
// they end, where roles are assumed.
func (s *signer) provider(service, role string) (aws.CredentialsProvider, error) {
	if local, ok := s.Local[service]; ok {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return sdkCredentials(local.Credentials), nil }), nil
	}
	if s.Credentials == nil {
		return nil, fault.New(fault.Unsupported, SubjectVendor, "The server has no credentials for services of AWS. Configure them.")
	}
	own := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := s.Credentials(ctx)
		if err != nil {
			return aws.Credentials{}, &noCredentialsError{err}
		}
		return sdkCredentials(c), nil
	})
	if s.STS == "" || role == "" {
		return own, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.roles[role]; p != nil {
		return p, nil
	}
	client := sts.New(sts.Options{Region: s.Region, Credentials: own}, func(o *sts.Options) {
		if s.STS != "aws" {
			o.BaseEndpoint = aws.String(s.STS)
		}
		if s.Transport != nil {
			o.HTTPClient = &http.Client{Transport: s.Transport}
		}
	})
	p := aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "penstock-action-connector"
	}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	if len(s.roles) >= maxRoles {
		clear(s.roles) // those in use are assumed again
	}
	s.roles[role] = p
	return p, nil
}

func sdkCredentials(c AWSCredentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken,
		CanExpire: !c.Expires.IsZero(), Expires: c.Expires, Source: "penstock"}
}

// noCredentialsError is the error of a server that has none for AWS, told from that of a role it may not assume.
type noCredentialsError struct{ cause error }

func (e *noCredentialsError) Error() string { return "no credentials of AWS: " + e.cause.Error() }
func (e *noCredentialsError) Unwrap() error { return e.cause }

// maxRoles is how many roles' credentials are kept.
const maxRoles = 1024

// text of an answer that AWS refuses credentials with, beside 401.
func awsUnauthorized(a *answer) bool {
	if a.status != http.StatusForbidden && a.status != http.StatusBadRequest {
		return false
	}
	text := string(a.body[:min(len(a.body), 4<<10)]) + a.header.Get("X-Amzn-Errortype")
	for _, code := range []string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "UnrecognizedClientException", "ExpiredToken", "InvalidSignatureException", "InvalidClientTokenId"} {
		if strings.Contains(text, code) {
			return true
		}
	}
	return false
}
