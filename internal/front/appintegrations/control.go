package appintegrations

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/ownapi"
)

// ControlPaths begin the paths that Control serves.
func ControlPaths() []string {
	return []string{"/_penstock/data-integrations/", "/_penstock/event-integrations/", "/_penstock/applications/"}
}

// Control serves what AWS has no public call for, JSON in and out: what associations do and did, and the making and
// deleting of associations. The requests have been authenticated. docs/reference/appintegrations.md describes it.
// Identifiers in paths are percent-encoded, as in the API.
func Control(s *appint.Service) http.Handler {
	c := control{s}
	mux := http.NewServeMux()
	const of = "/_penstock/data-integrations/{integration}/associations/{association}"
	mux.HandleFunc("GET "+of, c.association)
	mux.HandleFunc("DELETE "+of, c.deleteAssociation)
	mux.HandleFunc("GET "+of+"/executions", c.executions)
	mux.HandleFunc("POST "+of+"/executions", c.run)
	mux.HandleFunc("GET "+of+"/executions/{execution}", c.execution)
	mux.HandleFunc("POST "+of+"/executions/{execution}/cancel", c.cancel)
	mux.HandleFunc("POST /_penstock/event-integrations/{integration}/associations", c.associateEvents)
	mux.HandleFunc("DELETE /_penstock/event-integrations/{integration}/associations/{association}", c.deleteEventAssociation)
	mux.HandleFunc("POST /_penstock/applications/{application}/associations", c.associateApplication)
	mux.HandleFunc("DELETE /_penstock/applications/{application}/associations/{association}", c.deleteApplicationAssociation)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ownapi.Refuse(w, fault.New(fault.NotFound, "path", "%s %s is nothing here; docs/reference/appintegrations.md lists what there is", r.Method, r.URL.Path))
	})
	return mux
}

type control struct{ service *appint.Service }

// associationBody and executionBody are the JSON forms. Times are RFC 3339, absent while they are unknown.
type associationBody struct {
	ID             string            `json:"id"`
	ARN            string            `json:"arn"`
	IntegrationID  string            `json:"dataIntegrationId"`
	ClientID       string            `json:"clientId,omitempty"`
	SourceURI      string            `json:"sourceUri,omitempty"`
	DestinationURI string            `json:"destinationUri,omitempty"`
	Mode           appint.Mode       `json:"executionMode,omitempty"`
	Expression     string            `json:"scheduleExpression,omitempty"`
	NextDue        time.Time         `json:"nextDue,omitzero"`
	Since          time.Time         `json:"nextWindowFrom,omitzero"`
	Objects        appint.Objects    `json:"objectConfiguration,omitempty"`
	Metadata       map[string]string `json:"clientAssociationMetadata,omitempty"`
	LastExecution  string            `json:"lastExecution,omitempty"`
	LastStatus     appint.Status     `json:"lastStatus,omitempty"`
	LastMessage    string            `json:"lastMessage,omitempty"`
	Created        time.Time         `json:"created"`
}

type executionBody struct {
	ID            string         `json:"id"`
	AssociationID string         `json:"associationId"`
	Trigger       appint.Trigger `json:"trigger"`
	Status        appint.Status  `json:"status"`
	Message       string         `json:"message,omitempty"`
	From          time.Time      `json:"from,omitzero"`
	To            time.Time      `json:"to,omitzero"`
	Incremental   bool           `json:"incremental"`
	NotBefore     time.Time      `json:"notBefore,omitzero"`
	Requested     time.Time      `json:"requested"`
	Started       time.Time      `json:"started,omitzero"`
	Ended         time.Time      `json:"ended,omitzero"`
	Attempts      int            `json:"attempts"`
	Canceling     bool           `json:"canceling,omitempty"`
	Progress      progressBody   `json:"progress"`
}

type progressBody struct {
	Files      int64 `json:"files"`
	FilesTotal int64 `json:"filesTotal,omitempty"`
	Rows       int64 `json:"rows"`
	RowsTotal  int64 `json:"rowsTotal,omitempty"`
	Bytes      int64 `json:"bytes"`
	BytesTotal int64 `json:"bytesTotal,omitempty"`
}

