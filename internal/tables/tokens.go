package tables

import (
	"context"
	"encoding/json"

	"github.com/cespare/xxhash/v2"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// A remembered token says which request it stood for. It is written in the same commit as what the
// request did.
type rememberedToken struct {
	Fingerprint string `json:"fingerprint"`
	Time        int64  `json:"time"`
}

func tokenLock(token string) uint64 { return xxhash.Sum64String("token/" + token) }

// remembered reports whether the token was used for the same request. If it was not used, mark is what
// to write to remember it.
func (db *DB) remembered(token, fingerprint string) (done bool, mark pair, err error) {
	key := storage.TokenKey(token)
	value, found, err := db.store.Get(key)
	if err != nil {
		return false, pair{}, err
	}
	var old rememberedToken
	if found && json.Unmarshal(value, &old) == nil && db.now()-old.Time < db.times().TokenLifetime.Milliseconds() {
		if old.Fingerprint != fingerprint {
			return false, pair{}, fault.New(fault.Conflict, SubjectToken, "The ClientRequestToken was used within the last %s for another request; use a new one for each request", db.times().TokenLifetime)
		}
		return true, pair{}, nil
	}
	b, err := json.Marshal(rememberedToken{fingerprint, db.now()})
	return false, pair{key, b}, err
}

// forgetTokens removes tokens that are no longer remembered. There may be many, so it looks for them ten
// times in their lifetime and no more.
func (db *DB) forgetTokens(context.Context) error {
	lifetime := db.times().TokenLifetime.Milliseconds()
	if now := db.now(); now-db.forgotTokens.Load() < lifetime/10 {
		return nil
	} else {
		db.forgotTokens.Store(now)
	}
	if err := db.ready(); err != nil {
		return err
	}
	horizon := db.now() - lifetime
	var old [][]byte
	err := each(db.store, storage.TokenPrefix(), func(key, value []byte) error {
		var t rememberedToken
		if json.Unmarshal(value, &t) != nil || t.Time < horizon {
			old = append(old, append([]byte(nil), key...))
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return db.store.Commit(func(b *storage.Batch) {
		for _, key := range old {
			b.Delete(key)
		}
	})
}
