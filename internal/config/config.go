// Package config is everything a user can set, where the values come from, and whether they make sense.
//
// Each setting has one name: the flag --data-dir is the environment variable PENSTOCK_DATA_DIR and the key
// data-dir of the YAML file named by --config. A flag wins over the environment, that over the file, that
// over the default. An unknown key, an unknown flag or a bad value is refused at start with the place it
// stands in; nothing is ignored.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/transfer"
)

// Endpoint values that are not URLs.
const (
	Embedded = "embedded" // our own store in this process
	AWS      = "aws"      // AWS's own endpoint resolution
)

// DefaultKey is the access key id and the secret of a server nobody configured. It is good for loopback only.
const DefaultKey = "penstock"

// Config is a complete, valid configuration.
type Config struct {
	Listen            string // host:port; port 0 picks one
	DataDir           string
	Region            string
	AccountID         string
	AccessKeyID       string
	SecretAccessKey   secret.Text
	DynamoDBEndpoint  string // Embedded, AWS or a URL
	S3Endpoint        string // Embedded, AWS or a URL
	ManageStreams     bool   // may a missing stream be enabled on a source table
	SnapshotReadUnits int    // read capacity units a table's snapshot may consume per second; 0 is no bound
	LogFormat         string // text or json
	LogLevel          string // debug, info, warn, error
	StrictPolicies    bool   // require the resource policies AWS requires
	ListInterval      time.Duration
	MemoryLimit       int64 // bytes each embedded warehouse may use for its buffers
	Threads           int   // threads of each embedded warehouse
	DrainTimeout      time.Duration
	PartnerNames      []string        // partners AddPartner accepts
	PartnersAny       bool            // accept any other partner name too
	TransferFormat    transfer.Format // of records that data integrations write into buckets
	AssociateOnce     bool            // a data integration may be associated once, as on AWS
	Actions           Actions
	Sections
}

// KnownPartners are the partner names AWS's console has listed, in their wire form.
func KnownPartners() []string {
	return []string{"Datacoral", "Etleap", "Fivetran", "Informatica", "Matillion", "Sisense", "SnapLogic", "Stitch", "Upsolver"}
}

// Setting is one thing a user can set.
type Setting struct {
	Name string // flag and file key
	Help string
	text *string // what was set, before parsing
}

// Env is the setting's environment variable.
func (s Setting) Env() string { return EnvName(s.Name) }

