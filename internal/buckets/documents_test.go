package buckets

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/penstock-io/penstock/internal/fault"
)

const queueARN = "arn:aws:sqs:us-east-1:123456789012:queue"

func filter(rules ...string) *types.NotificationConfigurationFilter {
	f := &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{}}
	for i := 0; i < len(rules); i += 2 {
		f.Key.FilterRules = append(f.Key.FilterRules, types.FilterRule{Name: types.FilterRuleName(rules[i]), Value: &rules[i+1]})
	}
	return f
}

func TestNotificationRoundTrip(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "notified")
	get := func() *s3.GetBucketNotificationConfigurationOutput {
		t.Helper()
		out, err := f.s3.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := get(); out.EventBridgeConfiguration != nil || len(out.QueueConfigurations)+len(out.TopicConfigurations)+len(out.LambdaFunctionConfigurations) != 0 {
		t.Errorf("a new bucket has %+v", out)
	}
	put := func(n *types.NotificationConfiguration) error {
		_, err := f.s3.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: n})
		return err
	}
	if err := put(&types.NotificationConfiguration{
		EventBridgeConfiguration: &types.EventBridgeConfiguration{},
		QueueConfigurations: []types.QueueConfiguration{{Id: aws.String("mine"), QueueArn: aws.String(queueARN),
			Events: []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"}, Filter: filter("prefix", "in/größe &<>\"", "suffix", ".csv")}},
		TopicConfigurations: []types.TopicConfiguration{{TopicArn: aws.String("arn:aws:sns:us-east-1:123456789012:topic"),
			Events: []types.Event{"s3:ObjectCreated:Put"}, Filter: filter("Prefix", "other/")}},
		LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{Id: aws.String("fn"), LambdaFunctionArn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:f"),
			Events: []types.Event{"s3:ObjectTagging:*"}}},
	}); err != nil {
		t.Fatal(err)
	}
	check := func(out *s3.GetBucketNotificationConfigurationOutput) {
		t.Helper()
		if out.EventBridgeConfiguration == nil || len(out.QueueConfigurations) != 1 || len(out.TopicConfigurations) != 1 || len(out.LambdaFunctionConfigurations) != 1 {
			t.Fatalf("%+v", out)
		}
		q, top, fn := out.QueueConfigurations[0], out.TopicConfigurations[0], out.LambdaFunctionConfigurations[0]
		if *q.Id != "mine" || *q.QueueArn != queueARN || !slices.Equal(q.Events, []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"}) ||
			len(q.Filter.Key.FilterRules) != 2 || *q.Filter.Key.FilterRules[0].Value != "in/größe &<>\"" || q.Filter.Key.FilterRules[1].Name != "suffix" {
			t.Errorf("queue %+v", q)
		}
		if *top.Id == "" || top.Filter.Key.FilterRules[0].Name != "Prefix" || *fn.Id != "fn" || fn.Filter != nil {
			t.Errorf("topic %+v, function %+v", top, fn)
		}
	}
	first := get()
	check(first)
	if *get().TopicConfigurations[0].Id != *first.TopicConfigurations[0].Id {
		t.Error("a generated id changes")
	}
	// What the store has is all there is.
	again := newFixture(t, func(c *Config) { c.Dir, c.Store = f.cfg.Dir, f.store })
	out, err := again.s3.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	check(out)
	if err := put(&types.NotificationConfiguration{}); err != nil {
		t.Fatal(err)
	}
	if out := get(); len(out.QueueConfigurations) != 0 || len(f.store.docs) != 0 {
		t.Errorf("after an empty configuration: %+v, %d documents", out, len(f.store.docs))
	}
	_, err = f.s3.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("missing")})
	wantCode(t, err, "NoSuchBucket")
	_, err = f.s3.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket,
		ExpectedBucketOwner: aws.String("999999999999"), NotificationConfiguration: &types.NotificationConfiguration{}})
	wantCode(t, err, "AccessDenied")
}

