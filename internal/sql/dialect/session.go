package dialect

import (
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// settings are the session parameters SET, SHOW and RESET accept, all of Redshift's that clients set.
var settings = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(`analyze_threshold_percent application_name bytea_output client_encoding
		client_min_messages cast_super_null_on_error datashare_break_glass_session_var datestyle
		default_geometry_encoding default_transaction_isolation describe_field_name_in_uppercase
		downcase_delimited_identifier enable_case_sensitive_identifier enable_case_sensitive_super_attribute
		enable_numeric_rounding enable_result_cache_for_session enable_vacuum_boost error_on_nondeterministic_update
		extra_float_digits idle_in_transaction_session_timeout interval_forbid_composite_literals
		json_parse_dedup_attributes json_parse_truncate_strings json_serialization_enable
		json_serialization_parse_nested_strings lock_timeout max_concurrency_scaling_clusters
		max_cursor_result_set_size mv_enable_aqmv_for_session navigate_super_null_on_error
		parse_super_null_on_error pg_federation_repeatable_read query_group search_path server_version
		spectrum_enable_pseudo_columns spectrum_query_maxerror standard_conforming_strings statement_timeout
		stored_proc_log_min_messages timezone transaction_isolation transaction_read_only
		use_fips_ssl wlm_query_slot_count`) {
		m[s] = true
	}
	return m
}()

func unknownSetting(name string) error {
	return fault.New(fault.Invalid, SubjectSetting, "unrecognized configuration parameter %q", name)
}

// settingName consumes the name of a setting. A dotted name is a user's own variable.
func (p *parser) settingName() string {
	name := p.anyName()
	if p.takeSym(".") {
		return foldName(name) + "." + foldName(p.anyName())
	}
	name = foldName(name)
	if p.err == nil && !settings[name] {
		p.fail(unknownSetting(name))
	}
	return name
}

func (p *parser) settingStatement() (Statement, error) {
	switch p.next().word {
	case "set":
		return p.setStatement()
	case "reset":
		switch {
		case p.take("all"):
			return done(p, &Reset{})
		case p.take("session", "authorization"):
			return nil, unsupported("RESET SESSION AUTHORIZATION is not supported yet.")
		}
		return done(p, &Reset{Name: p.settingName()})
	}
	return p.showStatement()
}

func (p *parser) setStatement() (Statement, error) {
	s := &Set{}
	if p.is("session", "authorization") {
		return nil, unsupported("SET SESSION AUTHORIZATION is not supported yet.")
	}
	if p.take("session", "characteristics", "as", "transaction") || p.take("transaction") {
		b := &Begin{}
		p.transactionModes(b)
		s.Name, s.Values = "transaction_isolation", []string{strings.ToLower(b.Isolation)}
		return done(p, s)
	}
	if t := p.peek(1); !t.sym("=") && !(t.kind == tWord && t.word == "to") {
		s.Local = p.take("local")
		if !s.Local {
			p.take("session")
		}
	}
	if p.take("time", "zone") {
		s.Name = "timezone"
		p.take("to")
	} else {
		s.Name = p.settingName()
		if !p.takeSym("=") {
			p.want("to")
		}
	}
	if p.take("default") {
		s.Default = true
		return done(p, s)
	}
	for p.err == nil {
		s.Values = append(s.Values, p.settingValue())
		if !p.takeSym(",") {
			break
		}
	}
	if s.Name == "search_path" {
		for _, v := range s.Values {
			if foldName(strings.Trim(v, `" `)) == internalSchema {
				return nil, deniedSchema()
			}
		}
	}
	return done(p, s)
}

func (p *parser) settingValue() string {
	t := p.tok()
	switch {
	case t.isString():
		return p.literal()
	case t.kind == tWord || t.kind == tQuoted:
		p.next()
		return t.word
	}
	neg := p.takeSym("-")
	if t = p.tok(); t.kind != tNumber {
		p.unexpected()
		return ""
	}
	p.next()
	v := p.src[t.pos:t.end]
	if neg {
		v = "-" + v
	}
	return v
}

func (p *parser) showStatement() (Statement, error) {
	if p.take("all") {
		return done(p, &Show{})
	}
	if p.take("time", "zone") {
		return done(p, &Show{Name: "timezone"})
	}
	o := &ShowObjects{What: p.oneOf("databases", "schemas", "tables", "columns", "table", "view")}
	switch o.What {
	case "":
		if w := p.oneOf("grants", "datashares", "procedure", "function", "external", "model", "parameters", "column", "masking", "rls"); w != "" {
			return nil, unsupported("SHOW %s is not supported yet.", strings.ToUpper(w))
		}
		if p.is("transaction", "isolation") {
			return done(p, &Show{Name: "transaction_isolation"})
		}
		return done(p, &Show{Name: p.settingName()})
	case "table", "view":
		o.Name = p.qualified()
		return done(p, o)
	case "schemas":
		p.want("from", "database")
		o.Name.Database = p.anyName()
	case "tables":
		p.want("from", "schema")
		n := p.qualified()
		if n.Database != "" {
			p.unexpected()
		}
		o.Name.Database, o.Name.Schema = n.Schema, n.Table
	case "columns":
		p.want("from", "table")
		o.Name = p.qualified()
	}
	if p.take("like") {
		o.Like = p.literal()
	}
	if p.take("limit") {
		t := p.tok()
		if o.Limit = p.number(); p.err == nil && (o.Limit < 1 || o.Limit > 10000) {
			return nil, at(p.src, int(t.pos), fault.Invalid, "LIMIT %s must be between 1 and 10000", strconv.Itoa(o.Limit))
		}
	}
	return done(p, o)
}
