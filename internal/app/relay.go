package app

import (
	"context"
	"errors"
	"net/http"

	"github.com/penstock-io/penstock/internal/relay"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

// newRelay passes requests for a service on to the endpoint that has it.
func (s *server) newRelay(ctx context.Context, service relay.Service, endpoint string) (http.Handler, error) {
	rules := sigv4.Rules{S3: service == relay.S3}
	verifier := sigv4.NewVerifier(s.config.Region, rules, s.now)
	outgoing, err := access.Load(ctx, s.config.Region, nil)
	if err != nil {
		return nil, err
	}
	return relay.New(relay.Config{
		Service: service, Endpoint: endpointURL(endpoint), Region: outgoing.Region, Log: s.log,
		Verify: func(r *http.Request, payloadHash string) (string, error) {
			signature, err := sigv4.Parse(r)
			if err != nil {
				return "", refusal(service, err)
			}
			secret, _, err := s.accounts.Lookup(r.Context(), signature.AccessKeyID)
			if err != nil {
				return "", &relay.Error{Status: http.StatusForbidden, Code: unknownKey[service], Message: "The access key id you provided does not exist in our records."}
			}
			if signature.Service != string(service) {
				return "", &relay.Error{Status: http.StatusForbidden, Code: mismatch[service], Message: "Credential should be scoped to correct service: '" + string(service) + "'."}
			}
			if err := verifier.Verify(r, signature, secret.Reveal(), payloadHash); err != nil {
				return "", refusal(service, err)
			}
			return secret.Reveal(), nil
		},
		Sign: func(ctx context.Context, r *http.Request, payloadHash string) error {
			c, err := outgoing.Credentials(ctx)
			if err != nil {
				return err
			}
			return sigv4.Sign(r, sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal()},
				sigv4.Scope{Region: outgoing.Region, Service: string(service)}, payloadHash, rules, s.now())
		},
	})
}

// What the two services call the same failures.
var (
	unknownKey = map[relay.Service]string{relay.S3: "InvalidAccessKeyId", relay.DynamoDB: "UnrecognizedClientException"}
	mismatch   = map[relay.Service]string{relay.S3: "SignatureDoesNotMatch", relay.DynamoDB: "InvalidSignatureException"}
	noKey      = map[relay.Service]string{relay.S3: "AccessDenied", relay.DynamoDB: "MissingAuthenticationTokenException"}
	malformed  = map[relay.Service]string{relay.S3: "AuthorizationHeaderMalformed", relay.DynamoDB: "IncompleteSignatureException"}
	expired    = map[relay.Service]string{relay.S3: "RequestTimeTooSkewed", relay.DynamoDB: "InvalidSignatureException"}
)

// refusal puts a failed verification into the service's words.
func refusal(service relay.Service, err error) error {
	var e *sigv4.Error
	if !errors.As(err, &e) {
		return err
	}
	r := &relay.Error{Status: http.StatusForbidden, Message: e.Message}
	switch e.Reason {
	case sigv4.Missing:
		r.Code = noKey[service]
	case sigv4.Incomplete:
		r.Status, r.Code = http.StatusBadRequest, malformed[service]
	case sigv4.Expired:
		r.Code = expired[service]
	default:
		r.Code = mismatch[service]
	}
	return r
}
