package tables

import (
	"context"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tag"
)

// SetExpiry turns the expiry of items on, by the attribute that says when, or off.
func (db *DB) SetExpiry(_ context.Context, name, attribute string, on bool) error {
	_, _, err := db.change(name, func(t *table, d *Description) (func(*storage.Batch), error) {
		switch {
		case on && d.Expiry == attribute:
			return nil, invalid("TimeToLive is already enabled")
		case on && d.Expiry != "":
			return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", d.Expiry)
		case !on && d.Expiry == "":
			return nil, invalid("TimeToLive is already disabled")
		case !on && d.Expiry != attribute:
			return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", d.Expiry)
		}
		d.ExpiryCursor, d.ExpiryFilled = nil, false
		if on {
			d.Expiry = attribute
			return nil, nil
		}
		d.Expiry = ""
		return func(b *storage.Batch) {
			prefix := storage.ExpiryPrefix(d.ID)
			b.DeleteRange(prefix, storage.End(prefix))
		}, nil
	})
	if err == nil {
		db.signal()
	}
	return err
}

// SetRecovery keeps whether point-in-time recovery is on, and for how many days; 0 leaves 35.
func (db *DB) SetRecovery(_ context.Context, name string, on bool, days int32) (Status, error) {
	t, d, err := db.change(name, func(_ *table, d *Description) (func(*storage.Batch), error) {
		if on && !d.Recovery {
			d.RecoverySince = db.now()
		}
		d.Recovery = on
		d.RecoveryDays = 0
		if on {
			if d.RecoveryDays = days; days == 0 {
				d.RecoveryDays = 35
			}
		}
		return nil, nil
	})
	if err != nil {
		return Status{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return db.status(t, &d), nil
}

// Tags returns the tags of the table of an ARN.
func (db *DB) Tags(_ context.Context, arn string) (map[string]string, error) {
	d, err := db.resource(arn)
	if err != nil {
		return nil, err
	}
	return d.Tags, nil
}

// resource returns the table of an ARN; a name is no ARN.
func (db *DB) resource(arn string) (*Description, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return nil, fault.New(fault.Invalid, SubjectTable, "Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	}
	_, d, release, err := db.use(arn)
	if err != nil {
		return nil, err
	}
	release()
	return d, nil
}

// Tag adds tags to the table of an ARN.
func (db *DB) Tag(_ context.Context, arn string, tags []tag.Tag) error {
	if _, err := db.resource(arn); err != nil {
		return err
	}
	_, _, err := db.change(arn, func(_ *table, d *Description) (func(*storage.Batch), error) {
		var err error
		d.Tags, err = tag.Set(d.Tags, tags)
		return nil, err
	})
	return err
}

// Untag removes tags from the table of an ARN.
func (db *DB) Untag(_ context.Context, arn string, keys []string) error {
	if _, err := db.resource(arn); err != nil {
		return err
	}
	_, _, err := db.change(arn, func(_ *table, d *Description) (func(*storage.Batch), error) {
		d.Tags = tag.Unset(d.Tags, keys)
		return nil, nil
	})
	return err
}

// maxPolicy is how long a resource policy may be, in bytes.
const maxPolicy = 20 << 10

func errNoPolicy(arn string) error {
	return fault.New(fault.NotFound, SubjectPolicy, "Resource-based policy not found for the provided ResourceArn: %s", arn)
}

// checkRevision judges the revision a caller expects, nil for any. NO_POLICY expects that there is none.
func checkRevision(arn, current string, expected *string) error {
	switch {
	case expected == nil || *expected == current && current != "" || *expected == "NO_POLICY" && current == "":
		return nil
	}
	return fault.New(fault.NotFound, SubjectPolicy, "Resource-based policy not found for the provided ResourceArn %s with the revision %s; the current one is %q", arn, *expected, current)
}

// PutPolicy attaches a resource policy to a table or a stream and returns its revision.
func (db *DB) PutPolicy(_ context.Context, arn, policy string, expected *string) (revision string, err error) {
	if len(policy) > maxPolicy {
		return "", invalid("The resource policy has %d bytes; at most %d are allowed", len(policy), maxPolicy)
	}
	err = db.editPolicy(arn, func(current *string, rev *string) error {
		if err := checkRevision(arn, *rev, expected); err != nil {
			return err
		}
		if *current != policy || *rev == "" {
			*current, *rev = policy, db.cfg.NewID()
		}
		revision = *rev
		return nil
	})
	return revision, err
}

// Policy returns the resource policy of a table or a stream.
func (db *DB) Policy(_ context.Context, arn string) (policy, revision string, err error) {
	if strings.Contains(arn, "/stream/") {
		st, err := db.findStream(arn)
		if err != nil {
			return "", "", err
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		policy, revision = st.Policy, st.Revision
	} else {
		d, err := db.resource(arn)
		if err != nil {
			return "", "", err
		}
		policy, revision = d.Policy, d.PolicyRevision
	}
	if revision == "" {
		return "", "", errNoPolicy(arn)
	}
	return policy, revision, nil
}

// DeletePolicy removes a resource policy and returns its revision; empty if there was none, which is no error
// unless one was expected.
func (db *DB) DeletePolicy(_ context.Context, arn string, expected *string) (revision string, err error) {
	err = db.editPolicy(arn, func(current *string, rev *string) error {
		if expected != nil {
			if err := checkRevision(arn, *rev, expected); err != nil {
				return err
			}
		}
		revision = *rev
		*current, *rev = "", ""
		return nil
	})
	return revision, err
}

func (db *DB) editPolicy(arn string, edit func(policy, revision *string) error) error {
	if !strings.Contains(arn, "/stream/") {
		if _, err := db.resource(arn); err != nil {
			return err
		}
		_, _, err := db.change(arn, func(_ *table, d *Description) (func(*storage.Batch), error) {
			return nil, edit(&d.Policy, &d.PolicyRevision)
		})
		return err
	}
	st, err := db.findStream(arn)
	if err != nil {
		return err
	}
	st.mu.Lock()
	policy, revision := st.Policy, st.Revision
	err = edit(&policy, &revision)
	st.mu.Unlock()
	if err != nil {
		return err
	}
	return db.store.Commit(func(b *storage.Batch) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.Policy, st.Revision = policy, revision
		st.save(b)
	})
}
