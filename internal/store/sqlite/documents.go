package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/penstock-io/penstock/internal/fault"
)

// Documents is the Store of package buckets, whose Kind is K. That package is not imported for the sake of what it
// brings along.
type Documents[K ~string] struct {
	db      *DB
	subject string
}

// NewDocuments returns the store of bucket documents in db. Its faults about documents have the given subject.
func NewDocuments[K ~string](db *DB, subject string) *Documents[K] { return &Documents[K]{db, subject} }

func (s *Documents[K]) read(ctx context.Context, t *sql.Tx, bucket string, kind K) (content []byte, err error) {
	err = t.QueryRowContext(ctx, "SELECT content FROM bucket_document WHERE bucket = ? AND kind = ?", bucket, string(kind)).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, s.subject, "the bucket %q has no %s configuration", bucket, string(kind))
	}
	return content, err
}

// DocumentGet returns a document.
func (s *Documents[K]) DocumentGet(ctx context.Context, bucket string, kind K) (content []byte, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		content, err = s.read(ctx, t, bucket, kind)
		return err
	})
	return content, err
}

// DocumentUpdate replaces a document by what change makes of it.
func (s *Documents[K]) DocumentUpdate(ctx context.Context, bucket string, kind K, change func(current []byte) ([]byte, error)) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		current, err := s.read(ctx, t, bucket, kind)
		if err != nil && !fault.Is(err, fault.NotFound, s.subject) {
			return err
		}
		next, err := change(current)
		switch {
		case err != nil:
			return err
		case len(next) == 0:
			_, err = t.ExecContext(ctx, "DELETE FROM bucket_document WHERE bucket = ? AND kind = ?", bucket, string(kind))
		default:
			_, err = t.ExecContext(ctx, "INSERT OR REPLACE INTO bucket_document (bucket, kind, content) VALUES (?, ?, ?)", bucket, string(kind), next)
		}
		return err
	}, nil)
}

// DocumentDeleteAll forgets every document of a bucket.
func (s *Documents[K]) DocumentDeleteAll(ctx context.Context, bucket string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		_, err := t.ExecContext(ctx, "DELETE FROM bucket_document WHERE bucket = ?", bucket)
		return err
	}, nil)
}
