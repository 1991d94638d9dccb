// Writes the ranking of candidates, which the server's document has, as a module of the page; with --check only compares.
import { readFileSync, writeFileSync } from "node:fs";

const DOCUMENT = new URL("../../docs/openapi.json", import.meta.url);
const MODULE = new URL("../src/api/ranking.gen.ts", import.meta.url);

const { paths } = JSON.parse(readFileSync(DOCUMENT, "utf8"));
const ranking = paths["/api/v1/searches/{id}/candidates"].get["x-ranking"];
const text = `/**
 * This file was made by scripts/ranking.js from docs/openapi.json.
 * Do not make direct changes to the file.
 */

/** What candidates are ranked by, best first; a criterion decides where all before it leave a tie. */
export const RANKING = ${JSON.stringify(ranking, undefined, 2)} as const;
`;

if (!process.argv.includes("--check")) {
  writeFileSync(MODULE, text);
} else if (readFileSync(MODULE, "utf8") !== text) {
  console.error("src/api/ranking.gen.ts is not the ranking of docs/openapi.json: run `npm run generate`");
  process.exitCode = 1;
}
