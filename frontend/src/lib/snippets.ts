// A search's request as something to paste elsewhere: a command for curl, a Python program, a command of the worker.

import type { Dataset, ModelSummary, SearchRequest } from "../api/types";

/** A word of a command line, as a shell reads it; one that looks like an option is made a path. */
export function shellWord(word: string): string {
  if (/^[A-Za-z0-9._/=,:+@%][A-Za-z0-9._/=,:+@%-]*$/.test(word)) return word;
  const path = word.startsWith("-") ? `./${word}` : word;
  return quoted(path);
}

/** A text between single quotes, whatever is in it. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const json = (value: unknown): string => JSON.stringify(value, null, 2);

/**
 * Queues the search by curl.
 *
 * @param api where the REST API is, such as `http://127.0.0.1:8080/api/v1`
 */
export const curlSnippet = (api: string, request: SearchRequest): string =>
  `curl -sS ${shellWord(`${api}/searches`)} --json ${quoted(json(request))}\n`;

/** Queues the search by Python's standard library, and prints the search's id, or what is wrong with the request. */
export const pythonSnippet = (api: string, request: SearchRequest): string => `import json
import urllib.error
import urllib.request

search = ${pythonLiteral(request)}

call = urllib.request.Request(
    ${JSON.stringify(`${api}/searches`)},
    data=json.dumps(search).encode(),
    headers={"Content-Type": "application/json"},
)
try:
    with urllib.request.urlopen(call) as answer:
        print(json.load(answer)["id"])
except urllib.error.HTTPError as error:
    raise SystemExit(error.read().decode())
`;

/** A value of JSON as Python writes it. Strings are the same in both: JSON's escapes are Python's. */
export function pythonLiteral(value: unknown, indent = ""): string {
  const inner = `${indent}    `;
  const block = (open: string, lines: string[], close: string): string =>
    lines.length === 0
      ? open + close
      : `${open}\n${lines.map((line) => `${inner}${line},\n`).join("")}${indent}${close}`;
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one === "number")) return `[${value.join(", ")}]`;
    return block(
      "[",
      value.map((one) => pythonLiteral(one, inner)),
      "]",
    );
  }
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    return block(
      "{",
      entries.map(([name, one]) => `${JSON.stringify(name)}: ${pythonLiteral(one, inner)}`),
      "}",
    );
  }
  return JSON.stringify(value);
}

/** What stands for a file that only the reader knows. */
const IMAGES = "IMAGES";
const LABELS = "LABELS";

/**
 * Fetches the model and searches without the server. Where the dataset lies, only the reader knows: the server keeps its content and
 * gives no file of it.
 */
export function commandSnippet(
  api: string,
  request: SearchRequest,
  model: Pick<ModelSummary, "id" | "format" | "input_shape">,
  dataset: Pick<Dataset, "kind" | "labelled">,
): string {
  const file = model.format === "onnx" ? "model.onnx" : "model.pt";
  const labels = dataset.kind === "idx" && dataset.labelled ? ` --labels ${LABELS}` : "";
  return `curl -sS -o ${file} ${shellWord(`${api}/models/${model.id}/file`)}
cat > request.json <<'END'
${json(request)}
END
eagleeye-worker search ${file} --input-shape ${model.input_shape.join(",")} --images ${IMAGES}${labels} --request request.json --out pruned.onnx
`;
}
