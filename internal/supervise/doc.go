// Package supervise makes true what the domains say should be true. It is the only crossing between the
// control plane, which writes desired state, and the data plane, which moves data.
//
// A pass compares desired with running and closes the gap, one thing at a time:
//
//	warehouse    creating: make it, report Created      deleting: stop its loaders, remove it, report Deleted
//	integration  creating: open its channel, Activated  modifying: Activated   deleting: close, Removed
//	             otherwise: look at source, channel and target; Faulted or Repaired
//	COPY job     AUTO ON and an open channel: a Loader runs   RUN asked for: a Loader runs once
//	             dropped: its Loader stops and its ledger goes
//
// A pass runs when Notify wakes it and every few seconds besides, so a lost wake-up delays work and loses
// none. A restart is the normal case: everything is rebuilt from the stores and the ledger (invariant 9).
// What fails in a pass is tried again in the next; one bad warehouse, integration or job never stops the
// others (invariant 7).
package supervise
