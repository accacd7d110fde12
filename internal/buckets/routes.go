package buckets

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// A route answers one operation on a bucket's documents. It runs after the signature is verified and the
// bucket found. The error is an S3 error, or internal.
type route struct {
	method string
	query  string // the subresource
	body   bool   // one is required
	answer func(ctx context.Context, bucket string, body []byte) (*controllers.Response, error)
}

// documentRoutes are the operations the gateway lacks, or answers by rules that are not S3's.
func (s *Server) documentRoutes(root middlewares.RootUserConfig, iam auth.IAMService) []s3api.Option {
	routes := []route{
		{http.MethodGet, "notification", false, s.getNotification},
		{http.MethodPut, "notification", true, s.putNotification},
		{http.MethodGet, "policy", false, s.getPolicy},
		{http.MethodPut, "policy", true, s.putPolicy},
		{http.MethodDelete, "policy", false, s.deletePolicy},
		{http.MethodGet, "policyStatus", false, s.getPolicyStatus},
		{http.MethodGet, "encryption", false, getEncryption},
		{http.MethodPut, "encryption", true, putEncryption},
		{http.MethodDelete, "encryption", false, deleteEncryption},
	}
	region := s.cfg.Region
	defaults := func(ctx fiber.Ctx) error {
		utils.ContextKeyRegion.Set(ctx, region)
		utils.ContextKeyRootAccessKey.Set(ctx, root.Access)
		utils.ContextKeyAccount.Set(ctx, auth.Account{})
		utils.ContextKeyIsRoot.Set(ctx, false)
		return nil
	}
	opts := make([]s3api.Option, 0, len(routes))
	for _, r := range routes {
		controller := func(ctx fiber.Ctx) (*controllers.Response, error) {
			bucket := strings.Clone(ctx.Params("bucket")) // the request's buffers are used again
			res, err := r.answer(requestContext(ctx.RequestCtx()), bucket, ctx.BodyRaw())
			if err != nil {
				return &controllers.Response{}, s.objects.fix(err, bucket)
			}
			return res, nil
		}
		opts = append(opts, s3api.WithRoute(r.method, "/:bucket",
			middlewares.MatchQueryArgs(r.query),
			controllers.ProcessHandlers(controller, "", &controllers.Services{},
				screen, // routes come before the middleware that does it for all others
				defaults,
				middlewares.DecodeURL,
				middlewares.BucketObjectNameValidator(),
				middlewares.VerifyPresignedV4Signature(root, iam, region, false),
				middlewares.VerifyV4Signature(root, iam, region, false, true, false),
				middlewares.VerifyChecksums(false, r.body, false),
				middlewares.ParseAcl(s.objects), // the bucket exists and is the expected owner's
			)))
	}
	return opts
}

var noContent = &controllers.Response{MetaOpts: &controllers.MetaOptions{Status: http.StatusNoContent}}

func (s *Server) getNotification(ctx context.Context, bucket string, _ []byte) (*controllers.Response, error) {
	n, err := s.documents.notification(ctx, bucket)
	return &controllers.Response{Data: n.xml()}, err
}

func (s *Server) putNotification(ctx context.Context, bucket string, body []byte) (*controllers.Response, error) {
	if len(body) > maxNotification {
		return nil, s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	put, err := parseNotification(body)
	if err != nil {
		return nil, err
	}
	return &controllers.Response{}, s.documents.updateNotification(ctx, bucket, func(n *Notification) error {
		*n = put
		return nil
	})
}

func (s *Server) getPolicy(ctx context.Context, bucket string, _ []byte) (*controllers.Response, error) {
	body, err := s.policy(ctx, bucket)
	contentType := "application/json"
	return &controllers.Response{Data: body, Headers: map[string]*string{"Content-Type": &contentType}}, err
}

func (s *Server) policy(ctx context.Context, bucket string) ([]byte, error) {
	body, err := s.documents.store.DocumentGet(ctx, bucket, KindPolicy)
	if fault.Is(err, fault.NotFound, SubjectDocument) {
		return nil, s3err.GetBucketErr(s3err.ErrNoSuchBucketPolicy, bucket)
	}
	return body, err
}

func (s *Server) putPolicy(ctx context.Context, bucket string, body []byte) (*controllers.Response, error) {
	if _, err := parsePolicy(body, bucket); err != nil {
		return nil, err
	}
	kept := append([]byte(nil), body...) // body is the request's
	return noContent, s.documents.store.DocumentUpdate(ctx, bucket, KindPolicy, func([]byte) ([]byte, error) { return kept, nil })
}

func (s *Server) deletePolicy(ctx context.Context, bucket string, _ []byte) (*controllers.Response, error) {
	return noContent, s.documents.store.DocumentUpdate(ctx, bucket, KindPolicy, func([]byte) ([]byte, error) { return nil, nil })
}

func (s *Server) getPolicyStatus(ctx context.Context, bucket string, _ []byte) (*controllers.Response, error) {
	body, err := s.policy(ctx, bucket)
	if err != nil {
		return nil, err
	}
	doc, err := parsePolicy(body, bucket)
	return &controllers.Response{Data: policyStatus{IsPublic: doc.public()}}, err
}

type policyStatus struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PolicyStatus"`
	IsPublic bool
}

// Encryption: every bucket has what S3 gives every bucket, and that can be asked for again.

type encryption struct {
	XMLName xml.Name         `xml:"ServerSideEncryptionConfiguration"`
	Xmlns   string           `xml:"xmlns,attr,omitempty"`
	Rules   []encryptionRule `xml:"Rule"`
}

type encryptionRule struct {
	Default struct {
		Algorithm string `xml:"SSEAlgorithm"`
		Key       string `xml:"KMSMasterKeyID,omitempty"`
	} `xml:"ApplyServerSideEncryptionByDefault"`
	BucketKey bool `xml:"BucketKeyEnabled"`
}

const managedKeys = "AES256"

func getEncryption(context.Context, string, []byte) (*controllers.Response, error) {
	e := encryption{Xmlns: "http://s3.amazonaws.com/doc/2006-03-01/", Rules: make([]encryptionRule, 1)}
	e.Rules[0].Default.Algorithm = managedKeys
	return &controllers.Response{Data: e}, nil
}

func putEncryption(_ context.Context, _ string, body []byte) (*controllers.Response, error) {
	var e encryption
	if err := xml.Unmarshal(body, &e); err != nil || len(e.Rules) != 1 || e.Rules[0].Default.Algorithm == "" {
		return nil, s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	if d := e.Rules[0].Default; d.Algorithm != managedKeys || d.Key != "" {
		return nil, s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	return &controllers.Response{}, nil
}

func deleteEncryption(context.Context, string, []byte) (*controllers.Response, error) {
	return noContent, nil
}

// describe is the sentence of an S3 error.
func describe(err error) string {
	var known s3err.S3Error
	if errors.As(err, &known) {
		return known.BaseError().Description
	}
	return err.Error()
}
