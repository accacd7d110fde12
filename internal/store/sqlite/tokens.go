package sqlite

import (
	"context"
	"database/sql"
)

// TokenGenerations returns the generation of the bearer tokens of every user, the root user being "", whose tokens were
// ever revoked. That of all others is 0.
func (s *Connectors) TokenGenerations(ctx context.Context) (out map[string]int64, err error) {
	out = map[string]int64{}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		rows, err := t.QueryContext(ctx, "SELECT user, generation FROM action_token_generation")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var user string
			var generation int64
			if err := rows.Scan(&user, &generation); err != nil {
				return err
			}
			out[user] = generation
		}
		return rows.Err()
	})
	return out, err
}

// TokensRevoke begins the next generation of a user's bearer tokens and returns it.
func (s *Connectors) TokensRevoke(ctx context.Context, user string) (generation int64, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return t.QueryRowContext(ctx, "INSERT INTO action_token_generation (user, generation) VALUES (?, 1) ON CONFLICT (user) DO UPDATE SET generation = generation + 1 RETURNING generation", user).Scan(&generation)
	}, nil)
	return generation, err
}
