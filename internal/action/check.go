package action

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// CheckMode says how much Run tries a connector's credentials.
type CheckMode string

const (
	CheckLenient CheckMode = "lenient" // what is refused fails; what cannot be reached is kept as unverified
	CheckStrict  CheckMode = "strict"  // what cannot be reached fails, too
	CheckOff     CheckMode = "off"     // nothing is tried
)

// Checker tries credentials at a vendor.
type Checker interface {
	// Checks reports whether the vendor has a call that is good for trying these.
	Checks(t Type, a AuthType) bool
	// Check makes that call. Credentials that the vendor refuses are Denied with its reason; any other error means
	// that nobody knows.
	Check(ctx context.Context, c *Connector, credentials *Credentials) error
}

// checksAtOnce is how many connectors are tried at the same time.
const checksAtOnce = 8

// lookEvery is how often Run looks for work that nobody told it of.
const lookEvery = 30 * time.Second

// tries reports whether there is anything to try of c.
func (s *Service) tries(c *Connector) bool {
	if s.Checks == CheckOff {
		return false
	}
	return c.Auth.Type == ClientCredentials || c.Auth.Type != AuthorizationCode && s.Checker != nil && s.Checker.Checks(c.Type, c.Auth.Type)
}

func accepted(s Status) Status {
	if s == CreationInProgress {
		return CreationSuccessful
	}
	return UpdateSuccessful
}

func refused(s Status) Status {
	if s == CreationInProgress {
		return CreationFailed
	}
	return UpdateFailed
}

func (s *Service) awaken(c *Connector) {
	if !c.Status.InProgress() {
		return
	}
	s.nudge()
}

func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Recover marks what an earlier process has left undone. It must be called before the first call is made.
func (s *Service) Recover(ctx context.Context) error {
	n, err := s.Calls.CallsInterrupt(ctx, s.Now())
	if n > 0 {
		s.Log.Warn("calls of action connectors were under way when the server stopped; whether the vendors acted is not known", "calls", n)
	}
	return err
}

// Run checks connectors, writes records and forgets what is old, until ctx is done. It returns once everything it
// has begun has stopped and every record is written.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { s.check(ctx) })
	group.Go(func() { s.keepRecords(ctx) })
	group.Go(func() { s.keepGrants(ctx) })
	group.Wait()
	s.keeper.Wait()
	return ctx.Err()
}

// check starts a check for every connector that waits for one.
func (s *Service) check(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	var mu sync.Mutex
	busy := map[string]int64{} // revision being tried, by id
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		list, err := s.store.ConnectorPage(ctx, Filter{By: ByProgress}, "", 1000)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("cannot look for action connectors to check", "error", err)
		}
		for _, c := range list {
			mu.Lock()
			at, ok := busy[c.ID]
			start := (!ok || at != c.Revision) && len(busy) < checksAtOnce
			if start {
				busy[c.ID] = c.Revision
			}
			mu.Unlock()
			if !start {
				continue // its end wakes us
			}
			running.Go(func() {
				s.settle(ctx, c)
				mu.Lock()
				if busy[c.ID] == c.Revision {
					delete(busy, c.ID)
				}
				mu.Unlock()
				s.nudge()
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-look.C:
		}
	}
}

var errSuperseded = errors.New("the connector has changed since")

// settle tries c's credentials and stores what came of it.
func (s *Service) settle(ctx context.Context, c Connector) {
	trial, cancel := context.WithTimeout(ctx, s.CheckTime)
	err := s.try(trial, &c)
	cancel()
	if ctx.Err() != nil {
		return // the next process tries again
	}
	status, problem, unverified := accepted(c.Status), "", ""
	switch {
	case err == nil:
	case fault.KindOf(err) == fault.Denied && !refusedHere(err):
		status, problem = refused(c.Status), fault.Message(err)
	case s.Checks == CheckStrict:
		status, problem = refused(c.Status), "The credentials could not be tried: "+reason(err)
	default:
		unverified = reason(err)
	}
	_, err = s.store.ConnectorUpdate(ctx, c.ID, func(now *Connector) error {
		if now.Revision != c.Revision || !now.Status.InProgress() {
			return errSuperseded
		}
		now.Status, now.Error, now.Unverified = status, problem, unverified
		return nil
	})
	s.changed(c.ID)
	if err != nil && !errors.Is(err, errSuperseded) && fault.KindOf(err) != fault.NotFound && ctx.Err() == nil {
		s.Log.Error("cannot store the outcome of a check", "connector", c.ID, "error", err)
		return
	}
	s.Log.Info("action connector checked", "connector", c.ID, "type", c.Type, "status", status, "problem", problem, "unverified", unverified)
}

// refusedHere reports whether it was this server's own rules that kept a request from leaving: that says nothing about
// the credentials, and the rules may change.
func refusedHere(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if f, ok := err.(*fault.Error); ok && f.Subject == SubjectAddress { //nolint:errorlint // each link of the chain is looked at
			return true
		}
	}
	return false
}

// try makes the calls that prove c's credentials.
func (s *Service) try(ctx context.Context, c *Connector) error {
	credentials := &Credentials{service: s, connector: *c}
	if c.Auth.Type == ClientCredentials {
		if _, err := credentials.Authorization(ctx); err != nil {
			return err
		}
	}
	if s.Checker == nil || !s.Checker.Checks(c.Type, c.Auth.Type) {
		return nil
	}
	return s.Checker.Check(ctx, c, credentials)
}

// reason is err for a user, also when it is only a context that has run out.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the vendor did not answer in time"
	}
	return fault.Message(err)
}

// Test tries a connector's credentials for a user, "" for the caller, now. All it changes is that a connector whose
// credentials could not be tried before, or were refused, has been accepted once they are. The result says whether the vendor was asked anything; where there
// is nothing to ask, having the credentials is all that was proved.
func (s *Service) Test(ctx context.Context, caller identity.Caller, account, connectorID, user string) (bool, error) {
	c, user, err := s.admit(ctx, caller, account, connectorID, user)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.CheckTime)
	defer cancel()
	credentials := &Credentials{service: s, connector: c, user: user}
	if _, err := credentials.Authorization(ctx); err != nil {
		return false, err
	}
	asked := c.Auth.Type == ClientCredentials
	if s.Checker != nil && s.Checker.Checks(c.Type, c.Auth.Type) {
		asked = true
		if err := s.Checker.Check(ctx, &c, credentials); err != nil {
			return asked, err
		}
	}
	if c.Status.Failed() && !asked {
		return asked, nil // nothing was tried that could have failed before
	}
	return asked, s.verified(ctx, &c)
}

// verified notes that c's credentials have been tried after all, and were accepted.
func (s *Service) verified(ctx context.Context, c *Connector) error {
	if c.Unverified == "" && !c.Status.Failed() {
		return nil
	}
	_, err := s.store.ConnectorUpdate(ctx, c.ID, func(now *Connector) error {
		if now.Revision != c.Revision {
			return nil
		}
		switch now.Status {
		case CreationFailed:
			now.Status = CreationSuccessful
		case UpdateFailed:
			now.Status = UpdateSuccessful
		}
		now.Error, now.Unverified = "", ""
		return nil
	})
	s.changed(c.ID)
	return err
}
