// Is the client the one that the server's own description gives? `npm run generate` makes it anew.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const made = "src/api/schema.d.ts";
const described = spawnSync("../.venv/bin/python", ["../docs/generate.py", "openapi"], {
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
});
if (described.status !== 0) {
  process.stderr.write(described.stderr);
  process.exit(2);
}
const wanted = astToString(await openapiTS(JSON.parse(described.stdout), { defaultNonNullable: false }));
const body = (text) => text.slice(text.indexOf("export interface paths"));
if (body(readFileSync(made, "utf8")).trim() !== body(wanted).trim()) {
  process.stderr.write(`${made} is not current. To mend it: npm run generate\n`);
  process.exit(1);
}
