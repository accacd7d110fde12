package warehouses

import (
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		rule      string
		check     func(string) error
		good, bad []string
	}{
		{"cluster identifier", checkIdentifier,
			[]string{"a", "c1", "my-cluster-2", strings.Repeat("a", 63)},
			[]string{"", "1a", "-a", "a-", "a--b", "A", "a_b", "a.b", "ü", strings.Repeat("a", 64)}},
		{"serverless name", func(s string) error { return checkServerlessName(SubjectNamespace, s) },
			[]string{"abc", "1-2", "---", strings.Repeat("a", 64)},
			[]string{"ab", "ABC", "a_b", "a b", strings.Repeat("a", 65)}},
		{"database", func(s string) error { return checkDatabase(SubjectCluster, s) },
			[]string{"dev", "_x", "a1_$", strings.Repeat("a", 64)},
			[]string{"", "1a", "Dev", "a-b", "a b", "select", "template1", "penstock", strings.Repeat("a", 65)}},
		{"user", func(s string) error { return checkUser(SubjectCluster, s) },
			[]string{"admin", "a", "a.b+c@d_e-f1", strings.Repeat("a", 128)},
			[]string{"", "1a", "Admin", "a:b", "a/b", "public", "user", strings.Repeat("a", 129)}},
		{"node type", checkNodeType, []string{"ra3.large", "dc2.8xlarge", "rg.xlarge"}, []string{"", "ra3", "RA3.large", "ra3.large "}},
		{"maintenance window", checkWindow,
			[]string{"sun:03:00-sun:03:30", "Sat:23:30-sun:00:30"},
			[]string{"", "sun:24:00-sun:03:30", "day:03:00-sun:03:30", "03:00-03:30"}},
		{"role", func(s string) error { return checkRole(SubjectCluster, s) },
			[]string{"arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:role/path/r"},
			[]string{"", "r", "arn:aws:iam::123456789012:user/u", "arn:aws:s3:::b"}},
		{"address type", func(s string) error { return checkAddressType(SubjectCluster, s) }, []string{"ipv4", "dualstack"}, []string{"", "ipv6"}},
		{"password", func(s string) error { return checkPassword(SubjectCluster, secret.NewText(s)) },
			[]string{"Abcdefg1", "A1b!#$%^", strings.Repeat("aB1", 21) + "x"},
			[]string{"", "Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Abcdef 1", "Abcdefg1'", `Abcdefg1"`, `Abcdefg1\`, "Abcdefg1/", "Abcdefg1@", "Äbcdefg1", strings.Repeat("aB1", 21) + "xy"}},
	} {
		for _, s := range tc.good {
			if err := tc.check(s); err != nil {
				t.Errorf("%s %q: %v", tc.rule, s, err)
			}
		}
		for _, s := range tc.bad {
			err := tc.check(s)
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %q: err = %v, want Invalid", tc.rule, s, err)
			}
			if tc.rule == "password" && s != "" && err != nil && strings.Contains(err.Error(), s) {
				t.Errorf("the message %q shows the password", err)
			}
		}
	}
}

func TestCountNodes(t *testing.T) {
	for _, tc := range []struct {
		clusterType string
		wish        *int
		want        int
		kind        fault.Kind // where want is 0
	}{
		{"", nil, 1, 0},
		{"", new(1), 1, 0},
		{"", new(3), 3, 0},
		{"", new(0), 0, fault.Invalid},
		{"single-node", nil, 1, 0},
		{"single-node", new(1), 1, 0},
		{"single-node", new(2), 0, fault.Invalid},
		{"multi-node", new(2), 2, 0},
		{"multi-node", new(100), 100, 0},
		{"multi-node", new(101), 0, fault.Limit},
		{"multi-node", new(1), 0, fault.Invalid},
		{"multi-node", nil, 0, fault.Invalid},
		{"many-node", nil, 0, fault.Invalid},
	} {
		got, err := countNodes(tc.clusterType, tc.wish)
		if got != tc.want || (tc.want == 0) != (err != nil) || err != nil && fault.KindOf(err) != tc.kind {
			t.Errorf("%q, %v: %d, %v", tc.clusterType, tc.wish, got, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for port, good := range map[int]bool{1149: false, 1150: true, 5439: true, 65535: true, 65536: false, 0: false, -1: false} {
		if err := checkPort(SubjectCluster, port); (err == nil) != good {
			t.Errorf("port %d: %v", port, err)
		}
	}
	for _, tc := range []struct {
		automated, manual int
		good              bool
	}{{0, -1, true}, {35, 1, true}, {1, 3653, true}, {-1, 1, false}, {36, 1, false}, {1, 0, false}, {1, -2, false}, {1, 3654, false}} {
		err := checkRetention(tc.automated, tc.manual)
		if (err == nil) != tc.good || err != nil && !fault.Is(err, fault.Invalid, SubjectRetention) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	roles := slices.Repeat([]string{"arn:aws:iam::123456789012:role/r"}, 51)
	if err := checkRoles(SubjectCluster, roles, ""); !fault.Is(err, fault.Limit, SubjectCluster) {
		t.Errorf("51 roles: %v", err)
	}
	if err := checkRoles(SubjectCluster, roles[:50], roles[0]); err != nil {
		t.Errorf("50 roles: %v", err)
	}
	if err := checkRoles(SubjectCluster, nil, "default"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a default role that is none: %v", err)
	}
}
