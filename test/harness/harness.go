// Package harness runs the penstock binary as a child process for tests and benchmarks, watches its log, and
// speaks to it through the AWS SDK like any other client.
package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Binary returns the path of the penstock binary: $PENSTOCK_BINARY, or one built on the spot.
var Binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("PENSTOCK_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "penstock-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "penstock")
	out, err := exec.Command("go", "build", "-o", path, "github.com/penstock-io/penstock/cmd/penstock").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build penstock: %w\n%s", err, out)
	}
	return path, nil
})

// Line is one record of the server's log.
type Line struct {
	Msg    string
	Fields map[string]any
}

// Server is a child process.
type Server struct {
	Addr    string // host:port
	Dir     string // data directory
	Started time.Duration

	cmd   *exec.Cmd
	done  chan struct{}
	err   error // of the exit; read after done
	mu    sync.Mutex
	log   []Line
	raw   []string
	watch []chan Line
}

// Options of a child. Args are further flags of serve, Env further variables.
type Options struct {
	Dir  string
	Args []string
	Env  []string
}

// Start runs "penstock serve" on a free port over dir and waits until it is ready.
func Start(ctx context.Context, o Options) (*Server, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", o.Dir, "--log-format", "json", "--log-level", "debug"}, o.Args...)
	s := &Server{Dir: o.Dir, cmd: exec.Command(binary, args...), done: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), o.Env...)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	ready := s.Watch("penstock is ready")
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go s.read(stderr)
	select {
	case line := <-ready:
		s.Started = time.Since(began)
		s.Addr, _ = line.Fields["addr"].(string)
		if s.Addr == "" {
			return nil, errors.Join(fmt.Errorf("the ready line names no addr: %v", line), s.Kill())
		}
		return s, nil
	case <-s.done:
		return nil, fmt.Errorf("penstock ended before it was ready: %w\n%s", s.err, s.Tail(20))
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.Kill())
	}
}

// read takes in the log and, at its end, the exit.
func (s *Server) read(stderr io.Reader) {
	scanner := bufio.NewScanner(stderr)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		text := scanner.Text()
		var fields map[string]any
		_ = json.Unmarshal([]byte(text), &fields) // a panic's trace is no JSON and kept as text only
		msg, _ := fields["msg"].(string)
		line := Line{msg, fields}
		s.mu.Lock()
		s.log = append(s.log, line)
		s.raw = append(s.raw, text)
		for _, ch := range s.watch {
			select {
			case ch <- line:
			default:
			}
		}
		s.mu.Unlock()
	}
	s.err = s.cmd.Wait()
	close(s.done)
}

// Watch returns a channel that receives the log records with this message, from now on.
func (s *Server) Watch(msg string) <-chan Line {
	all := make(chan Line, 4096)
	s.mu.Lock()
	s.watch = append(s.watch, all)
	s.mu.Unlock()
	out := make(chan Line, 4096)
	go func() {
		for {
			select {
			case line := <-all:
				if line.Msg == msg {
					out <- line
				}
			case <-s.done:
				close(out)
				return
			}
		}
	}()
	return out
}

// Tail returns the last lines of the log as text.
func (s *Server) Tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.raw[max(0, len(s.raw)-n):], "\n")
}

// Log returns the log so far as text, a line each.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.raw)
}

// Messages returns how often each message was logged.
func (s *Server) Messages() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, l := range s.log {
		n[l.Msg]++
	}
	return n
}

// Kill sends SIGKILL and waits for the end.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop sends SIGTERM and waits. A clean stop returns nil.
func (s *Server) Stop() error {
	if err := s.end(syscall.SIGTERM); err != nil {
		return err
	}
	return s.err
}

func (s *Server) end(sig os.Signal) error {
	err := s.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-s.done
	return err
}

// PID is the child's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Done is closed when the child has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Endpoint is the child's URL.
func (s *Server) Endpoint() string { return "http://" + s.Addr }

// Env is what points the AWS CLI and boto3 at the child.
func (s *Server) Env() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.Endpoint(), "AWS_ACCESS_KEY_ID=penstock", "AWS_SECRET_ACCESS_KEY=penstock",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}
}

// Clients are SDK clients of one server.
type Clients struct {
	S3         *s3.Client
	Redshift   *redshift.Client
	Data       *redshiftdata.Client
	Serverless *redshiftserverless.Client
	STS        *sts.Client
	DynamoDB   *dynamodb.Client

	at At
}

// At is where statements run. The zero value is the database dev of the cluster default.
type At struct{ Cluster, Workgroup, Database string }

// On returns clients whose statements run elsewhere.
func (c Clients) On(at At) Clients {
	c.at = at
	return c
}

// Config is an SDK configuration for the endpoint. It tries again at once rather than after seconds, and it does
// try again, because this SDK now and then closes a connection under a large answer it is still reading.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("penstock", "penstock", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 4, 5*time.Millisecond, ratelimit.None
			})
		},
	}
}

// NewClients returns clients for the endpoint.
func NewClients(endpoint string) Clients { return ClientsOf(Config(endpoint)) }

// ClientsOf returns clients with a configuration of one's own.
func ClientsOf(cfg aws.Config) Clients {
	return Clients{
		S3:       s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		Redshift: redshift.NewFromConfig(cfg), Data: redshiftdata.NewFromConfig(cfg),
		Serverless: redshiftserverless.NewFromConfig(cfg), STS: sts.NewFromConfig(cfg), DynamoDB: dynamodb.NewFromConfig(cfg),
	}
}

// Clients returns clients for the server.
func (s *Server) Clients() Clients { return NewClients(s.Endpoint()) }
