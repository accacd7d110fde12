// Package sqlite keeps the domains' state in one SQLite file, metadata.db in the data directory.
//
// One process owns the directory: a lock file keeps a second one out. It writes through one connection, one
// transaction at a time, and reads through others beside it (WAL). A write that has returned nil is on the disk
// (synchronous=FULL); one that has begun is finished even if its context is cancelled meanwhile, so that a
// caller never wonders.
//
// Each domain has its own types: Integrations, Policies, Warehouses, Jobs, Statements, Documents; Resources,
// Associations and Executions of package appint. Since nobody else writes to the file, Integrations answers reads
// from memory.
//
// What is filtered, joined or unique has a column of its own, and so has every plain field; only lists and
// maps are JSON. The schema grows by numbered migrations, and a file written by a newer schema is refused.
package sqlite
