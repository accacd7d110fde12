// Package buckets is the embedded S3-compatible object store.
package buckets
