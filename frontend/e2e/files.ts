// Small files of images, as people have them: an archive with a folder of pictures per class, and an NPZ.

import { crc32, deflateSync, gzipSync } from "node:zlib";

/** Pixels of a side. */
const SIDE = 28;

/** A grey image of a class: bright bands, of which each class has one more than the one before. */
const pixel = (label: number, image: number, row: number, column: number): number =>
  (column * (label + 1) + row + 37 * image) % SIDE < SIDE / 2 ? 220 - (image % 5) * 20 : 15;

const be32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** A PNG of an image (ISO/IEC 15948). */
function png(label: number, image: number): Buffer {
  const chunk = (kind: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
    return Buffer.concat([be32(data.length), body, be32(crc32(body))]);
  };
  const rows = Array.from({ length: SIDE }, (_, row) =>
    // Each row begins with its filter: none.
    Buffer.from([0, ...Array.from({ length: SIDE }, (_, column) => pixel(label, image, row, column))]),
  );
  // Eight bits a pixel, grey, nothing interlaced.
  const header = Buffer.concat([be32(SIDE), be32(SIDE), Buffer.from([8, 0, 0, 0, 0])]);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A file in a tar archive (POSIX ustar). */
function entry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number): string => value.toString(8).padStart(length - 1, "0") + "\0";
  header.write(name, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(0, 12), 100);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ) + " ",
    148,
    "latin1",
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** A tar.gz with so many pictures of each class in a folder of its name. */
export function archive(classes: readonly string[], each: number): Buffer {
  const files = classes.flatMap((name, label) =>
    Array.from({ length: each }, (_, image) => entry(`${name}/${image}.png`, png(label, image))),
  );
  return gzipSync(Buffer.concat([...files, Buffer.alloc(1024)]));
}

/** An array as NumPy writes it (format 1.0 of npy). */
function npy(kind: string, shape: readonly number[], data: Buffer): Buffer {
  const words = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = words.padEnd(64 * Math.ceil((words.length + 11) / 64) - 11) + "\n";
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(header, "latin1"), data]);
}

/** A zip whose files are stored as they are (APPNOTE 6.3). */
function zip(files: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name, "latin1"), content]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(
      Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, place, Buffer.from(name, "latin1")]),
    );
    parts.push(local);
    offset += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(listed.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, listed, Buffer.from("PK\x05\x06", "latin1"), end]);
}

/** An NPZ with so many images, `x`, and their labels, `y`. */
export function npz(classes: number, images: number): Buffer {
  const pixels = Buffer.alloc(images * SIDE * SIDE);
  for (let at = 0; at < pixels.length; at += 1) {
    const image = Math.floor(at / (SIDE * SIDE));
    pixels[at] = pixel(image % classes, image, Math.floor(at / SIDE) % SIDE, at % SIDE);
  }
  const labels = Buffer.from(Array.from({ length: images }, (_, image) => image % classes));
  return zip({ "x.npy": npy("|u1", [images, SIDE, SIDE], pixels), "y.npy": npy("|u1", [images], labels) });
}
