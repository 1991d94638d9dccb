/// <reference types="node" />
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";

import type { SearchRequest } from "../api/types";
import { form } from "./searchForm.fixtures";
import { toRequest } from "./searchRequest";
import { commandSnippet, curlSnippet, pythonLiteral, pythonSnippet, shellWord } from "./snippets";

const API = "http://127.0.0.1:8080/api/v1";
const NAMES = [
  "plain",
  'it\'s $(touch x) `y` "z" !! \\',
  "''; rm -rf ~ #",
  "Ünïcode 网络 🦅 \u2028",
  "two\nlines\tand\ttabs\r",
  "END",
  "<<'END'",
];
const request = (name: string): SearchRequest => ({ ...toRequest(form()), name });

/** What a shell makes of a script, of which every command is replaced by one that prints its arguments. */
const shell = (script: string): string => execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });

describe("shellWord", () => {
  it("is one word, whatever is in it", () => {
    expect([shellWord("net.v2.pt"), shellWord("my net.pt"), shellWord("")]).toEqual(["net.v2.pt", "'my net.pt'", "''"]);
    expect(shellWord("it's $(x).pt")).toBe("'it'\\''s $(x).pt'");
    expect(shellWord("--help")).toBe("'./--help'");
    for (const name of NAMES) expect(shell(`printf %s ${shellWord(name)}`)).toBe(name);
  });
});

describe("curl", () => {
  it("sends exactly the request, as a shell reads it", () => {
    for (const name of NAMES) {
      const said = shell(`curl() { printf '%s\\0' "$@"; }\n${curlSnippet(API, request(name))}`).split("\0");
      expect(said.slice(0, 3)).toEqual(["-sS", `${API}/searches`, "--json"]);
      expect(JSON.parse(said[3] ?? "")).toEqual(request(name));
    }
  });
});

describe("the worker's command", () => {
  const model = { id: "m-1", format: "torchscript", input_shape: [1, 3, 32, 32] } as const;
  const told = { ...model, input_shape: [...model.input_shape] };

  it("writes exactly the request into its file", () => {
    for (const name of NAMES) {
      const snippet = commandSnippet(API, request(name), told, { kind: "idx", labelled: true });
      const script = `curl() { :; }\ncd "$(mktemp -d)" && ${snippet.split("eagleeye-worker")[0]}\ncat request.json`;
      expect(JSON.parse(shell(script))).toEqual(request(name));
    }
  });

  it("names files of the model's format, and labels where they are a file of their own", () => {
    const last = (...rest: [Parameters<typeof commandSnippet>[2], Parameters<typeof commandSnippet>[3]]) =>
      commandSnippet(API, request("x"), ...rest)
        .trim()
        .split("\n")
        .at(-1);
    expect(last(told, { kind: "idx", labelled: true })).toBe(
      "eagleeye-worker search model.pt --input-shape 1,3,32,32 --images IMAGES --labels LABELS --request request.json --out pruned.onnx",
    );
    expect(last({ ...told, format: "onnx" }, { kind: "zip", labelled: true })).toBe(
      "eagleeye-worker search model.onnx --input-shape 1,3,32,32 --images IMAGES --request request.json --out pruned.onnx",
    );
    expect(last(told, { kind: "idx", labelled: false })).not.toContain("--labels");
  });
});

describe("Python", () => {
  it("has JSON's values as its own", () => {
    expect(pythonLiteral({ a: null, b: [true, false], c: [0.5, 1e-7], d: [], e: {}, f: undefined })).toBe(
      '{\n    "a": None,\n    "b": [\n        True,\n        False,\n    ],\n    "c": [0.5, 1e-7],\n    "d": [],\n    "e": {},\n}',
    );
  });

  it("keeps quotes, line breaks and other scripts as they are", () => {
    expect(pythonLiteral('it\'s "x"\n\\ 网络')).toBe('"it\'s \\"x\\"\\n\\\\ 网络"');
    expect(pythonSnippet(API, request("it's"))).toContain('"name": "it\'s",');
    expect(pythonSnippet(API, request("x"))).toContain(`"${API}/searches"`);
  });
});
