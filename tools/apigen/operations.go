package main

func writeErrors(p *printer, m *model) {
	p.use(module + "internal/wire")
	p.f("// The errors this service declares.")
	p.f("var (")
	for _, s := range m.shapes {
		if !s.isError {
			continue
		}
		message := "message"
		for _, mb := range s.members {
			if mb.goName == "Message" {
				message = mb.name
			}
		}
		p.f("Err%s = &wire.ErrorShape{Name: %q, Code: %q, Status: %d, Server: %t, MessageName: %q}",
			s.goName, s.name, s.code, s.status, s.serverSide, message)
	}
	p.f(")")
}

func writeOperations(p *printer, m *model) {
	p.use("context")
	p.use(module + "internal/identity")
	p.f("// APIVersion is the version of the API these shapes belong to.")
	p.f("const APIVersion = %q\n", m.version)
	p.f("// Operations has one field per operation of the service. A front fills in those it serves; the rest")
	p.f("// answer with the error this service has for an operation that is not offered. The input a handler")
	p.f("// gets has passed every constraint of the model.")
	p.f("type Operations struct {")
	for _, op := range m.operations {
		if op.output == nil {
			p.f("%s func(context.Context, identity.Caller, *%s) error", op.name, op.input.goName)
		} else {
			p.f("%s func(context.Context, identity.Caller, *%s) (*%s, error)", op.name, op.input.goName, op.output.goName)
		}
	}
	p.f("}")
}
