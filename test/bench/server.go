package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/penstock-io/penstock/test/harness"
)

// statusKB reads a kB field of /proc/PID/status.
func statusKB(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("no %s for process %d", field, pid)
}

// startup measures from exec to the first answer of an API, and the memory of a server at rest.
func startup(ctx context.Context, e *env) ([]figure, error) {
	dir := filepath.Join(e.dir, "data")
	server, err := harness.Start(ctx, harness.Options{Dir: dir}) // makes the directory; later starts find it
	if err != nil {
		return nil, err
	}
	if err := server.Stop(); err != nil {
		return nil, err
	}
	var answers, baseline []time.Duration
	var resident, own int64
	for range 10 {
		began := time.Now()
		server, err := harness.Start(ctx, harness.Options{Dir: dir, Args: []string{"--log-level", "info"}})
		if err != nil {
			return nil, err
		}
		if _, err := server.Clients().STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
			return nil, err
		}
		answers = append(answers, time.Since(began))
		time.Sleep(500 * time.Millisecond) // at rest
		if resident, err = statusKB(server.PID(), "VmRSS"); err != nil {
			return nil, err
		}
		if own, err = statusKB(server.PID(), "RssAnon"); err != nil {
			return nil, err
		}
		if err := server.Stop(); err != nil {
			return nil, err
		}
		began = time.Now()
		binary, err := harness.Binary()
		if err != nil {
			return nil, err
		}
		if err := exec.CommandContext(ctx, binary, "version").Run(); err != nil {
			return nil, err
		}
		baseline = append(baseline, time.Since(began))
	}
	a, b := percentile(answers, 50), percentile(baseline, 50)
	return []figure{
		{"exec of serve to the first signed answer, median of 10", ms(a), "exec of penstock version to its end: " + ms(b), fmt.Sprintf("%.1f", float64(a)/float64(b))},
		{"resident memory at rest", fmt.Sprintf("%d MiB, of which %d MiB are not pages of the binary", resident>>10, own>>10), "-", "-"},
	}, nil
}

// describeIntegrations fires signed DescribeIntegrations over 64 connections.
func describeIntegrations(ctx context.Context, e *env) ([]figure, error) {
	server, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(e.dir, "data"), Args: []string{"--log-level", "info"}})
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	c := server.Clients()
	arn, err := hundredIntegrations(ctx, c)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, call := range []struct{ what, form string }{
		{"one of 100 by its ARN", "Action=DescribeIntegrations&Version=2012-12-01&IntegrationArn=" + arn},
		{"all 100 in one page", "Action=DescribeIntegrations&Version=2012-12-01"},
	} {
		request, err := signed(ctx, server.Addr, call.form)
		if err != nil {
			return nil, err
		}
		answer, err := once(server.Addr, request)
		if err != nil {
			return nil, err
		}
		rate, err := fire(ctx, server.Addr, request, 64, 5*time.Second)
		if err != nil {
			return nil, err
		}
		bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/xml")
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			_, _ = w.Write(answer)
		}))
		base, err := fire(ctx, bare.Listener.Addr().String(), request, 64, 5*time.Second)
		bare.Close()
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{fmt.Sprintf("%s, signature checked, 64 connections, answers of %d bytes", call.what, len(answer)), fmt.Sprintf("%.0f/s", rate),
			fmt.Sprintf("net/http answering the same bytes unchecked: %.0f/s", base), fmt.Sprintf("%.2f", rate/base)})
	}
	return figures, nil
}

// hundredIntegrations makes 100 integrations over two warehouses and returns the ARN of one.
func hundredIntegrations(ctx context.Context, c harness.Clients) (string, error) {
	made, err := c.Redshift.CreateCluster(ctx, &redshift.CreateClusterInput{ClusterIdentifier: aws.String("second"), NodeType: aws.String("ra3.large"),
		MasterUsername: aws.String("admin"), MasterUserPassword: aws.String("Secret-123"), NumberOfNodes: aws.Int32(1), ClusterType: aws.String("single-node")})
	if err != nil {
		return "", err
	}
	if err := redshift.NewClusterAvailableWaiter(c.Redshift, func(o *redshift.ClusterAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	}).Wait(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("second")}, 10*time.Second); err != nil {
		return "", err
	}
	first, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		return "", err
	}
	targets := []*string{first.Clusters[0].ClusterNamespaceArn, made.Cluster.ClusterNamespaceArn}
	var arn string
	for i := range 100 {
		bucket := fmt.Sprintf("bucket-%03d", i)
		if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			return "", err
		}
		out, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("integration-" + bucket),
			SourceArn: aws.String("arn:aws:s3:::" + bucket), TargetArn: targets[i%2], Description: aws.String("made for the benchmark")})
		if err != nil {
			return "", err
		}
		arn = *out.IntegrationArn
	}
	return arn, nil
}

// signed is a complete request as bytes, signed by the SDK. It is good for fifteen minutes.
func signed(ctx context.Context, addr, form string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sum := sha256.Sum256([]byte(form))
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, r, hex.EncodeToString(sum[:]), "redshift", "us-east-1", time.Now())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = r.Write(&b)
	return b.Bytes(), err
}

// once sends the request and returns the body of the answer, which must be a 200.
func once(addr string, request []byte) ([]byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return body, err
}

// fire sends the request over and over on every connection and returns answers per second. It reads answers
// with as little work as it can, because it shares the cores with the server.
func fire(ctx context.Context, addr string, request []byte, connections int, during time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	var answers atomic.Int64
	var failed atomic.Pointer[error]
	var clients sync.WaitGroup
	began := time.Now()
	for range connections {
		clients.Go(func() {
			if err := client(ctx, addr, request, &answers); err != nil && ctx.Err() == nil {
				failed.Store(&err)
				cancel()
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(answers.Load()) / time.Since(began).Seconds(), nil
}

func client(ctx context.Context, addr string, request []byte, answers *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		length := -1
		for first := true; ; first = false {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
				return fmt.Errorf("answer %q", line)
			}
			if len(line) <= 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return err
				}
			}
		}
		if length < 0 {
			return fmt.Errorf("the answer has no Content-Length")
		}
		if _, err := r.Discard(length); err != nil {
			return err
		}
		answers.Add(1)
	}
	return nil
}
