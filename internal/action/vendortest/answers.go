package vendortest

import (
	"fmt"
	"net/http"
)

// answer writes what the vendor could say: the least that its clients understand.
func (s *Server) answer(w http.ResponseWriter, id string) {
	mediaType, body, status := "application/json", `{}`, 0
	for _, op := range s.operations {
		if op.id != id {
			continue
		}
		for code, response := range op.item.Responses.Map() {
			_, _ = fmt.Sscan(code, &status)
			if len(response.Value.Content) == 0 {
				mediaType = ""
			}
			for m := range response.Value.Content {
				mediaType = m
			}
		}
	}
	switch {
	case s.typ == "SLACK":
		body = `{"ok":true}`
	case s.typ == "AMAZON_S3" && id == "ListObjects":
		body = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>`
	case s.typ == "AMAZON_S3" && id == "ListBuckets":
		body = `<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>`
	case s.typ == "AMAZON_S3" && id == "CopyObject":
		body = `<?xml version="1.0"?><CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>`
	case mediaType == "*/*":
		mediaType, body = "application/octet-stream", "\x00\x01content"
	case mediaType == "application/vnd.amazon.eventstream":
		body = ""
	case s.typ == "PAGERDUTY_ADVANCE":
		mediaType = "application/vnd.pagerduty+json;version=2"
	}
	if mediaType == "" {
		if status == 0 {
			status = http.StatusNoContent
		}
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(max(status, http.StatusOK))
	_, _ = w.Write([]byte(body))
}
