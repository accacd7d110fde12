// The official client for JavaScript, against our server: lists, calls, fails, and waits to be told of a change.
// It prints one JSON object a line.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const say = (what, value) => console.log(JSON.stringify({ what, value }));
const client = new Client({ name: "conformance", version: "1" });
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]), {
  requestInit: { headers: { "X-User": "ann" } },
});
const changed = new Promise((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()));
await client.connect(transport);
say("server", client.getServerVersion());
say("capabilities", client.getServerCapabilities());
say("tools", (await client.listTools()).tools);
say("call", await client.callTool({ name: "jira_GetIssue", arguments: { key: "OPS-1" } }));
say("wrong", await client.callTool({ name: "jira_GetIssue", arguments: { key: 7 } }));
say("unknown", await client.callTool({ name: "no_such_tool", arguments: {} }).then(() => "accepted", (e) => e.code));
say("listening", true);
await changed;
say("changed", (await client.listTools()).tools.map((t) => t.name).sort());
await transport.terminateSession();
await client.close();

const stranger = new Client({ name: "stranger", version: "1" });
say("stranger", await stranger.connect(new StreamableHTTPClientTransport(new URL(process.argv[2]))).then(() => "accepted", (e) => String(e)));
process.exit(0);