// EnvName is the environment variable of the setting called name.
func EnvName(name string) string {
	return "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// draft holds every setting as text until all sources have been read.
type draft struct {
	listen, dataDir, region, account, key, secret, dynamodb, s3, streams string
	logFormat, logLevel, strict, list, memory, threads, drain            string
	partners, partnersAny, readUnits, format, once                       string
	actions                                                              actionsDraft
}

func (d *draft) settings() []Setting {
	return append([]Setting{
		{"listen", "address of all APIs, host:port; port 0 picks a free one", &d.listen},
		{"data-dir", "directory of everything the server keeps", &d.dataDir},
		{"region", "AWS region the server is", &d.region},
		{"account-id", "AWS account the server is, 12 digits", &d.account},
		{"access-key-id", "access key id of the root credential", &d.key},
		{"secret-access-key", "secret of the root credential", &d.secret},
		{"dynamodb-endpoint", `where source tables live: "embedded", "aws" or a URL`, &d.dynamodb},
		{"s3-endpoint", `where source buckets live: "embedded", "aws" or a URL`, &d.s3},
		{"manage-streams", `may a missing stream be enabled on a source table (default true unless dynamodb-endpoint is "aws")`, &d.streams},
		{"snapshot-read-units", "read capacity units the snapshot of a table may consume per second; 0 is no bound", &d.readUnits},
		{"log-format", `"text" or "json" (default text on a terminal, else json)`, &d.logFormat},
		{"log-level", `"debug", "info", "warn" or "error"`, &d.logLevel},
		{"strict-policies", "require the namespace and bucket policies AWS requires before an integration is made", &d.strict},
		{"list-interval", "how often a COPY job lists its prefix in case an event was missed", &d.list},
		{"memory-limit", "memory each embedded warehouse may use for its buffers, such as 256MiB", &d.memory},
		{"threads", "threads of each embedded warehouse; 0 is one per CPU", &d.threads},
		{"drain-timeout", "how long a stopping server waits for requests and statements in flight", &d.drain},
		{"partner-names", "comma-separated partner names AddPartner accepts", &d.partners},
		{"partners-any", "accept partner names that are not in partner-names too", &d.partnersAny},
		{"associate-once", "let a data integration be associated once in its life, as AWS does; otherwise up to 10 times at once", &d.once},
		{"transfer-format", `how data integrations write records into buckets: "jsonl", "csv" or "parquet"`, &d.format},
	}, d.actions.settings()...)
}

func defaults() draft {
	return draft{
		listen: "127.0.0.1:4566", dataDir: "./penstock-data", region: "us-east-1", account: "123456789012",
		key: DefaultKey, secret: DefaultKey, dynamodb: Embedded, s3: Embedded,
		logLevel: "info", strict: "false", list: "30s", memory: "128MiB", threads: "0", drain: "10s",
		partners: strings.Join(KnownPartners(), ","), partnersAny: "true", readUnits: "0", format: string(transfer.JSONLines), once: "true",
		actions: actionsDraft{checks: "lenient", approve: "none"},
	}
}

// Error is a configuration that cannot be used. Where names the flag, variable or file key at fault.
type Error struct {
	Where string
	Err   error
}

func (e *Error) Error() string { return e.Where + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Load reads the configuration of a command from its arguments, the environment and the file that
// --config or PENSTOCK_CONFIG names. Usage text goes to usage. It returns flag.ErrHelp when help was asked
// for, and otherwise an *Error for anything that cannot be used.
func Load(command string, args []string, getenv func(string) (string, bool), usage io.Writer) (Config, error) {
	d := defaults()
	settings := d.settings()
	set := map[string]string{} // setting -> where its value came from

	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	file := fs.String("config", "", "")
	flags := map[string]string{}
	for _, s := range settings {
		fs.Var(textFlag{flags, s.Name, isBool(s.Name)}, s.Name, s.Help)
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		Usage(usage, command)
		return Config{}, err
	} else if err != nil {
		return Config{}, &Error{"flags", fmt.Errorf("%w; penstock %s --help lists the settings", err, command)}
	}
	if fs.NArg() > 0 {
		return Config{}, &Error{"arguments", fmt.Errorf("unexpected %q; %q takes flags only", fs.Arg(0), command)}
	}

	if *file == "" {
		if v, ok := getenv("PENSTOCK_CONFIG"); ok {
			*file = v
		}
	}
	var sections Sections
	if *file != "" {
		var err error
		if sections, err = readFile(*file, settings, set); err != nil {
			return Config{}, err
		}
	}
	for _, s := range settings {
		if v, ok := getenv(s.Env()); ok {
			*s.text, set[s.Name] = v, s.Env()
		}
		if v, ok := flags[s.Name]; ok {
			*s.text, set[s.Name] = v, "--"+s.Name
		}
	}
	c, err := d.parse(set)
	c.Sections = sections
	return c, err
}

// textFlag collects a flag as text, so that all sources are parsed by the same code.
type textFlag struct {
	into map[string]string
	name string
	bool bool
}

func (f textFlag) String() string     { return "" }
func (f textFlag) Set(v string) error { f.into[f.name] = v; return nil }
func (f textFlag) IsBoolFlag() bool   { return f.bool }

func isBool(name string) bool {
	switch name {
	case "manage-streams", "strict-policies", "partners-any", "associate-once", "action-allow-http":
		return true
	}
	return false
}

// Usage prints every setting with its variable and default.
func Usage(w io.Writer, command string) {
	fmt.Fprintf(w, "Usage: penstock %s [flags]\n\nEvery flag --some-name is also the variable PENSTOCK_SOME_NAME and the key some-name of the YAML file given\nby --config (or PENSTOCK_CONFIG). A flag wins over the variable, the variable over the file.\n\n", command)
	d := defaults()
	for _, s := range d.settings() {
		fmt.Fprintf(w, "  --%-20s %s", s.Name, s.Help)
		if *s.text != "" && s.Name != "secret-access-key" {
			fmt.Fprintf(w, " (default %s)", *s.text)
		}
		fmt.Fprintln(w)
	}
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
)

// parse turns text into values and checks them, alone and together.
func (d draft) parse(from map[string]string) (Config, error) {
	where := func(name string) string {
		if w, ok := from[name]; ok {
			return w
		}
		return "--" + name
	}
	var errs []error
	bad := func(name, format string, args ...any) {
		errs = append(errs, &Error{where(name), fmt.Errorf(format, args...)})
	}
	boolean := func(name, v string) bool {
		b, err := strconv.ParseBool(v)
		if err != nil {
			bad(name, "%q is neither true nor false", v)
		}
		return b
	}
	duration := func(name, v string, least time.Duration) time.Duration {
		t, err := time.ParseDuration(v)
		if err != nil || t < least {
			bad(name, "%q is not a duration of at least %s, such as 30s or 2m", v, least)
		}
		return t
	}

	c := Config{
		Listen: d.listen, DataDir: d.dataDir, Region: d.region, AccountID: d.account, AccessKeyID: d.key,
		SecretAccessKey: secret.NewText(d.secret), LogFormat: d.logFormat, LogLevel: d.logLevel,
		DynamoDBEndpoint: d.dynamodb, S3Endpoint: d.s3,
		StrictPolicies: boolean("strict-policies", d.strict), PartnersAny: boolean("partners-any", d.partnersAny),
		AssociateOnce: boolean("associate-once", d.once),
		ListInterval:  duration("list-interval", d.list, 100*time.Millisecond),
		DrainTimeout:  duration("drain-timeout", d.drain, 0),
	}
	host, port, err := net.SplitHostPort(d.listen)
	if err != nil {
		bad("listen", "%q is not host:port, such as 127.0.0.1:4566", d.listen)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		bad("listen", "port %q is not a number from 0 to 65535", port)
	}
	if d.dataDir == "" {
		bad("data-dir", "must not be empty")
	}
	if !accountForm.MatchString(d.account) {
		bad("account-id", "%q is not an account id of 12 digits", d.account)
	}
	if !regionForm.MatchString(d.region) {
		bad("region", "%q does not look like a region, such as us-east-1", d.region)
	}
	if d.key == "" || strings.ContainsAny(d.key, "/, \t\r\n") {
		bad("access-key-id", "must not be empty or hold '/', ',' or white space")
	}
	if d.secret == "" {
		bad("secret-access-key", "must not be empty")
	}
	if d.key == DefaultKey && d.secret == DefaultKey && err == nil && !loopback(host) {
		bad("listen", "%s is reachable from other machines, and the default credential is known to everybody; set --access-key-id and --secret-access-key, or listen on 127.0.0.1", d.listen)
	}
	for name, v := range map[string]string{"dynamodb-endpoint": d.dynamodb, "s3-endpoint": d.s3} {
		if v == Embedded || v == AWS {
			continue
		}
		if u, err := url.Parse(v); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
			bad(name, `%q is not "embedded", "aws" or a URL such as http://127.0.0.1:9000`, v)
		}
	}
	c.ManageStreams = d.dynamodb != AWS
	if d.streams != "" {
		c.ManageStreams = boolean("manage-streams", d.streams)
	}
	if c.SnapshotReadUnits, err = strconv.Atoi(d.readUnits); err != nil || c.SnapshotReadUnits < 0 {
		bad("snapshot-read-units", "%q is not a whole number from 0", d.readUnits)
	}
	switch d.logFormat {
	case "", "text", "json":
	default:
		bad("log-format", `%q is neither "text" nor "json"`, d.logFormat)
	}
	switch d.logLevel {
	case "debug", "info", "warn", "error":
	default:
		bad("log-level", `%q is none of "debug", "info", "warn", "error"`, d.logLevel)
	}
	if c.MemoryLimit, err = ParseBytes(d.memory); err != nil || c.MemoryLimit < 64<<20 {
		bad("memory-limit", "%q is not a size of at least 64MiB, such as 256MiB or 1GiB", d.memory)
	}
	if c.Threads, err = strconv.Atoi(d.threads); err != nil || c.Threads < 0 || c.Threads > 1024 {
		bad("threads", "%q is not a number from 0 to 1024", d.threads)
	} else if c.Threads == 0 {
		c.Threads = runtime.NumCPU()
	}
	c.Actions = d.actions.parse(bad, boolean)
	for name := range strings.SplitSeq(d.partners, ",") {
		if name = strings.TrimSpace(name); name != "" {
			c.PartnerNames = append(c.PartnerNames, name)
		}
	}
	if c.TransferFormat, err = transfer.ParseFormat(d.format); err != nil {
		bad("transfer-format", "%v", err)
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ParseBytes reads a size such as "512", "64KiB", "256MiB", "1GiB" or "1GB".
func ParseBytes(s string) (int64, error) {
	units := []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			return 0, fmt.Errorf("%q is not a size", s)
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size", s)
}

// readFile sets what the YAML file at path sets.
func readFile(path string, settings []Setting, set map[string]string) (Sections, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Sections{}, &Error{"--config", err}
	}
	return parseFile(path, text, settings, set)
}
