// What a file is, by its first bytes and its name, before anything is uploaded.

/** `network` and `weights` make a model; all others but `unknown` make a dataset, and a `zip` may be either. */
export type FileKind = "network" | "weights" | "images" | "labels" | "npz" | "parquet" | "archive" | "zip" | "unknown";

/** As much of a file as tells what it is. */
const HEAD = 1024;

/** Of a file that is no archive. An ONNX file has nothing at its beginning that others have not. */
const BY_NAME: [RegExp, FileKind][] = [
  [/\.onnx$/i, "network"],
  [/\.(onnx[._]?data|data|weights)$/i, "weights"],
  [/\.(pt|pth|ts|jit|torchscript)$/i, "network"],
  [/\.npz$/i, "npz"],
  [/\.parquet$/i, "parquet"],
  [/\.(tar|tgz|tar\.gz)$/i, "archive"],
  [/\.zip$/i, "zip"],
  [/idx3-ubyte(\.gz)?$/i, "images"],
  [/idx1-ubyte(\.gz)?$/i, "labels"],
];

/** Of a zip, by the name of the first file in it. TorchScript and NPZ files are zips, too. */
const BY_ENTRY: [RegExp, FileKind][] = [
  [/\.onnx(\.data)?$/i, "network"],
  [/\.npy$/i, "npz"],
  [/\.(png|jpe?g|cls)$/i, "archive"],
  [/(^|\/)(data\.pkl|constants\.pkl|version|byteorder|\.format_version|\.storage_alignment|code\/.*)$/, "network"],
];

const found = (table: [RegExp, FileKind][], name: string): FileKind | undefined =>
  table.find(([pattern]) => pattern.test(name))?.[1];

/** What a file is. Its content decides where it says anything. */
export async function kindOf(file: File): Promise<FileKind> {
  const named = found(BY_NAME, file.name);
  const head = await firstBytes(file.stream());
  if (starts(head, [0x50, 0x4b, 0x03, 0x04])) return found(BY_ENTRY, firstEntry(head)) ?? named ?? "zip";
  if (starts(head, [0x50, 0x41, 0x52, 0x31])) return "parquet";
  if (starts(head, [0x1f, 0x8b])) {
    const inside = await firstBytes(file.stream().pipeThrough(new DecompressionStream("gzip")));
    return idx(inside) ?? (isTar(inside) ? "archive" : (named ?? "unknown"));
  }
  return idx(head) ?? (isTar(head) ? "archive" : (named ?? "unknown"));
}

async function firstBytes(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const head = new Uint8Array(HEAD);
  let length = 0;
  try {
    while (length < HEAD) {
      const { value, done } = await reader.read();
      if (done) break;
      const part = value.subarray(0, HEAD - length);
      head.set(part, length);
      length += part.length;
    }
  } catch {
    // A damaged or unreadable file is what its name says; the server says what is wrong with it.
  }
  // The rest of the file is not read.
  await reader.cancel().catch(() => undefined);
  return head.subarray(0, length);
}

const starts = (bytes: Uint8Array, with_: number[]): boolean =>
  with_.every((byte, place) => bytes[place] === byte) && bytes.length >= with_.length;

/** An IDX file begins with two zeros, the type of its numbers and how many axes they have: one for labels. */
function idx(head: Uint8Array): FileKind | undefined {
  const [a, b, type = 0, axes = 0] = head;
  if (a !== 0 || b !== 0 || type < 8 || type > 14) return undefined;
  return axes === 1 ? "labels" : axes === 3 || axes === 4 ? "images" : undefined;
}

const isTar = (head: Uint8Array): boolean => new TextDecoder().decode(head.subarray(257, 262)) === "ustar";

/** The name in the zip's first local header, which says its length. */
function firstEntry(head: Uint8Array): string {
  const length = (head[26] ?? 0) + 256 * (head[27] ?? 0);
  return new TextDecoder().decode(head.subarray(30, 30 + length));
}