func TestNotificationValidation(t *testing.T) {
	t.Parallel()
	const created, removed = "s3:ObjectCreated:*", "s3:ObjectRemoved:*"
	queue := func(events []string, rules ...Rule) Target {
		return Target{Destination: Queue, ARN: queueARN, Events: events, Rules: rules}
	}
	prefix := func(v string) Rule { return Rule{"prefix", v} }
	suffix := func(v string) Rule { return Rule{"suffix", v} }
	same := queue([]string{removed})
	same.ID = "same"
	other := queue([]string{created})
	other.ID = "same"
	tests := map[string]struct {
		targets []Target
		ok      bool
	}{
		"none":                           {nil, true},
		"one":                            {[]Target{queue([]string{created})}, true},
		"different events":               {[]Target{queue([]string{created}), queue([]string{removed})}, true},
		"same events":                    {[]Target{queue([]string{created}), queue([]string{created})}, false},
		"wildcard covers":                {[]Target{queue([]string{created}), queue([]string{"s3:ObjectCreated:Put"})}, false},
		"covered by wildcard":            {[]Target{queue([]string{"s3:ObjectCreated:Put"}), queue([]string{created})}, false},
		"siblings":                       {[]Target{queue([]string{"s3:ObjectCreated:Put"}), queue([]string{"s3:ObjectCreated:Post"})}, true},
		"distinct prefixes":              {[]Target{queue([]string{created}, prefix("a/")), queue([]string{created}, prefix("b/"))}, true},
		"nested prefixes":                {[]Target{queue([]string{created}, prefix("a/")), queue([]string{created}, prefix("a/b/"))}, false},
		"nested, distinct suffixes":      {[]Target{queue([]string{created}, prefix("a/"), suffix(".csv")), queue([]string{created}, prefix("a/b/"), suffix(".json"))}, true},
		"nested, nested suffixes":        {[]Target{queue([]string{created}, prefix("a/"), suffix("v")), queue([]string{created}, prefix("a/b/"), suffix(".csv"))}, false},
		"filter against none":            {[]Target{queue([]string{created}), queue([]string{created}, prefix("a/"))}, false},
		"unknown event":                  {[]Target{queue([]string{"s3:ObjectStolen"})}, false},
		"no event":                       {[]Target{queue(nil)}, false},
		"same id":                        {[]Target{same, other}, false},
		"long id":                        {[]Target{{Destination: Queue, ID: strings.Repeat("x", 256), ARN: queueARN, Events: []string{created}}}, false},
		"no arn":                         {[]Target{{Destination: Queue, ARN: "queue", Events: []string{created}}}, false},
		"arn of another service":         {[]Target{{Destination: Topic, ARN: queueARN, Events: []string{created}}}, false},
		"two prefixes":                   {[]Target{queue([]string{created}, prefix("a"), prefix("b"))}, false},
		"unknown rule":                   {[]Target{queue([]string{created}, Rule{"infix", "a"})}, false},
		"long rule":                      {[]Target{queue([]string{created}, prefix(strings.Repeat("x", 1025)))}, false},
		"more targets than S3 takes":     {slices.Repeat([]Target{queue([]string{created})}, 101), false},
		"every event S3 knows by itself": {everyEvent(queue), true},
	}
	for name, test := range tests {
		n := Notification{Targets: test.targets}
		err := n.validate()
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, describeNil(err))
		}
		if err != nil && code(err.Error()) == "InternalError" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func everyEvent(queue func([]string, ...Rule) Target) []Target {
	var all []Target
	for _, e := range types.Event("").Values() {
		if !strings.HasSuffix(string(e), "*") {
			all = append(all, queue([]string{string(e)}))
		}
	}
	return all
}

func describeNil(err error) string {
	if err == nil {
		return "accepted"
	}
	return describe(err)
}

