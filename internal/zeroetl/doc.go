package zeroetl

// The states of an integration and what moves it between them. Rows are where it is, columns what happens;
// "-" is refused with a fault of kind State. Everything goes through next, which is this table.
//
//	                 modify     delete    Activated  Syncing  Faulted            Repaired  Removed
//	creating         -          -         active     -        failed             -         -
//	active           modifying  deleting  active     syncing  needs_attention,   active    -
//	                                                          failed
//	syncing          modifying  deleting  active     syncing  needs_attention,   active    -
//	                                                          failed
//	modifying        -          -         active     -        needs_attention,   active    -
//	                                                          failed
//	needs_attention  modifying  deleting  -          syncing  needs_attention,   active    -
//	                                                          failed
//	failed           modifying  deleting  -          -        needs_attention,   active    -
//	                                                          failed
//	deleting         -          -         -          -        -                  -         gone
//
// Rules behind it:
//
//   - creating, modifying and deleting are set in the request itself, so that a client that polls never
//     sees an older status after its call was answered. They last as long as supervise needs.
//   - Nothing leads from creating to syncing or needs_attention: Terraform waits for active alone and takes
//     any other status for a failure, and before the first active no table can be in trouble. Creation that
//     cannot succeed is failed.
//   - Every report may come twice, since supervise may die after making it: a report that finds its work
//     done changes nothing. Repaired is not Activated, so that a late Activated of an earlier creation
//     cannot hide a fault reported since.
//   - Problems are what was last reported; active and syncing have none. modifying and deleting keep them.
//   - A failed integration can be repaired (its bucket came back) or deleted. An integration in creation
//     cannot be deleted; creation ends by itself.
