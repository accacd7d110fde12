package action

// The states of a connector. Create and Update set one of the first column's states in the request itself and
// Run's check, which may take seconds, leads on:
//
//	CREATION_IN_PROGRESS  accepted  CREATION_SUCCESSFUL
//	                      refused   CREATION_FAILED, with the reason
//	UPDATE_IN_PROGRESS    accepted  UPDATE_SUCCESSFUL
//	                      refused   UPDATE_FAILED, with the reason
//
// Rules behind it:
//
//   - Where there is nothing to try (no authentication, a sign-in that each user makes, checks turned off) the
//     state is the successful one at once.
//   - A vendor that cannot be reached within the check's time has not refused anything: the connector is kept as
//     unverified and successful, unless checks are strict.
//   - An update supersedes a check that is under way: a check's result counts only for the revision it tried.
//   - A failed connector can be updated and deleted; its actions cannot be called. A test that its vendor passes makes
//     it successful: the vendor was away, or has let the credentials in meanwhile.
//   - Delete is immediate, with the grants and the document of the connector. Records of calls stay.
//   - A check that a crash interrupted is made again at the next start, since the state is still in progress.
//
// The states of a grant, which is the standing permission that a sign-in has earned:
//
//	              start    sign-in done  sign-in failed  refreshed  invalid_grant  client changed
//	(none)        pending
//	pending       -        active        failed          -          -              -
//	failed        pending  active        failed          -          -              -
//	active        active   active        active          active     needs-sign-in  needs-sign-in
//	needs-sign-in -        active        needs-sign-in   -          -              -
//
//   - A sign-in replaces the tokens of the same grant: whoever refers to it need not change anything.
//   - Only the vendor's word ends a grant. A network failure, a status of 500 or an answer that is no token never does.
//   - A grant is for the client and the endpoints it was made with. When an update changes one of them the tokens are
//     not sent anywhere any more, so that nobody who may edit a connector can collect its users' tokens.
//
// The states of a claim, which makes an idempotency key take effect once:
//
//	running  done         the first result, for every repetition
//	running  interrupted  the server stopped between the claim and the result: nobody knows whether the vendor acted
//
// The states of an approval:
//
//	pending  approved  the call runs, once; done or failed follow
//	pending  rejected
//	pending  expired
