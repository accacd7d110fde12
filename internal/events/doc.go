// Package events carries the events of event integrations: it takes webhooks in, keeps each event until it is
// delivered, and delivers it to the target of its bus.
//
//	POST /app-integrations.webhooks/<path>  ->  Webhooks  ->  Outbox  ->  Dispatcher  ->  Target of the bus
//
// A webhook is answered 202 once its event is durable (invariant 6). From then on the event is delivered at least
// once: after a failure that may pass it is tried again, with pauses that grow, until it is too old; after any other
// it is dead at once. Dead events stay, with the reason, until somebody replays or deletes them (invariant 5). What
// was delivered stays for a while, too, so that a sender's repetition is known for what it is.
//
// A sender that says which delivery it is, or when it signed it, may send the same again: the event's id follows
// from that, and an event is kept once per bus and id.
//
// Each bus has its own worker, so one whose target is down holds up no other (invariant 7).
package events
