package sqlite

import "github.com/penstock-io/penstock/internal/appint"

var dataIntegrations = &resourceKind[appint.DataIntegration]{
	table: "data_integration", subject: appint.SubjectDataIntegration, operation: "CreateDataIntegration", key: "id", other: "name",
	unique:   []uniqueColumn[appint.DataIntegration]{{"name", "name", func(v *appint.DataIntegration) string { return v.Name }}},
	children: "SELECT 1 FROM data_association WHERE integration_id = ?",
	entity: newEntity("data_integration", 1, []column[appint.DataIntegration]{
		{"number", func(v *appint.DataIntegration) any { return &v.Number }},
		{"id", func(v *appint.DataIntegration) any { return &v.ID }},
		{"arn", func(v *appint.DataIntegration) any { return &v.ARN }},
		{"name", func(v *appint.DataIntegration) any { return &v.Name }},
		{"description", func(v *appint.DataIntegration) any { return &v.Description }},
		{"kms_key", func(v *appint.DataIntegration) any { return &v.KMSKey }},
		{"source_uri", func(v *appint.DataIntegration) any { return &v.SourceURI }},
		{"schedule_expression", func(v *appint.DataIntegration) any { return &v.Schedule.Expression }},
		{"first_execution_from", func(v *appint.DataIntegration) any { return &v.Schedule.FirstExecutionFrom }},
		{"schedule_object", func(v *appint.DataIntegration) any { return &v.Schedule.Object }},
		{"folders", func(v *appint.DataIntegration) any { return &v.Files.Folders }},
		{"filters", func(v *appint.DataIntegration) any { return &v.Files.Filters }},
		{"objects", func(v *appint.DataIntegration) any { return &v.Objects }},
		{"tags", func(v *appint.DataIntegration) any { return &v.Tags }},
		{"associated", func(v *appint.DataIntegration) any { return &v.Associated }},
		{"created", func(v *appint.DataIntegration) any { return &v.Created }},
	}),
	number: func(v *appint.DataIntegration) *int64 { return &v.Number },
	id:     func(v *appint.DataIntegration) *string { return &v.ID },
	keep: func(old, v *appint.DataIntegration) {
		v.Number, v.ID, v.ARN, v.Created = old.Number, old.ID, old.ARN, old.Created
	},
}

var associations = &resourceKind[appint.Association]{
	table: "data_association", subject: appint.SubjectAssociation, operation: "CreateDataIntegrationAssociation", key: "id",
	parent: parentKind[appint.Association]{"integration_id", "data_integration", "id", appint.SubjectDataIntegration, func(v *appint.Association) string { return v.IntegrationID }},
	entity: newEntity("data_association", 1, []column[appint.Association]{
		{"number", func(v *appint.Association) any { return &v.Number }},
		{"id", func(v *appint.Association) any { return &v.ID }},
		{"arn", func(v *appint.Association) any { return &v.ARN }},
		{"integration_id", func(v *appint.Association) any { return &v.IntegrationID }},
		{"client_id", func(v *appint.Association) any { return &v.ClientID }},
		{"objects", func(v *appint.Association) any { return &v.Objects }},
		{"metadata", func(v *appint.Association) any { return &v.Metadata }},
		{"mode", func(v *appint.Association) any { return &v.Run.Mode }},
		{"start_time", func(v *appint.Association) any { return &v.Run.StartTime }},
		{"end_time", func(v *appint.Association) any { return &v.Run.EndTime }},
		{"schedule_expression", func(v *appint.Association) any { return &v.Run.Schedule.Expression }},
		{"first_execution_from", func(v *appint.Association) any { return &v.Run.Schedule.FirstExecutionFrom }},
		{"schedule_object", func(v *appint.Association) any { return &v.Run.Schedule.Object }},
		{"name", func(v *appint.Association) any { return &v.Plan.Name }},
		{"source_uri", func(v *appint.Association) any { return &v.Plan.SourceURI }},
		{"destination_uri", func(v *appint.Association) any { return &v.Plan.DestinationURI }},
		{"object", func(v *appint.Association) any { return &v.Plan.Object }},
		{"plan_objects", func(v *appint.Association) any { return &v.Plan.Objects }},
		{"folders", func(v *appint.Association) any { return &v.Plan.Folders }},
		{"filters", func(v *appint.Association) any { return &v.Plan.Filters }},
		{"last_execution", func(v *appint.Association) any { return &v.Last.ExecutionID }},
		{"last_status", func(v *appint.Association) any { return &v.Last.Status }},
		{"last_message", func(v *appint.Association) any { return &v.Last.Message }},
		{"tags", func(v *appint.Association) any { return &v.Tags }},
		{"created", func(v *appint.Association) any { return &v.Created }},
		{"expression", func(v *appint.Association) any { return &v.Expression }},
		{"anchor", func(v *appint.Association) any { return &v.Anchor }},
		{"next_due", func(v *appint.Association) any { return &v.NextDue }},
		{"since", func(v *appint.Association) any { return &v.Since }},
	}),
	number: func(v *appint.Association) *int64 { return &v.Number },
	id:     func(v *appint.Association) *string { return &v.ID },
	keep: func(old, v *appint.Association) {
		v.Number, v.ID, v.ARN, v.IntegrationID, v.Created = old.Number, old.ID, old.ARN, old.IntegrationID, old.Created
	},
}