func TestMalformedNotifications(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bucket(t, "malformed")
	const ns = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`
	for body, want := range map[string]string{
		"": "MissingRequestBodyError", "<": "MalformedXML", "<Other/>": "MalformedXML", "{}": "MalformedXML",
		"<NotificationConfiguration" + ns + "><Surprise/></NotificationConfiguration>":                                                              "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration><Queue>" + queueARN + "</Queue></QueueConfiguration></NotificationConfiguration>":           "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>":         "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration><Topic>x</Topic><Event>y</Event></QueueConfiguration></NotificationConfiguration>":          "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration><Queue>x</Queue><Event>y</Event></QueueConfiguration></NotificationConfiguration>":          "InvalidArgument",
		"<NotificationConfiguration>" + strings.Repeat("<a>", 100000):                                                                               "MalformedXML",
		"<NotificationConfiguration>" + strings.Repeat(" ", maxNotification) + "</NotificationConfiguration>":                                       "MalformedXML",
		"<!DOCTYPE x [<!ENTITY a \"b\">]><NotificationConfiguration><QueueConfiguration>&a;</QueueConfiguration></NotificationConfiguration>":       "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration><Filter/><Queue>x</Queue><Event>y</Event></QueueConfiguration></NotificationConfiguration>": "MalformedXML",
	} {
		status, answer := f.send(t, "PUT", "/malformed?notification", strings.NewReader(body), unsigned)
		if status < 400 || status >= 500 || code(answer) != want {
			t.Errorf("%.80q: %d %s, want %s", body, status, answer, want)
		}
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "targets")
	ctx := t.Context()
	const id = "RedshiftIntegration-0c5f7c5e"
	ours := Target{Destination: Queue, ID: id, ARN: queueARN, Events: []string{EventCreated}}
	if err := f.AddTarget(ctx, "missing", ours); !fault.Is(err, fault.NotFound, SubjectBucket) {
		t.Errorf("missing bucket: %v", err)
	}
	for range 2 { // the second changes nothing
		if err := f.AddTarget(ctx, bucket, ours); err != nil {
			t.Fatal(err)
		}
	}
	second := ours
	second.ID = "second"
	if err := f.AddTarget(ctx, bucket, second); !fault.Is(err, fault.AlreadyExists, SubjectNotification) || !strings.Contains(err.Error(), id) {
		t.Errorf("second target for arrivals: %v", err)
	}
	matches := func(key string) bool {
		t.Helper()
		ok, err := f.Matches(ctx, bucket, key, id)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !matches("any/key") {
		t.Error("an unfiltered target does not match")
	}
	// The owner narrows ours and adds another for the rest.
	if _, err := f.s3.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket,
		NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{
			{Id: aws.String(id), QueueArn: aws.String(queueARN), Events: []types.Event{EventCreated}, Filter: filter("prefix", "in/", "suffix", ".csv")},
			{Id: aws.String("theirs"), QueueArn: aws.String(queueARN), Events: []types.Event{EventCreated}, Filter: filter("prefix", "out/")},
		}}}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"in/a.csv": true, "in/a.json": false, "out/a.csv": false, "a.csv": false} {
		if matches(key) != want {
			t.Errorf("%q matches: %v", key, !want)
		}
	}
	if n, err := f.Notification(ctx, bucket); err != nil || len(n.Targets) != 2 {
		t.Errorf("%+v, %v", n, err)
	}
	for range 2 {
		if err := f.RemoveTarget(ctx, bucket, id); err != nil {
			t.Fatal(err)
		}
	}
	if matches("in/a.csv") {
		t.Error("a removed target matches")
	}
	n, err := f.Notification(ctx, bucket)
	if err != nil || len(n.Targets) != 1 || n.Targets[0].ID != "theirs" {
		t.Errorf("%+v, %v", n, err)
	}
	// With the bucket go its documents.
	if _, err := f.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if len(f.store.docs) != 0 {
		t.Errorf("documents left: %q", f.store.docs)
	}
	f.store.docs[bucket+"/"+string(KindPolicy)] = []byte("of a bucket whose deletion was cut short")
	f.bucket(t, bucket)
	if n, err := f.Notification(ctx, bucket); err != nil || len(n.Targets) != 0 {
		t.Errorf("the new bucket has %+v, %v", n, err)
	}
	if p, err := f.Policy(ctx, bucket); err != nil || p != nil {
		t.Errorf("the new bucket has policy %q, %v", p, err)
	}
}

// redshiftPolicy is the policy AWS's documentation asks for.
const redshiftPolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"Auto-Copy-Policy-01","Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},
"Action":["s3:GetBucketNotification","s3:PutBucketNotification","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::%s",
"Condition":{"StringLike":{"aws:SourceArn":"arn:aws:redshift:us-east-1:123456789012:integration:*","aws:SourceAccount":"123456789012"}}}]}`

func TestPolicyRoundTrip(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "policed")
	ctx := t.Context()
	_, err := f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	wantCode(t, err, "NoSuchBucketPolicy")
	_, err = f.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &bucket})
	wantCode(t, err, "NoSuchBucketPolicy")
	_, err = f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("missing")})
	wantCode(t, err, "NoSuchBucket")
	for text, public := range map[string]bool{
		fmt.Sprintf(redshiftPolicy, bucket): false,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::policed/*"}}`:                                                                                             true,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/r"]},"NotAction":"s3:DeleteBucket","NotResource":["arn:aws:s3:::policed/secret/*"]}]}`:                 false,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":["arn:aws:s3:::poli*"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}}]}`:                                      false,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"arn:aws:s3:::policed","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}}]}`:                                         true,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"arn:aws:s3:::policed","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":10}}}]}`:         true,
		`{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::policed","arn:aws:s3:::policed/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`:                      false,
		`{"Version":"2008-10-17","Id":"id","Statement":[{"Effect":"Allow","NotPrincipal":{"CanonicalUser":"abc","Federated":"accounts.google.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::policed:*"}]}`: true,
	} {
		if _, err := f.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text}); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		out, err := f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
		if err != nil || *out.Policy != text {
			t.Errorf("%v, %v", out, err)
		}
		if p, err := f.Policy(ctx, bucket); err != nil || string(p) != text {
			t.Errorf("in process: %q, %v", p, err)
		}
		status, err := f.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &bucket})
		if err != nil || *status.PolicyStatus.IsPublic != public {
			t.Errorf("%s: %v, want public %v, %v", text, status, public, err)
		}
	}
	if _, err := f.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	wantCode(t, err, "NoSuchBucketPolicy")
}

func TestMalformedPolicies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "misruled")
	base := map[string]any{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::misruled/*"}
	with := func(key string, value any) string {
		s := map[string]any{}
		for k, v := range base {
			s[k] = v
		}
		if s[key] = value; value == nil {
			delete(s, key)
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{s}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, text := range []string{
		"[]", "null", "x", "{", "{}", `{"Statement":[]}`, `{"Statement":"x"}`, `{"Statement":[1]}`, `{"Statement":[{}],"Statement":[{}]}`, `{"Surprise":1}`,
		`{"Version":"2024-01-01","Statement":[]}`, strings.Repeat(`{"Statement":[`, 20000),
		with("Effect", nil), with("Effect", "Maybe"), with("Principal", nil), with("Principal", "123456789012"), with("Principal", map[string]any{"Robot": "x"}),
		with("Principal", map[string]any{"AWS": ""}), with("Principal", map[string]any{"AWS": []string{}}), with("Principal", 1), with("NotPrincipal", "*"),
		with("Action", nil), with("Action", "ec2:Start"), with("Action", "s3:"), with("Action", []any{1}), with("NotAction", "s3:GetObject"),
		with("Resource", nil), with("Resource", "*"), with("Resource", "arn:aws:s3:::other/*"), with("Resource", "arn:aws:sqs:::misruled"), with("Resource", "misruled"),
		with("Condition", "x"), with("Condition", map[string]any{"StringEquals": "x"}), with("Condition", map[string]any{"StringEquals": map[string]any{"k": map[string]any{}}}),
		with("Surprise", "x"), with("Sid", 1), with("Sid", strings.Repeat("x", maxPolicy)),
	} {
		_, err := f.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text})
		if err == nil {
			t.Errorf("%.200s: accepted", text)
			continue
		}
		wantCode(t, err, "MalformedPolicy")
	}
	_, err := f.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &bucket})
	wantCode(t, err, "NoSuchBucketPolicy")
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "encrypted")
	put := func(algorithm types.ServerSideEncryption) error {
		_, err := f.s3.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &bucket, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm}}}}})
		return err
	}
	if err := put(types.ServerSideEncryptionAes256); err != nil {
		t.Error(err)
	}
	wantCode(t, put(types.ServerSideEncryptionAwsKms), "NotImplemented")
	out, err := f.s3.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: &bucket})
	if err != nil || len(out.ServerSideEncryptionConfiguration.Rules) != 1 ||
		out.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != types.ServerSideEncryptionAes256 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := f.s3.DeleteBucketEncryption(t.Context(), &s3.DeleteBucketEncryptionInput{Bucket: &bucket}); err != nil {
		t.Error(err)
	}
	_, err = f.s3.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String("missing")})
	wantCode(t, err, "NoSuchBucket")
}

// A failing store fails the requests that need it and nothing else.
func TestStoreFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "unlucky")
	f.store.fail = errors.New("disk on fire")
	status, answer := f.send(t, "GET", "/unlucky?notification", nil, unsigned)
	if status != 500 || code(answer) != "InternalError" || strings.Contains(answer, "fire") {
		t.Errorf("%d %s", status, answer)
	}
	if _, err := f.Matches(t.Context(), bucket, "key", "id"); err == nil {
		t.Error("no error from Matches")
	}
	f.put(t, bucket, "key", "x")
}

func FuzzParseNotification(f *testing.F) {
	f.Add([]byte("<NotificationConfiguration/>"))
	f.Add([]byte("<NotificationConfiguration><EventBridgeConfiguration/><QueueConfiguration><Id>a</Id><Queue>" + queueARN +
		"</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>x</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := parseNotification(body)
		if err != nil {
			if c := code(err.Error()); describe(err) == "" {
				t.Errorf("no description: %s", c)
			}
			return
		}
		again, err := parseNotification(mustXML(t, n))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(n) {
			t.Errorf("%+v came back as %+v, %v", n, again, err)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(redshiftPolicy, "bucket")), "bucket")
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`), "b")
	f.Fuzz(func(t *testing.T, body []byte, bucket string) {
		doc, err := parsePolicy(body, bucket)
		if err == nil && len(doc.Statement) == 0 {
			t.Error("a policy without statements was accepted")
		}
		doc.public()
	})
}

func mustXML(t *testing.T, n Notification) []byte {
	t.Helper()
	text, err := xml.Marshal(n.xml())
	if err != nil {
		t.Fatal(err)
	}
	return text
}
