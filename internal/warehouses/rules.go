package warehouses

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

var (
	clusterForm     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	serverlessForm  = regexp.MustCompile(`^[a-z0-9-]{3,64}$`)
	databaseForm    = regexp.MustCompile(`^[a-z_][a-z0-9_$]{0,63}$`)
	userForm        = regexp.MustCompile(`^[a-z][a-z0-9_+.@-]{0,127}$`)
	nodeForm        = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z0-9]+$`)
	windowForm      = regexp.MustCompile(`^(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d-(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d$`)
	databasesOfOurs = []string{"template0", "template1", "padb_harvest", "awsdatacatalog", "penstock"}
)

func checkIdentifier(identifier string) error {
	if len(identifier) > 63 || !clusterForm.MatchString(identifier) {
		return fault.New(fault.Invalid, SubjectCluster,
			"the cluster identifier %.80q is not allowed; use 1 to 63 lower-case letters, digits and single hyphens, a letter first and no hyphen last", identifier)
	}
	return nil
}

func checkServerlessName(subject, name string) error {
	if !serverlessForm.MatchString(name) {
		return fault.New(fault.Invalid, subject, "the %s name %.80q is not allowed; use 3 to 64 lower-case letters, digits and hyphens", subject, name)
	}
	return nil
}

func checkDatabase(subject, name string) error {
	switch {
	case !databaseForm.MatchString(name):
		return fault.New(fault.Invalid, subject, "the database name %.80q is not allowed; use 1 to 64 lower-case letters, digits, _ and $, a letter or _ first", name)
	case reserved(name) || slices.Contains(databasesOfOurs, name):
		return fault.New(fault.Invalid, subject, "the database name %q is reserved; choose another", name)
	}
	return nil
}

func checkUser(subject, name string) error {
	switch {
	case !userForm.MatchString(name):
		return fault.New(fault.Invalid, subject, "the admin user name %.140q is not allowed; use 1 to 128 lower-case letters, digits and _ + . @ -, a letter first", name)
	case name == "public" || reserved(name):
		return fault.New(fault.Invalid, subject, "the admin user name %q is a reserved word; choose another", name)
	}
	return nil
}

// checkPassword never shows the password.
func checkPassword(subject string, password secret.Text) error {
	text := password.Reveal()
	var upper, lower, digit bool
	for _, r := range text {
		switch {
		case r < 33 || r > 126 || strings.ContainsRune(`'"\/@`, r):
			return fault.New(fault.Invalid, subject, `the admin password has a character that is not allowed; use printable ASCII without space, ', ", \, / and @`)
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		case unicode.IsDigit(r):
			digit = true
		}
	}
	if len(text) < 8 || len(text) > 64 || !upper || !lower || !digit {
		return fault.New(fault.Invalid, subject, "the admin password is not allowed; use 8 to 64 characters with an upper-case letter, a lower-case letter and a digit among them")
	}
	return nil
}

func checkNodeType(nodeType string) error {
	if !nodeForm.MatchString(nodeType) {
		return fault.New(fault.Invalid, SubjectCluster, "the node type %.40q is not one; ra3.large and dc2.large are", nodeType)
	}
	return nil
}

// MaxNodes is how many nodes a cluster may have.
const MaxNodes = 100

// countNodes works out a cluster's number of nodes from the cluster type and the number asked for.
func countNodes(clusterType string, wish *int) (int, error) {
	switch clusterType {
	case "single-node":
		if wish != nil && *wish != 1 {
			return 0, fault.New(fault.Invalid, SubjectNodes, "a single-node cluster has one node, not %d; leave the number out, or ask for a multi-node cluster", *wish)
		}
		return 1, nil
	case "multi-node":
		if wish == nil || *wish < 2 {
			return 0, fault.New(fault.Invalid, SubjectNodes, "a multi-node cluster has at least 2 nodes; give their number, or ask for a single-node cluster")
		}
	case "":
		if wish == nil {
			return 1, nil
		}
		if *wish < 1 {
			return 0, fault.New(fault.Invalid, SubjectNodes, "a cluster has at least one node, not %d", *wish)
		}
	default:
		return 0, fault.New(fault.Invalid, SubjectCluster, "the cluster type %q is neither single-node nor multi-node", clusterType)
	}
	if *wish > MaxNodes {
		return 0, fault.New(fault.Limit, SubjectNodes, "%d nodes are too many; a cluster has at most %d", *wish, MaxNodes)
	}
	return *wish, nil
}

func checkPort(subject string, port int) error {
	if port < 1150 || port > 65535 {
		return fault.New(fault.Invalid, subject, "the port %d is not within 1150 to 65535", port)
	}
	return nil
}

func checkRetention(automated, manual int) error {
	switch {
	case automated < 0 || automated > 35:
		return fault.New(fault.Invalid, SubjectRetention, "the retention period of automated snapshots is %d days; it must be 0 to 35", automated)
	case manual < -1 || manual == 0 || manual > 3653:
		return fault.New(fault.Invalid, SubjectRetention, "the retention period of manual snapshots is %d days; it must be -1, for ever, or 1 to 3653", manual)
	}
	return nil
}

func checkWindow(window string) error {
	if !windowForm.MatchString(strings.ToLower(window)) {
		return fault.New(fault.Invalid, SubjectCluster, "the maintenance window %.40q is not of the form ddd:hh:mm-ddd:hh:mm, as sun:03:00-sun:03:30 is", window)
	}
	return nil
}

func checkAddressType(subject, t string) error {
	if t != "ipv4" && t != "dualstack" {
		return fault.New(fault.Invalid, subject, "the IP address type %q is neither ipv4 nor dualstack", t)
	}
	return nil
}

// maxRoles is AWS's default quota of roles per cluster and namespace.
const maxRoles = 50

func checkRoles(subject string, roles []string, byDefault string) error {
	if len(roles) > maxRoles {
		return fault.New(fault.Limit, subject, "%d IAM roles were given; at most %d are allowed", len(roles), maxRoles)
	}
	for _, r := range roles {
		if err := checkRole(subject, r); err != nil {
			return err
		}
	}
	if byDefault == "" {
		return nil
	}
	return checkRole(subject, byDefault)
}

func checkRole(subject, role string) error {
	if a, err := arn.Parse(role); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return fault.New(fault.Invalid, subject, "%.200q is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/name", role)
	}
	return nil
}

// credentials is who administers a new or changed cluster or namespace: either a password of the caller's, or
// one that the server manages.
func checkCredentials(subject string, password secret.Text, managed bool) error {
	switch {
	case managed && !password.Empty():
		return fault.New(fault.Invalid, subject, "an admin password was given together with the wish to have it managed; give one of the two")
	case !password.Empty():
		return checkPassword(subject, password)
	}
	return nil
}

func reserved(word string) bool {
	_, found := slices.BinarySearch(strings.Fields(reservedWords), word)
	return found
}

// reservedWords are Redshift's, in order.
const reservedWords = `
aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between
binary blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross
current_date current_time current_timestamp current_user current_user_id default deferrable deflate defrag
delta delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end except explicit
false for foreign freeze from full globaldict256 globaldict64k grant group gzip having identity ignore ilike
in initially inner intersect interval into is isnull join language leading left like limit localtime
localtimestamp lun luns lzo lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off
offline offset oid old on only open or order outer overlaps parallel partition percent permissions pivot
placing primary raw readratio recover references reject rejectlog resort respect restore right select
session_user similar snapshot some sysdate system table tag tdes text255 text32k then timestamp to top
trailing true truncatecolumns union unique unnest unpivot user using verbose wallet when where with without`