var executions = &resourceKind[appint.Execution]{
	table: "execution", subject: appint.SubjectExecution, key: "id",
	entity: newEntity("execution", 1, []column[appint.Execution]{
		{"number", func(v *appint.Execution) any { return &v.Number }},
		{"id", func(v *appint.Execution) any { return &v.ID }},
		{"association_id", func(v *appint.Execution) any { return &v.AssociationID }},
		{"integration_id", func(v *appint.Execution) any { return &v.IntegrationID }},
		{"trigger_kind", func(v *appint.Execution) any { return &v.Trigger }},
		{"status", func(v *appint.Execution) any { return &v.Status }},
		{"message", func(v *appint.Execution) any { return &v.Message }},
		{"name", func(v *appint.Execution) any { return &v.Plan.Name }},
		{"source_uri", func(v *appint.Execution) any { return &v.Plan.SourceURI }},
		{"destination_uri", func(v *appint.Execution) any { return &v.Plan.DestinationURI }},
		{"object", func(v *appint.Execution) any { return &v.Plan.Object }},
		{"plan_objects", func(v *appint.Execution) any { return &v.Plan.Objects }},
		{"folders", func(v *appint.Execution) any { return &v.Plan.Folders }},
		{"filters", func(v *appint.Execution) any { return &v.Plan.Filters }},
		{"window_from", func(v *appint.Execution) any { return &v.From }},
		{"window_to", func(v *appint.Execution) any { return &v.To }},
		{"incremental", func(v *appint.Execution) any { return &v.Incremental }},
		{"not_before", func(v *appint.Execution) any { return &v.NotBefore }},
		{"requested", func(v *appint.Execution) any { return &v.Requested }},
		{"started", func(v *appint.Execution) any { return &v.Started }},
		{"ended", func(v *appint.Execution) any { return &v.Ended }},
		{"attempts", func(v *appint.Execution) any { return &v.Attempts }},
		{"cancel", func(v *appint.Execution) any { return &v.Cancel }},
		{"files", func(v *appint.Execution) any { return &v.Progress.Files }},
		{"files_total", func(v *appint.Execution) any { return &v.Progress.FilesTotal }},
		{"rows", func(v *appint.Execution) any { return &v.Progress.Rows }},
		{"rows_total", func(v *appint.Execution) any { return &v.Progress.RowsTotal }},
		{"bytes", func(v *appint.Execution) any { return &v.Progress.Bytes }},
		{"bytes_total", func(v *appint.Execution) any { return &v.Progress.BytesTotal }},
		{"mark", func(v *appint.Execution) any { return &v.Progress.Mark }},
	}),
	number: func(v *appint.Execution) *int64 { return &v.Number },
	id:     func(v *appint.Execution) *string { return &v.ID },
}

var eventIntegrations = &resourceKind[appint.EventIntegration]{
	table: "event_integration", subject: appint.SubjectEventIntegration, operation: "CreateEventIntegration", key: "name",
	children: "SELECT 1 FROM event_association WHERE integration = ?",
	entity: newEntity("event_integration", 1, []column[appint.EventIntegration]{
		{"number", func(v *appint.EventIntegration) any { return &v.Number }},
		{"name", func(v *appint.EventIntegration) any { return &v.Name }},
		{"arn", func(v *appint.EventIntegration) any { return &v.ARN }},
		{"description", func(v *appint.EventIntegration) any { return &v.Description }},
		{"source", func(v *appint.EventIntegration) any { return &v.Source }},
		{"bus", func(v *appint.EventIntegration) any { return &v.Bus }},
		{"tags", func(v *appint.EventIntegration) any { return &v.Tags }},
		{"created", func(v *appint.EventIntegration) any { return &v.Created }},
	}),
	number: func(v *appint.EventIntegration) *int64 { return &v.Number },
	id:     func(v *appint.EventIntegration) *string { return &v.Name },
	keep: func(old, v *appint.EventIntegration) {
		v.Number, v.Name, v.ARN, v.Created = old.Number, old.Name, old.ARN, old.Created
	},
}

var eventAssociations = &resourceKind[appint.EventAssociation]{
	table: "event_association", subject: appint.SubjectEventAssociation, key: "id",
	parent: parentKind[appint.EventAssociation]{"integration", "event_integration", "name", appint.SubjectEventIntegration, func(v *appint.EventAssociation) string { return v.Integration }},
	entity: newEntity("event_association", 1, []column[appint.EventAssociation]{
		{"number", func(v *appint.EventAssociation) any { return &v.Number }},
		{"id", func(v *appint.EventAssociation) any { return &v.ID }},
		{"arn", func(v *appint.EventAssociation) any { return &v.ARN }},
		{"integration", func(v *appint.EventAssociation) any { return &v.Integration }},
		{"client_id", func(v *appint.EventAssociation) any { return &v.ClientID }},
		{"rule", func(v *appint.EventAssociation) any { return &v.Rule }},
		{"metadata", func(v *appint.EventAssociation) any { return &v.Metadata }},
		{"tags", func(v *appint.EventAssociation) any { return &v.Tags }},
		{"created", func(v *appint.EventAssociation) any { return &v.Created }},
	}),
	number: func(v *appint.EventAssociation) *int64 { return &v.Number },
	id:     func(v *appint.EventAssociation) *string { return &v.ID },
	keep: func(old, v *appint.EventAssociation) {
		v.Number, v.ID, v.ARN, v.Integration, v.Created = old.Number, old.ID, old.ARN, old.Integration, old.Created
	},
}

