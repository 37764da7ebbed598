// An MCP client in JavaScript, driven line by line.
//
//   node client.mjs '{"sdk": "v1" | "v2", "mode": "legacy" | "auto", "timeout": MILLISECONDS, "server": SERVER}'
//
// SERVER is {"url": …, "headers": {…}}, or {"command": …, "args": […], "env": {…}} over stdio. Each line of standard input is a call,
// {"id": …, "tool": …, "arguments": {…}}, answered by a line {"id": …, "result": …} or {"id": …, "error": …}, in the
// order in which the calls end. It ends with its standard input.

import { createInterface } from "node:readline";

const { sdk, mode, timeout, server } = JSON.parse(process.argv[2]);
const { Client, StreamableHTTPClientTransport, StdioClientTransport } = await load(sdk);

const transport = server.url
  ? new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers } })
  : new StdioClientTransport({ ...server, stderr: "inherit" });
const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
await client.connect(transport);
for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line));
await client.close();

async function load(version) {
  if (version === "v2") {
    const modules = [import("@modelcontextprotocol/client"), import("@modelcontextprotocol/client/stdio")];
    return Object.assign({}, ...(await Promise.all(modules)));
  }
  const parts = ["index", "stdio", "streamableHttp"];
  const modules = parts.map((part) => import(`@modelcontextprotocol/sdk/client/${part}.js`));
  return Object.assign({}, ...(await Promise.all(modules)));
}

async function answer({ id, tool, arguments: given }) {
  const params = { name: tool, arguments: given };
  // The second argument of v1 is a schema.
  const call = sdk === "v2" ? client.callTool(params, { timeout }) : client.callTool(params, undefined, { timeout });
  const answered = await call.then(
    (result) => ({ id, result }),
    (error) => ({ id, error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(answered)}\n`);
}
