package appint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// Vendors are the sources of records, as Source.Vendor has them.
const (
	Salesforce = "salesforce"
	ServiceNow = "servicenow"
	Zendesk    = "zendesk"
)

// Vendors lists them.
func Vendors() []string { return []string{Salesforce, ServiceNow, Zendesk} }

// Source is a parsed SourceURI: either files in a bucket or records of a vendor.
type Source struct {
	Bucket, Prefix  string // s3://bucket/prefix
	Vendor, Profile string // Salesforce://AppFlow/profile
}

const sourceForms = "a source is s3://bucket/prefix, or Salesforce://AppFlow/profile, ServiceNow://AppFlow/profile or Zendesk://AppFlow/profile"

const destinationForms = "a destination is s3://bucket/prefix or redshift://cluster-or-workgroup/database/schema/table"

// ParseSource reads a SourceURI. Schemes are read without regard to case.
func ParseSource(uri string) (Source, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return Source{}, fault.New(fault.Invalid, SubjectSource, "the source %q has no scheme; %s", uri, sourceForms)
	}
	scheme = strings.ToLower(scheme)
	switch {
	case scheme == "s3":
		bucket, prefix, err := bucketOf(SubjectSource, "source", uri, rest)
		return Source{Bucket: bucket, Prefix: prefix}, err
	case scheme == "amazonconnect":
		return Source{}, fault.New(fault.Invalid, SubjectSource,
			"the source %q is the Customer Profiles of Amazon Connect, which exist in AWS only and cannot be read from here; export them there and use s3://bucket/prefix", uri)
	case scheme == "sharepoint":
		return Source{}, fault.New(fault.Invalid, SubjectSource, "the source %q is not offered: SharePoint has no reader here; %s", uri, sourceForms)
	case !slices.Contains(Vendors(), scheme):
		return Source{}, fault.New(fault.Invalid, SubjectSource, "the source %q has the scheme %q, which is unknown; %s", uri, scheme, sourceForms)
	}
	host, profile, _ := strings.Cut(rest, "/")
	if !strings.EqualFold(host, "AppFlow") || profile == "" || strings.Contains(profile, "/") {
		return Source{}, fault.New(fault.Invalid, SubjectSource, "the source %q does not name a connector profile; write %s://AppFlow/profile", uri, uri[:len(scheme)])
	}
	return Source{Vendor: scheme, Profile: profile}, nil
}

// checkDestination checks the form of a DestinationURI. Whether what it names is there shows when something is written.
func checkDestination(uri string) error {
	scheme, rest, ok := strings.Cut(uri, "://")
	switch {
	case !ok:
		return fault.New(fault.Invalid, SubjectDestination, "the destination %q has no scheme; %s", uri, destinationForms)
	case strings.EqualFold(scheme, "s3"):
		_, _, err := bucketOf(SubjectDestination, "destination", uri, rest)
		return err
	case !strings.EqualFold(scheme, "redshift"):
		return fault.New(fault.Invalid, SubjectDestination, "the destination %q has the scheme %q, which is unknown; %s", uri, scheme, destinationForms)
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 4 || slices.Contains(parts, "") {
		return fault.New(fault.Invalid, SubjectDestination, "the destination %q does not name a table; write redshift://cluster-or-workgroup/database/schema/table", uri)
	}
	return nil
}

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func bucketOf(subject, what, uri, rest string) (bucket, prefix string, err error) {
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !bucketForm.MatchString(bucket) || strings.Contains(bucket, "..") {
		return "", "", fault.New(fault.Invalid, subject, "the %s %q has %q where a bucket is expected; a bucket's name has 3 to 63 lower-case letters, digits, periods and hyphens", what, uri, bucket)
	}
	return bucket, prefix, nil
}

// keyForm has a key's ID, or the name of an alias, each alone or in an ARN.
var keyForm = regexp.MustCompile(`^(arn:aws[a-zA-Z-]*:kms:[a-z0-9-]+:\d{12}:(key/[a-zA-Z0-9_-]+|alias/[a-zA-Z0-9/_-]+)|alias/[a-zA-Z0-9/_-]+|(mrk-)?[0-9a-fA-F-]{32,36})$`)

// checkKey checks the form of a KmsKey. Whether there is such a key does not matter here: nothing is encrypted
// with it.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return fault.New(fault.Invalid, SubjectKey, "the KMS key %q is none by its form; give a key's ARN, as in arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", key)
	}
	return nil
}

// checkSource checks a SourceURI, and that its profile is configured.
func (s *Service) checkSource(uri string) error {
	src, err := ParseSource(uri)
	if err != nil || src.Vendor == "" {
		return err
	}
	known := s.c.Profiles.Profiles(src.Vendor)
	if slices.Contains(known, src.Profile) {
		return nil
	}
	if len(known) == 0 {
		return fault.New(fault.Invalid, SubjectProfile, "the source %q needs a connector profile %q, and none is configured for %s; add it to the configuration file and start the server again", uri, src.Profile, src.Vendor)
	}
	return fault.New(fault.Invalid, SubjectProfile, "the source %q needs a connector profile %q; those configured for %s are %q", uri, src.Profile, src.Vendor, known)
}
