// Package arn parses and formats Amazon Resource Names.
//
// It knows the general form only; what a resource part means is the business of the package that owns
// the resource.
package arn

import (
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// ARN is arn:Partition:Service:Region:Account:Resource. Region and Account may be empty, as for buckets.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse splits s. It returns a fault of kind Invalid when s is not an ARN.
func Parse(s string) (ARN, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return ARN{}, fault.New(fault.Invalid, "arn", "%q is not an ARN; expected arn:partition:service:region:account:resource", s)
	}
	return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, nil
}

func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// Split cuts the resource into its type and its id at the first ':' or '/', whichever comes first:
// "namespace:X" and "namespace/X" both give ("namespace", "X"). Without either the type is empty.
func (a ARN) Split() (kind, id string) {
	if i := strings.IndexAny(a.Resource, ":/"); i >= 0 {
		return a.Resource[:i], a.Resource[i+1:]
	}
	return "", a.Resource
}
