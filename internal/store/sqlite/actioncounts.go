package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/penstock-io/penstock/internal/action"
)

// ActionCounts is how many there are of what connectors have.
type ActionCounts struct {
	Connectors map[action.Type]map[action.Status]int
	Grants     map[action.GrantState]int
	Waiting    int // approvals that can be decided
}

// ActionCounts counts connectors, grants and the approvals that wait at a time.
func (s *Connectors) ActionCounts(ctx context.Context, now time.Time) (ActionCounts, error) {
	out := ActionCounts{Connectors: map[action.Type]map[action.Status]int{}, Grants: map[action.GrantState]int{}}
	err := s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		count := func(query string, add func(a, b string, n int)) error {
			rows, err := t.QueryContext(ctx, query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var a, b string
				var n int
				if err := rows.Scan(&a, &b, &n); err != nil {
					return err
				}
				add(a, b, n)
			}
			return rows.Err()
		}
		if err := count("SELECT type, status, count(*) FROM action_connector GROUP BY type, status", func(a, b string, n int) {
			of := out.Connectors[action.Type(a)]
			if of == nil {
				of = map[action.Status]int{}
				out.Connectors[action.Type(a)] = of
			}
			of[action.Status(b)] = n
		}); err != nil {
			return err
		}
		if err := count("SELECT state, '', count(*) FROM action_grant GROUP BY state", func(a, _ string, n int) {
			out.Grants[action.GrantState(a)] = n
		}); err != nil {
			return err
		}
		return t.QueryRowContext(ctx, "SELECT count(*) FROM action_approval WHERE state = 'pending' AND expires > ?", now.UnixNano()).Scan(&out.Waiting)
	})
	return out, err
}
