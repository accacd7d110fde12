// Package transfer carries out the runs of data integrations: it moves files out of buckets, or records out of
// Salesforce, ServiceNow and Zendesk, into a bucket or into a table of a warehouse.
//
// # A run
//
// A run is one Job under one execution id. It gathers what it moves in a work directory of its own, and then shows
// it at the destination:
//
//	source            gather                      show
//	s3://             files.jsonl: the files      bucket: copies are staged unseen, then published, then the manifest
//	                  the window has              table:  one transaction with all rows and the run's mark
//	Salesforce:// ... part-*.jsonl: the records   bucket: encoded, staged unseen, then published, then the manifest
//	                                              table:  one transaction with all rows and the run's mark
//
// The work directory holds state.json, which says how far the run is; it is replaced as a whole and is on the disk
// before anyone is told. A process may die at any moment (invariant 9): a Run with the same Job goes on from there.
// Gathering goes on after the last page that state.json knows of; what was written after it is cut off. Staging
// goes on after the last object that staged.jsonl has; uploads it does not know of are abandoned. Publishing is
// done again from its beginning, which changes nothing about what is published. Names at the destination follow
// from the execution id, so nothing can be there twice.
//
// # What is seen when
//
// Nothing of a run is visible before everything of it is at the destination's store. Then its objects appear within
// moments of each other, and last of all the manifest, <prefix>/_manifest/<execution id>.json. Who must not act on
// a part of a run waits for the manifest; it stands apart so that loading the files below a prefix does not load it.
// In a warehouse the rows of a run appear at once. The run's mark commits with them, so a run that was interrupted
// just then is known to be complete (invariant 1); marks are kept for two days, and an older run in doubt fails
// rather than load twice.
//
// # Windows
//
// A window takes what was modified at its start or later and before its end, in whole seconds, since that is what
// the clocks of the sources have: windows that meet share nothing and leave nothing out.
package transfer
