import { describe, expect, it } from "vitest";

import { kindOf } from "./fileKinds";

const file = (name: string, content: Uint8Array | string = ""): File => new File([content as BlobPart], name);

/** The beginning of a zip whose first file has a name. */
function zip(entry: string): Uint8Array {
  const name = new TextEncoder().encode(entry);
  const bytes = new Uint8Array(30 + name.length + 20);
  bytes.set([0x50, 0x4b, 0x03, 0x04]);
  bytes[26] = name.length;
  bytes.set(name, 30);
  return bytes;
}

const gzip = async (content: Uint8Array | string): Promise<Uint8Array> => {
  const packed = new Blob([content as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
};

const idx = (axes: number): Uint8Array => new Uint8Array([0, 0, 8, axes, 0, 0, 0, 9, 1, 2, 3]);

describe("kindOf", () => {
  it("knows files by their content, whatever they are called", async () => {
    expect(await kindOf(file("download", idx(3)))).toBe("images");
    expect(await kindOf(file("download (1)", await gzip(idx(1))))).toBe("labels");
    expect(await kindOf(file("model.zip", zip("resnet/data.pkl")))).toBe("network");
    expect(await kindOf(file("net.zip", zip("net.onnx")))).toBe("network");
    expect(await kindOf(file("train.zip", zip("images.npy")))).toBe("npz");
    expect(await kindOf(file("train.pt", zip("cats/1.png")))).toBe("archive");
    expect(await kindOf(file("shard.zip", zip("000017.cls")))).toBe("archive");
    expect(await kindOf(file("0000.bin", "PAR1\x15\x04"))).toBe("parquet");
  });

  it("goes by the name where the content says nothing", async () => {
    expect(await kindOf(file("net.onnx", "\x08\x07"))).toBe("network");
    expect(await kindOf(file("net.onnx.data", "\x01\x02"))).toBe("weights");
    expect(await kindOf(file("some.zip", zip("folder/")))).toBe("zip");
    expect(await kindOf(file("README.md", "# Read me"))).toBe("unknown");
    expect(await kindOf(file("train.tar.gz", await gzip("not a tar at all")))).toBe("archive");
    expect(await kindOf(file("t10k-images-idx3-ubyte.gz", "damaged"))).toBe("images");
    expect(await kindOf(file("empty.npz"))).toBe("npz");
    expect(await kindOf(file("empty.parquet"))).toBe("parquet");
  });
});
