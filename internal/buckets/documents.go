package buckets

import (
	"context"
	"encoding/xml"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/internal/fault"
)

// documents are the configuration documents of buckets: the store, and the parsed notification
// configurations in memory, because every arrival asks for one.
type documents struct {
	store Store
	mu    sync.RWMutex
	known map[string]Notification // by bucket; replaced, never changed
}

func newDocuments(store Store) *documents {
	return &documents{store: store, known: make(map[string]Notification)}
}

// notification returns a bucket's configuration, the zero value when there is none.
func (d *documents) notification(ctx context.Context, bucket string) (Notification, error) {
	d.mu.RLock()
	n, ok := d.known[bucket]
	d.mu.RUnlock()
	if ok {
		return n, nil
	}
	// The write lock is held over the read so that a change in between is not overwritten by what was.
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := d.store.DocumentGet(ctx, bucket, KindNotification)
	switch {
	case fault.Is(err, fault.NotFound, SubjectDocument):
	case err != nil:
		return Notification{}, err
	default:
		if n, err = parseNotification(body); err != nil {
			return Notification{}, err
		}
	}
	d.known[bucket] = n
	return n, nil
}

// updateNotification stores what change makes of a bucket's configuration.
func (d *documents) updateNotification(ctx context.Context, bucket string, change func(*Notification) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var n Notification
	err := d.store.DocumentUpdate(ctx, bucket, KindNotification, func(current []byte) ([]byte, error) {
		n = Notification{}
		if len(current) > 0 {
			var err error
			if n, err = parseNotification(current); err != nil {
				return nil, err
			}
		}
		if err := change(&n); err != nil {
			return nil, err
		}
		if n.empty() {
			return nil, nil
		}
		return xml.Marshal(n.xml())
	})
	if err != nil {
		delete(d.known, bucket) // whether it was stored is not certain
		return err
	}
	d.known[bucket] = n
	return nil
}

// forget drops everything about a bucket.
func (d *documents) forget(ctx context.Context, bucket string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, bucket)
	return d.store.DocumentDeleteAll(ctx, bucket)
}

// Notification returns the notification configuration of a bucket. A missing bucket is NotFound.
func (s *Server) Notification(ctx context.Context, bucket string) (Notification, error) {
	if err := s.requireBucket(bucket); err != nil {
		return Notification{}, err
	}
	return s.documents.notification(ctx, bucket)
}

// Matches reports whether the target with the given id is still configured and its filter covers key.
func (s *Server) Matches(ctx context.Context, bucket, key, id string) (bool, error) {
	n, err := s.documents.notification(ctx, bucket)
	if err != nil {
		return false, err
	}
	t, ok := n.Find(id)
	return ok && t.Created() && t.Covers(key), nil
}

// AddTarget adds a target to a bucket's notification configuration, or leaves a target of the same id as it
// is. A target that is told of arrivals already excludes another one, unless both are integrations':
// AlreadyExists. A missing bucket is NotFound.
func (s *Server) AddTarget(ctx context.Context, bucket string, t Target) error {
	if err := s.requireBucket(bucket); err != nil {
		return err
	}
	return s.documents.updateNotification(ctx, bucket, func(n *Notification) error {
		if _, ok := n.Find(t.ID); ok {
			return nil
		}
		for _, other := range n.Targets {
			if t.Created() && other.Created() && !(t.OfIntegration() && other.OfIntegration()) {
				return fault.New(fault.AlreadyExists, SubjectNotification,
					"Bucket %s already notifies %s of new objects (configuration %q). Remove that notification, or limit it to other event types, and try again.",
					bucket, other.ARN, other.ID)
			}
		}
		n.Targets = append(n.Targets, t)
		if err := n.validate(); err != nil {
			return fault.New(fault.Invalid, SubjectNotification, "The notification cannot be added to bucket %s: %s", bucket, describe(err))
		}
		return nil
	})
}

// IntegrationPrefix begins the id of every target that is an integration's. A bucket may have an integration for
// each of several warehouses.
const IntegrationPrefix = "RedshiftIntegration-"

// OfIntegration reports whether the target is an integration's.
func (t Target) OfIntegration() bool { return strings.HasPrefix(t.ID, IntegrationPrefix) }

// RemoveTarget removes a target from a bucket's notification configuration. That it, or the bucket, is gone
// already is no error.
func (s *Server) RemoveTarget(ctx context.Context, bucket, id string) error {
	return s.documents.updateNotification(ctx, bucket, func(n *Notification) error {
		kept := n.Targets[:0:0]
		for _, t := range n.Targets {
			if t.ID != id {
				kept = append(kept, t)
			}
		}
		n.Targets = kept
		return nil
	})
}

// SubjectNotification is the subject of faults about notification configurations.
const SubjectNotification = "bucket notification"

// Policy returns the bucket's policy as it was put, nil when there is none. A missing bucket is NotFound.
func (s *Server) Policy(ctx context.Context, bucket string) ([]byte, error) {
	if err := s.requireBucket(bucket); err != nil {
		return nil, err
	}
	body, err := s.documents.store.DocumentGet(ctx, bucket, KindPolicy)
	if fault.Is(err, fault.NotFound, SubjectDocument) {
		return nil, nil
	}
	return body, err
}