var applications = &resourceKind[appint.Application]{
	table: "application", subject: appint.SubjectApplication, operation: "CreateApplication", key: "id", typed: "type",
	unique: []uniqueColumn[appint.Application]{
		{"name", "name", func(v *appint.Application) string { return v.Name }},
		{"namespace", "namespace", func(v *appint.Application) string { return v.Namespace }},
	},
	children: "SELECT 1 FROM application_association WHERE application_id = ?",
	entity: newEntity("application", 1, []column[appint.Application]{
		{"number", func(v *appint.Application) any { return &v.Number }},
		{"id", func(v *appint.Application) any { return &v.ID }},
		{"arn", func(v *appint.Application) any { return &v.ARN }},
		{"name", func(v *appint.Application) any { return &v.Name }},
		{"namespace", func(v *appint.Application) any { return &v.Namespace }},
		{"description", func(v *appint.Application) any { return &v.Description }},
		{"access_url", func(v *appint.Application) any { return &v.AccessURL }},
		{"origins", func(v *appint.Application) any { return &v.Origins }},
		{"subscriptions", func(v *appint.Application) any { return &v.Subscriptions }},
		{"publications", func(v *appint.Application) any { return &v.Publications }},
		{"permissions", func(v *appint.Application) any { return &v.Permissions }},
		{"is_service", func(v *appint.Application) any { return &v.IsService }},
		{"timeout", func(v *appint.Application) any { return &v.Timeout }},
		{"contact_handling", func(v *appint.Application) any { return &v.ContactHandling }},
		{"iframe_allow", func(v *appint.Application) any { return &v.IframeAllow }},
		{"iframe_sandbox", func(v *appint.Application) any { return &v.IframeSandbox }},
		{"type", func(v *appint.Application) any { return &v.Type }},
		{"tags", func(v *appint.Application) any { return &v.Tags }},
		{"created", func(v *appint.Application) any { return &v.Created }},
		{"modified", func(v *appint.Application) any { return &v.Modified }},
	}),
	number: func(v *appint.Application) *int64 { return &v.Number },
	id:     func(v *appint.Application) *string { return &v.ID },
	keep: func(old, v *appint.Application) {
		v.Number, v.ID, v.ARN, v.Namespace, v.Created = old.Number, old.ID, old.ARN, old.Namespace, old.Created
	},
}

var applicationAssociations = &resourceKind[appint.ApplicationAssociation]{
	table: "application_association", subject: appint.SubjectApplicationAssociation, key: "id",
	parent: parentKind[appint.ApplicationAssociation]{"application_id", "application", "id", appint.SubjectApplication, func(v *appint.ApplicationAssociation) string { return v.ApplicationID }},
	entity: newEntity("application_association", 1, []column[appint.ApplicationAssociation]{
		{"number", func(v *appint.ApplicationAssociation) any { return &v.Number }},
		{"id", func(v *appint.ApplicationAssociation) any { return &v.ID }},
		{"arn", func(v *appint.ApplicationAssociation) any { return &v.ARN }},
		{"application_id", func(v *appint.ApplicationAssociation) any { return &v.ApplicationID }},
		{"client_id", func(v *appint.ApplicationAssociation) any { return &v.ClientID }},
		{"tags", func(v *appint.ApplicationAssociation) any { return &v.Tags }},
		{"created", func(v *appint.ApplicationAssociation) any { return &v.Created }},
	}),
	number: func(v *appint.ApplicationAssociation) *int64 { return &v.Number },
	id:     func(v *appint.ApplicationAssociation) *string { return &v.ID },
	keep: func(old, v *appint.ApplicationAssociation) {
		v.Number, v.ID, v.ARN, v.ApplicationID, v.Created = old.Number, old.ID, old.ARN, old.ApplicationID, old.Created
	},
}

// AppIntegrations returns the stores of package appint.
func (db *DB) AppIntegrations() appint.Stores {
	return appint.Stores{
		DataIntegrations: &Resources[appint.DataIntegration]{db, dataIntegrations},
		Associations:     &Associations{Resources[appint.Association]{db, associations}},
		Queue:            &Executions{db},
		History:          &Executions{db},

		EventIntegrations: &Resources[appint.EventIntegration]{db, eventIntegrations},
		EventAssociations: &Resources[appint.EventAssociation]{db, eventAssociations},

		Applications:            &Resources[appint.Application]{db, applications},
		ApplicationAssociations: &Resources[appint.ApplicationAssociation]{db, applicationAssociations},
	}
}
