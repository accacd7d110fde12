package invoke

import (
	"bytes"
	"encoding/xml"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// s3Prepare writes what S3 wants in its own form: the source of a copy and where a bucket is made.
func s3Prepare(p *plan) []catalog.Violation {
	switch p.action.ID {
	case "CopyObject":
		source := strings.TrimPrefix(p.text("CopySource"), "/")
		raw := p.header.Get("X-Amz-Copy-Source")
		if (source == "") == (raw == "") {
			return violation("/CopySource", "is required: bucket/key, not encoded; or give x-amz-copy-source, encoded")
		}
		if source != "" {
			bucket, key, ok := strings.Cut(source, "/")
			if !ok || bucket == "" || key == "" {
				return violation("/CopySource", "must be bucket/key")
			}
			parts := strings.Split(source, "/")
			for i := range parts {
				parts[i] = escape(parts[i], true)
			}
			p.header.Set("X-Amz-Copy-Source", strings.Join(parts, "/"))
		}
	case "CreateBucket":
		region := p.text("LocationConstraint")
		if region == "" {
			region = p.engine.signer.region(p.catalogue.AWS.Endpoint)
		}
		if region != "us-east-1" { // which S3 does not take as a constraint
			p.raw = []byte(`<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` +
				escapeXML(region) + `</LocationConstraint></CreateBucketConfiguration>`)
			p.mediaType = "application/xml"
		}
	case "UploadFile":
		if p.raw == nil {
			p.raw = []byte{} // an empty object
		}
	}
	return nil
}

func escapeXML(s string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(s)) // a buffer takes everything
	return out.String()
}

type s3Object struct {
	Key          string   `xml:"Key" json:"Key"`
	LastModified string   `xml:"LastModified" json:"LastModified"`
	ETag         string   `xml:"ETag" json:"ETag"`
	Size         int64    `xml:"Size" json:"Size"`
	StorageClass string   `xml:"StorageClass" json:"StorageClass,omitempty"`
	Owner        *s3Owner `xml:"Owner" json:"Owner,omitempty"`
}

type s3Owner struct {
	ID          string `xml:"ID" json:"ID,omitempty"`
	DisplayName string `xml:"DisplayName" json:"DisplayName,omitempty"`
}

type s3Listing struct {
	Name                  string     `xml:"Name" json:"Name"`
	Prefix                string     `xml:"Prefix" json:"Prefix,omitempty"`
	Delimiter             string     `xml:"Delimiter" json:"Delimiter,omitempty"`
	KeyCount              int        `xml:"KeyCount" json:"KeyCount"`
	MaxKeys               int        `xml:"MaxKeys" json:"MaxKeys"`
	IsTruncated           bool       `xml:"IsTruncated" json:"IsTruncated"`
	NextContinuationToken string     `xml:"NextContinuationToken" json:"NextContinuationToken,omitempty"`
	EncodingType          string     `xml:"EncodingType" json:"EncodingType,omitempty"`
	Contents              []s3Object `xml:"Contents" json:"Contents"`
	CommonPrefixes        []struct {
		Prefix string `xml:"Prefix" json:"Prefix"`
	} `xml:"CommonPrefixes" json:"CommonPrefixes,omitempty"`
}

type s3Buckets struct {
	Buckets []struct {
		Name         string `xml:"Name" json:"Name"`
		CreationDate string `xml:"CreationDate" json:"CreationDate,omitempty"`
		BucketRegion string `xml:"BucketRegion" json:"BucketRegion,omitempty"`
	} `xml:"Buckets>Bucket" json:"Buckets"`
	Owner *s3Owner `xml:"Owner" json:"Owner,omitempty"`
}

type s3Copy struct {
	ETag         string `xml:"ETag" json:"ETag"`
	LastModified string `xml:"LastModified" json:"LastModified"`
}

type s3Error struct {
	XMLName xml.Name
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

// xmlMessage is what an error in XML says.
func xmlMessage(body []byte) string {
	var e struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Lower   string `xml:"message"`
		Inner   struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
	if xml.Unmarshal(body, &e) != nil {
		return ""
	}
	var said []string
	for _, s := range []string{e.Code, e.Message, e.Lower, e.Inner.Code, e.Inner.Message} {
		if s = strings.TrimSpace(s); s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, ": ")
}

// s3Finish turns S3's XML into JSON, as SDKs show it. A copy can fail after its status 200 was sent.
func s3Finish(r *run, a *answer) error {
	var failed s3Error
	if r.plan.action.ID == "CopyObject" && xml.Unmarshal(a.body, &failed) == nil && failed.XMLName.Local == "Error" {
		e := quoting(VendorFailed, failed.Code+": "+failed.Message, "%s failed after it had begun", who(r.plan.connector))
		e.Status, e.Unknown = a.status, true
		return e
	}
	var into any
	switch r.plan.action.ID {
	case "DownloadFile":
		return nil
	case "ListObjects":
		into = &s3Listing{Contents: []s3Object{}}
	case "ListBuckets":
		into = &s3Buckets{}
	case "CopyObject":
		into = &s3Copy{}
	default:
		made := map[string]any{}
		for name, member := range map[string]string{"Etag": "ETag", "X-Amz-Version-Id": "VersionId", "Location": "Location", "X-Amz-Delete-Marker": "DeleteMarker"} {
			if v := a.header.Get(name); v != "" {
				made[member] = v
			}
		}
		return a.setJSON(made)
	}
	if xml.Unmarshal(a.body, into) != nil {
		return r.unexpected(a)
	}
	return a.setJSON(into)
}
