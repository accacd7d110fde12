package duckdb

// systemViews are Redshift's system views over the whole warehouse. Their columns are those AWS documents, in
// AWS's order; columns AWS's own pages disagree about are all there.
var systemViews = []string{
	// The type of a column as Redshift spells it: from its note, or else from what DuckDB says.
	`CREATE MACRO penstock_note(comment) AS CASE WHEN starts_with(comment, 'penstock:') THEN TRY_CAST(substr(comment, 10) AS JSON) END`,
	`CREATE MACRO penstock_type(comment, duck) AS coalesce(penstock_note(comment) ->> '$.type', CASE
		WHEN duck LIKE 'DECIMAL%' THEN replace(lower(duck), 'decimal', 'numeric')
		WHEN duck IN ('TINYINT', 'UTINYINT') THEN 'smallint' WHEN duck IN ('USMALLINT') THEN 'integer'
		WHEN duck IN ('HUGEINT', 'UHUGEINT', 'UBIGINT', 'UINTEGER') THEN 'bigint'
		WHEN duck = 'VARCHAR' THEN 'character varying(65535)' WHEN duck = 'FLOAT' THEN 'real' WHEN duck = 'DOUBLE' THEN 'double precision'
		WHEN duck = 'BLOB' THEN 'binary varying(16777216)' WHEN duck = 'TIME' THEN 'time without time zone'
		WHEN duck IN ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS') THEN 'timestamp without time zone'
		WHEN duck = 'JSON' OR duck LIKE '%]' OR duck LIKE 'STRUCT(%' OR duck LIKE 'MAP(%' THEN 'super' ELSE lower(duck) END)`,

	`CREATE MACRO penstock_checkpoint(generation, batches) AS CASE WHEN generation IS NOT NULL THEN '{"generation":' || generation || ',"batches":' || batches || '}' END`,
	`CREATE MACRO penstock_checkpoint_file(generation, minute) AS 'checkpoints/checkpoint_' || generation || '_' || CAST(epoch_us(minute) // 60000000 AS BIGINT) || '.json'`,

	`CREATE VIEW sys_copy_job AS
		SELECT j.*, CAST(t.table_oid AS INTEGER) AS table_id FROM penstock_copy_jobs j
		LEFT JOIN (SELECT database_name, schema_name, table_name, table_oid FROM duckdb_tables()) t USING (database_name, schema_name, table_name)`,

	`CREATE VIEW sys_copy_job_detail AS
		SELECT f.user_id, f.database_name, CAST(f.job_id AS INTEGER) AS job_id, j.job_name, f.bucket AS file_location, f.key AS file_name,
			f.size AS file_size, f.etag AS file_etag, substr(j.job_text, 1, 256) AS job_text, f.modified AS modification_time,
			f.enqueued AS enqueue_time, f.status
		FROM penstock_all_files f LEFT JOIN penstock_all_jobs j ON j.database_name = f.database_name AND j.job_id = f.job_id
		UNION ALL
		SELECT 100, p.database_name, CAST(p.job_id AS INTEGER), p.job_name, p.bucket, p.key, p.size, p.etag, substr(p.job_text, 1, 256),
			p.modification_time, p.enqueue_time, 'P'
		FROM penstock_pending_files p ANTI JOIN penstock_all_files f ON f.database_name = p.database_name AND f.job_id = p.job_id AND f.key = p.key`,

	`CREATE VIEW sys_load_history AS
		SELECT user_id, query_id, transaction_id, session_id, database_name, status, table_name, start_time, end_time,
			epoch_us(end_time) - epoch_us(start_time) AS duration, data_source, file_format, loaded_rows, loaded_bytes,
			CAST(files AS INTEGER) AS source_file_count, file_bytes AS source_file_bytes, CAST(files_scanned AS INTEGER) AS file_count_scanned,
			bytes_scanned AS file_bytes_scanned, error_count, copy_job_id
		FROM penstock_all_history
		UNION ALL
		SELECT user_id, query_id, transaction_id, session_id, database_name, 'running', table_name, start_time, NULL,
			epoch_us(CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)) - epoch_us(start_time), data_source, file_format, 0, 0, files, file_bytes, 0, 0, 0, copy_job_id
		FROM penstock_running_loads r WHERE NOT EXISTS (FROM penstock_all_history h WHERE h.database_name = r.database_name AND h.query_id = r.query_id)`,

	`CREATE VIEW sys_load_detail AS
		SELECT user_id, query_id, file_name, bytes_scanned, lines_scanned, end_time AS record_time, CAST(1 AS INTEGER) AS splits_scanned,
			start_time, end_time
		FROM penstock_all_detail`,

	`CREATE VIEW sys_load_error_detail AS
		SELECT user_id, query_id, transaction_id, session_id, database_name, table_id, start_time, file_name, line_number, column_name,
			column_type, column_length, position, code AS error_code, reason AS error_message
		FROM penstock_all_errors`,

	`CREATE VIEW stl_load_errors AS
		SELECT user_id AS userid, CAST(0 AS INTEGER) AS slice, table_id AS tbl, start_time AS starttime, session_id AS session, query_id AS query,
			file_name AS filename, line_number, column_name AS colname, column_type AS type, column_length AS col_length, position, raw_line,
			raw_field AS raw_field_value, code AS err_code, substr(reason, 1, 100) AS err_reason, CAST(0 AS INTEGER) AS is_partial,
			CAST(0 AS BIGINT) AS start_offset, copy_job_id
		FROM penstock_all_errors`,

	`CREATE VIEW stl_loaderror_detail AS
		SELECT user_id AS userid, CAST(0 AS INTEGER) AS slice, session_id AS session, query_id AS query, file_name AS filename, line_number,
			CAST(0 AS INTEGER) AS field, column_name AS colname, raw_field AS value, CAST(0 AS INTEGER) AS is_null, column_type AS type, column_length AS col_length
		FROM penstock_all_errors`,

	`CREATE VIEW stl_load_commits AS
		SELECT user_id AS userid, query_id AS query, CAST(0 AS INTEGER) AS slice, file_name AS name, file_name AS filename,
			bytes_scanned, lines_scanned, CAST(0 AS INTEGER) AS errors, CAST(1 AS INTEGER) AS status, end_time AS curtime, file_format,
			CAST(0 AS INTEGER) AS is_partial, CAST(0 AS BIGINT) AS start_offset, copy_job_id
		FROM penstock_all_detail WHERE loaded`,

	// Of replication. A run is what one table took in within a minute.
	`CREATE VIEW svv_integration_table_state AS
		SELECT r.integration_id, r.database_name AS target_database, 'public' AS schema_name, r.table_name, r.state AS table_state,
			penstock_checkpoint(g.number, g.batches) AS table_last_replicated_checkpoint, substr(r.reason, 1, 256) AS reason,
			greatest(r.state_time, g.updated) AS last_updated_timestamp, coalesce(g.row_count, 0) AS table_rows,
			CAST(ceil(coalesce(CAST(g.written_bytes AS DOUBLE) * g.row_count / greatest(g.written_rows, 1), 0) / 1048576) AS BIGINT) AS table_size, false AS is_history_mode
		FROM penstock_all_replicas r LEFT JOIN penstock_all_generations g
			ON g.database_name = r.database_name AND g.integration_id = r.integration_id AND g.phase = 'live'
		WHERE r.state <> ''`,
	`CREATE VIEW sys_integration_activity AS
		SELECT integration_id, database_name AS target_database, 'DynamoDB' AS source, penstock_checkpoint_file(generation, minute) AS checkpoint_name,
			stage AS checkpoint_type, bytes AS checkpoint_bytes, ended AS last_commit_timestamp,
			CAST(CASE WHEN inserted + updated + deleted > 0 THEN 1 ELSE 0 END AS INTEGER) AS modified_tables,
			started AS integration_start_time, ended AS integration_end_time
		FROM penstock_all_activity`,
	`CREATE VIEW sys_integration_table_activity AS
		SELECT integration_id, penstock_checkpoint_file(generation, minute) AS checkpoint_name, database_name AS target_database, 'public' AS schema_name,
			table_name, CAST(generation AS INTEGER) AS table_id, ended AS record_time, transaction_id, inserted AS inserted_rows,
			deleted AS deleted_rows, updated AS updated_rows, bytes AS bytes_ingested
		FROM penstock_all_activity`,
	`CREATE VIEW sys_integration_table_state_change AS
		SELECT integration_id, database_name, 'public' AS schema_name, table_name, state AS new_state, checkpoint AS table_last_replicated_checkpoint,
			substr(reason, 1, 256) AS state_change_reason, recorded AS record_time
		FROM penstock_all_states`,

	`CREATE VIEW svv_all_tables AS
		SELECT database_name, schema_name, table_name, NULL::VARCHAR AS table_acl, 'TABLE' AS table_type, comment AS remarks
		FROM duckdb_tables() WHERE NOT internal AND NOT temporary AND schema_name NOT IN ('main', 'penstock') AND NOT starts_with(table_name, 'penstock$')
		UNION ALL
		SELECT database_name, schema_name, view_name, NULL, CASE WHEN comment = '` + splitNote + `' THEN 'TABLE' ELSE 'VIEW' END, nullif(comment, '` + splitNote + `')
		FROM duckdb_views() WHERE NOT internal AND NOT temporary AND schema_name NOT IN ('main', 'penstock')`,
	`CREATE VIEW svv_redshift_tables AS SELECT database_name, schema_name, table_name, table_type, table_acl, remarks FROM svv_all_tables`,
	`CREATE VIEW svv_tables AS
		SELECT database_name AS table_catalog, schema_name AS table_schema, table_name,
			CASE table_type WHEN 'TABLE' THEN 'BASE TABLE' ELSE table_type END AS table_type, remarks
		FROM svv_all_tables WHERE database_name = current_database()`,

	`CREATE VIEW svv_all_columns AS
		SELECT database_name, schema_name, table_name, column_name, column_index AS ordinal_position,
			coalesce(penstock_note(comment) ->> '$.default', column_default) AS column_default, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
			regexp_replace(penstock_type(comment, data_type), '\(.*\)', '') AS data_type,
			TRY_CAST(regexp_extract(penstock_type(comment, data_type), 'character.*\(([0-9]+)\)', 1) AS INTEGER) AS character_maximum_length,
			coalesce(TRY_CAST(regexp_extract(penstock_type(comment, data_type), 'numeric\(([0-9]+)', 1) AS INTEGER),
				CASE data_type WHEN 'SMALLINT' THEN 16 WHEN 'INTEGER' THEN 32 WHEN 'BIGINT' THEN 64 WHEN 'FLOAT' THEN 24 WHEN 'DOUBLE' THEN 53 END) AS numeric_precision,
			TRY_CAST(regexp_extract(penstock_type(comment, data_type), 'numeric\([0-9]+, *([0-9]+)', 1) AS INTEGER) AS numeric_scale,
			CASE WHEN NOT starts_with(comment, 'penstock:') THEN comment END AS remarks
		FROM duckdb_columns() WHERE NOT internal AND schema_name NOT IN ('main', 'penstock') AND database_name <> 'temp' AND NOT starts_with(table_name, 'penstock$')`,
	`CREATE VIEW svv_redshift_columns AS
		SELECT database_name, schema_name, table_name, column_name, ordinal_position, data_type, column_default, is_nullable,
			NULL::VARCHAR AS encoding, NULL::BOOLEAN AS distkey, NULL::INTEGER AS sortkey, NULL::VARCHAR AS column_acl, remarks
		FROM svv_all_columns`,
	`CREATE VIEW svv_columns AS
		SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, column_name, ordinal_position, column_default, is_nullable,
			data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
		FROM svv_all_columns WHERE database_name = current_database()`,

	`CREATE VIEW svv_redshift_databases AS
		SELECT database_name, max(CASE WHEN name = 'owner' THEN value END) AS database_owner_name, CAST(100 AS INTEGER) AS database_owner,
			'local' AS database_type, NULL::VARCHAR AS database_acl, NULL::VARCHAR AS database_options, 'Snapshot Isolation' AS database_isolation_level
		FROM penstock_all_properties GROUP BY database_name`,
	`CREATE VIEW svv_redshift_schemas AS
		SELECT database_name, schema_name, CAST(100 AS INTEGER) AS schema_owner, 'local' AS schema_type, NULL::VARCHAR AS schema_acl, NULL::VARCHAR AS schema_option
		FROM duckdb_schemas() WHERE NOT internal AND schema_name NOT IN ('main', 'penstock') AND database_name <> '` + systemCatalog + `'`,

	`CREATE VIEW pg_table_def AS
		SELECT schema_name AS schemaname, table_name AS tablename, column_name AS "column", penstock_type(comment, data_type) AS type,
			coalesce(penstock_note(comment) ->> '$.encode', 'none') AS encoding, coalesce((penstock_note(comment) ->> '$.distkey') = 'true', false) AS distkey,
			coalesce(TRY_CAST(penstock_note(comment) ->> '$.sortkey' AS INTEGER), 0) AS sortkey, NOT is_nullable AS "notnull"
		FROM duckdb_columns() WHERE NOT internal AND schema_name NOT IN ('main', 'penstock') AND database_name = current_database() AND NOT starts_with(table_name, 'penstock$')`,
}
