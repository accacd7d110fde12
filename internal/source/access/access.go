// Package access is how sources get into stores elsewhere: PENSTOCK_SOURCE_AWS_* in the environment, and for
// what is not there the chain every AWS program uses. The credentials of an embedded store are Fixed ones.
package access

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/penstock-io/penstock/internal/secret"
)

// Access is a region and the credentials for it. Use Load or Fixed to make one.
type Access struct {
	Region string
	config aws.Config
}

// Credentials are what requests are signed with. SessionToken is empty for long-lived keys.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
}

// Load reads the environment and the configuration files of AWS. PENSTOCK_SOURCE_AWS_REGION overrides
// region. getenv looks up the former; nil means os.Getenv. Whether there are credentials shows later.
func Load(ctx context.Context, region string, getenv func(string) string) (*Access, error) {
	if getenv == nil {
		getenv = os.Getenv
	}
	a := &Access{Region: cmp.Or(getenv("PENSTOCK_SOURCE_AWS_REGION"), region)}
	opts := []func(*config.LoadOptions) error{config.WithRegion(a.Region)}
	if id := getenv("PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID"); id != "" {
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			id, getenv("PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY"), getenv("PENSTOCK_SOURCE_AWS_SESSION_TOKEN"))))
	}
	var err error
	if a.config, err = config.LoadDefaultConfig(ctx, opts...); err != nil {
		return nil, fmt.Errorf("credentials of AWS: %w", err)
	}
	return a, nil
}

// Fixed is access with a pair of long-lived keys.
func Fixed(region, accessKeyID string, key secret.Text) *Access {
	return &Access{Region: region, config: aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(accessKeyID, key.Reveal(), ""),
	}}
}

// Credentials returns the credentials of the moment; those that expire are renewed.
func (a *Access) Credentials(ctx context.Context) (Credentials, error) {
	c, err := a.config.Credentials.Retrieve(ctx)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: secret.NewText(c.SecretAccessKey), SessionToken: secret.NewText(c.SessionToken)}, nil
}

// SDK is the configuration for a client of the AWS SDK.
func (a *Access) SDK() aws.Config { return a.config }
