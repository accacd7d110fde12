package duckdb

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/internal/fault"
)

// layoutVersion numbers the internal tables. A database of a newer version is refused, an older one is
// brought up to date when it is attached.
const layoutVersion = 2

// layout makes the internal tables of one database. Its statements may run again.
//
// files is the ledger of COPY jobs. Its primary key is what makes loading a file twice impossible.
var layout = []string{
	`CREATE SCHEMA IF NOT EXISTS %s.penstock`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.properties (name VARCHAR PRIMARY KEY, value VARCHAR)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.jobs (job_id BIGINT PRIMARY KEY, job_name VARCHAR, job_text VARCHAR)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.files (job_id BIGINT, key VARCHAR, bucket VARCHAR, etag VARCHAR, size BIGINT,
		modified TIMESTAMP, enqueued TIMESTAMP, settled TIMESTAMP, status VARCHAR, rows BIGINT, query_id BIGINT, user_id INTEGER,
		message VARCHAR, PRIMARY KEY (job_id, key))`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.history (query_id BIGINT, transaction_id BIGINT, session_id INTEGER, user_id INTEGER,
		status VARCHAR, table_id INTEGER, table_name VARCHAR, start_time TIMESTAMP, end_time TIMESTAMP, data_source VARCHAR, file_format VARCHAR,
		loaded_rows BIGINT, loaded_bytes BIGINT, files BIGINT, file_bytes BIGINT, files_scanned BIGINT, bytes_scanned BIGINT,
		error_count BIGINT, copy_job_id BIGINT)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.detail (query_id BIGINT, user_id INTEGER, copy_job_id BIGINT, file_name VARCHAR, file_format VARCHAR,
		loaded BOOLEAN, rows BIGINT, lines_scanned BIGINT, bytes_scanned BIGINT, start_time TIMESTAMP, end_time TIMESTAMP)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.errors (query_id BIGINT, transaction_id BIGINT, session_id INTEGER, user_id INTEGER, copy_job_id BIGINT,
		table_id INTEGER, start_time TIMESTAMP, file_name VARCHAR, line_number BIGINT, column_name VARCHAR, column_type VARCHAR,
		column_length VARCHAR, position INTEGER, raw_line VARCHAR, raw_field VARCHAR, code INTEGER, reason VARCHAR)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.statements (id VARCHAR PRIMARY KEY, committed TIMESTAMP)`,
	// Replication. These tables have no keys: one writer at a time changes them, and an index would cost each batch.
	`CREATE TABLE IF NOT EXISTS %s.penstock.replicas (integration_id VARCHAR, table_name VARCHAR, fence BIGINT, generations BIGINT,
		state VARCHAR, reason VARCHAR, state_time TIMESTAMP)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.generations (integration_id VARCHAR, number BIGINT, source_id VARCHAR, phase VARCHAR, keys VARCHAR,
		loaded BIGINT, row_count BIGINT, written_rows BIGINT, written_bytes BIGINT, batches BIGINT, folded BIGINT, ambiguous BOOLEAN, updated TIMESTAMP,
		split BOOLEAN, recent BIGINT, tidied TIMESTAMP)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.marks (integration_id VARCHAR, generation BIGINT, stage VARCHAR, part VARCHAR, after VARCHAR)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.states (integration_id VARCHAR, table_name VARCHAR, state VARCHAR, reason VARCHAR,
		checkpoint VARCHAR, recorded TIMESTAMP)`,
	`CREATE TABLE IF NOT EXISTS %s.penstock.activity (integration_id VARCHAR, table_name VARCHAR, generation BIGINT, stage VARCHAR, minute TIMESTAMP,
		started TIMESTAMP, ended TIMESTAMP, batches BIGINT, inserted BIGINT, updated BIGINT, deleted BIGINT, bytes BIGINT, transaction_id BIGINT)`,
}

// prepareLayout brings the internal tables of an attached database to this version.
func (e *engine) prepareLayout(ctx context.Context, database string) error {
	have, err := e.admin.one(ctx, `SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'penstock' AND table_name = 'properties'`, database)
	if err != nil {
		return err
	}
	if have[0] != int64(0) {
		v, err := e.admin.one(ctx, "SELECT try_cast(value AS BIGINT) FROM "+ident(database)+".penstock.properties WHERE name = 'layout'")
		if err != nil {
			return err
		}
		if v != nil {
			if n, ok := v[0].(int64); ok && n == layoutVersion {
				return nil
			} else if ok && n > layoutVersion {
				return fault.New(fault.Unsupported, SubjectDatabase,
					"the database was written by a newer release (layout %d, this one knows %d); use that release", n, layoutVersion)
			}
		}
	}
	return e.admin.transact(ctx, func() error {
		for _, s := range layout {
			if _, err := e.admin.exec(ctx, fmt.Sprintf(s, ident(database))); err != nil {
				return err
			}
		}
		_, err := e.admin.exec(ctx, "INSERT OR REPLACE INTO "+ident(database)+".penstock.properties VALUES ('layout', ?)", fmt.Sprint(layoutVersion))
		return err
	})
}
