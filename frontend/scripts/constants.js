// Writes what the page needs of the server's document at run time as modules of the page; with --check only compares.
import { readFileSync, writeFileSync } from "node:fs";

const DOCUMENT = new URL("../../docs/openapi.json", import.meta.url);
const MODULES = new URL("../src/api/", import.meta.url);

const { paths, components } = JSON.parse(readFileSync(DOCUMENT, "utf8"));

const constants = [
  {
    file: "ranking.gen.ts",
    says: "What candidates are ranked by, best first; a criterion decides where all before it leave a tie.",
    name: "RANKING",
    value: paths["/api/v1/searches/{id}/candidates"].get["x-ranking"],
  },
  {
    file: "tuneOptions.gen.ts",
    says: "The options of fine-tuning, by path: what they are, their ranges and their defaults.",
    name: "TUNE_OPTIONS",
    value: Object.fromEntries(options("TuneOptions", "")),
  },
];

/** The fields of a schema by their paths; those of an object within it have dots in them. */
function options(schema, prefix) {
  return Object.entries(components.schemas[schema].properties).flatMap(([name, field]) => {
    const inner = field.$ref?.split("/").at(-1);
    if (inner && components.schemas[inner].properties) return options(inner, `${prefix}${name}.`);
    const { description, format, $ref, ...rest } = { ...(inner && components.schemas[inner]), ...field };
    return [[prefix + name, rest]];
  });
}

let isStale = false;
for (const { file, says, name, value } of constants) {
  const address = new URL(file, MODULES);
  const text = `/**
 * This file was made by scripts/constants.js from docs/openapi.json.
 * Do not make direct changes to the file.
 */

/** ${says} */
export const ${name} = ${JSON.stringify(value, undefined, 2)} as const;
`;
  if (!process.argv.includes("--check")) {
    writeFileSync(address, text);
  } else if (readFileSync(address, "utf8") !== text) {
    console.error(`src/api/${file} is not what docs/openapi.json says: run \`npm run generate\``);
    isStale = true;
  }
}
if (isStale) process.exitCode = 1;
