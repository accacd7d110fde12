package appint

// # Executions
//
//	           asked for              taken                 COMPLETED
//	(nothing) ----------> WAITING ------------> RUNNING --> FAILED
//	                         |                     |
//	                         +------> CANCELED <---+
//
// An execution is stored before it begins, by the same transaction that makes or updates the association or that
// moves the schedule on. At most one execution of an association is RUNNING, and they start in the order they were
// asked for. One that was RUNNING when the process died still is, and is started again with the mark it saved last.
//
// # Windows
//
// A window is half open: what was modified at From or later and before To. Executions on demand have the window
// they were asked for. Incremental ones, of schedules and of requests without a window, continue where the last
// successful one ended, so that together they cover time without gap or overlap; after a failure the next one
// covers the failed window too.
//
// What is modified in a second may become visible a moment later, and stores tell modification times in whole
// seconds. The end of an incremental window is therefore a whole second, and no incremental execution starts
// before Config.Settle has passed since then: a schedule's window ends that long before it is due, and a request
// waits.
//
// # Schedules
//
// A schedule that comes due while the association's last scheduled execution is still waiting extends that one's
// window. Whatever was missed while the server was down is made up for by one execution.
