// Package identity holds who is calling. It is a value: passed as an argument, never looked up, and
// without rules of its own.
package identity

// Caller is the authenticated maker of a request, and the account and region the request is for.
type Caller struct {
	Partition   string // "aws"
	Account     string // twelve digits
	Region      string
	AccessKeyID string
	ARN         string // arn:aws:iam::123456789012:root
	UserID      string // what sts GetCallerIdentity calls UserId
}

// Owner names the caller in records that outlive the request: the ARN.
func (c Caller) Owner() string { return c.ARN }