func executionOf(e *appint.Execution) executionBody {
	p := e.Progress
	return executionBody{
		ID: e.ID, AssociationID: e.AssociationID, Trigger: e.Trigger, Status: e.Status, Message: e.Message, From: e.From, To: e.To, Incremental: e.Incremental,
		NotBefore: e.NotBefore, Requested: e.Requested, Started: e.Started, Ended: e.Ended, Attempts: e.Attempts, Canceling: e.Cancel && !e.Status.Done(),
		Progress: progressBody{p.Files, p.FilesTotal, p.Rows, p.RowsTotal, p.Bytes, p.BytesTotal},
	}
}

func (c control) association(w http.ResponseWriter, r *http.Request) {
	a, err := c.service.Association(r.Context(), r.PathValue("integration"), r.PathValue("association"))
	ownapi.Answer(w, associationBody{
		ID: a.ID, ARN: a.ARN, IntegrationID: a.IntegrationID, ClientID: a.ClientID, SourceURI: a.Plan.SourceURI, DestinationURI: a.Plan.DestinationURI,
		Mode: a.Run.Mode, Expression: a.Expression, NextDue: a.NextDue, Since: a.Since, Objects: a.Objects, Metadata: a.Metadata,
		LastExecution: a.Last.ExecutionID, LastStatus: a.Last.Status, LastMessage: a.Last.Message, Created: a.Created,
	}, err)
}

func (c control) deleteAssociation(w http.ResponseWriter, r *http.Request) {
	ownapi.Answer(w, struct{}{}, c.service.DeleteAssociation(r.Context(), r.PathValue("integration"), r.PathValue("association")))
}

func (c control) executions(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p := appint.Page{Token: query.Get("nextToken")}
	if text := query.Get("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			ownapi.Refuse(w, fault.New(fault.Invalid, "maxResults", "maxResults is %.40q; give a number of 1 to 50", text))
			return
		}
		p.Max = &n
	}
	list, token, err := c.service.Executions(r.Context(), r.PathValue("integration"), r.PathValue("association"), p)
	ownapi.Answer(w, struct {
		Executions []executionBody `json:"executions"`
		NextToken  string          `json:"nextToken,omitempty"`
	}{each(list, executionOf), token}, err)
}

func (c control) run(w http.ResponseWriter, r *http.Request) {
	var in struct {
		StartTime string `json:"startTime"`
		EndTime   string `json:"endTime"`
	}
	if !ownapi.Read(w, r, &in) {
		return
	}
	e, err := c.service.RunNow(r.Context(), r.PathValue("integration"), r.PathValue("association"), in.StartTime, in.EndTime)
	ownapi.Answer(w, executionOf(&e), err)
}

func (c control) execution(w http.ResponseWriter, r *http.Request) { c.one(w, r, c.service.Execution) }

func (c control) cancel(w http.ResponseWriter, r *http.Request) { c.one(w, r, c.service.Cancel) }

func (c control) one(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, integration, association, id string) (appint.Execution, error)) {
	e, err := do(r.Context(), r.PathValue("integration"), r.PathValue("association"), r.PathValue("execution"))
	ownapi.Answer(w, executionOf(&e), err)
}

type associated struct {
	ID   string `json:"id"`
	ARN  string `json:"arn"`
	Rule string `json:"eventBridgeRuleName,omitempty"`
}

func (c control) associateEvents(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID string            `json:"clientId"`
		Rule     string            `json:"eventBridgeRuleName"`
		Metadata map[string]string `json:"clientAssociationMetadata"`
	}
	if !ownapi.Read(w, r, &in) {
		return
	}
	a, err := c.service.CreateEventAssociation(r.Context(), appint.EventAssociationParams{
		Integration: r.PathValue("integration"), ClientID: in.ClientID, Rule: in.Rule, Metadata: in.Metadata,
	})
	ownapi.Answer(w, associated{a.ID, a.ARN, a.Rule}, err)
}

func (c control) deleteEventAssociation(w http.ResponseWriter, r *http.Request) {
	ownapi.Answer(w, struct{}{}, c.service.DeleteEventAssociation(r.Context(), r.PathValue("integration"), r.PathValue("association")))
}

func (c control) associateApplication(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID string `json:"clientId"`
	}
	if !ownapi.Read(w, r, &in) {
		return
	}
	a, err := c.service.CreateApplicationAssociation(r.Context(), r.PathValue("application"), in.ClientID)
	ownapi.Answer(w, associated{ID: a.ID, ARN: a.ARN}, err)
}

func (c control) deleteApplicationAssociation(w http.ResponseWriter, r *http.Request) {
	ownapi.Answer(w, struct{}{}, c.service.DeleteApplicationAssociation(r.Context(), r.PathValue("application"), r.PathValue("association")))
}
