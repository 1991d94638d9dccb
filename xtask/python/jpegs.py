"""A dataset of photograph-like images: JPEGs in ten folders, one for each class, in a tar.

usage: jpegs.py COUNT TAR
Few images differ, so that they are quickly made; whoever decodes them has as much to do as with others. Each has large shapes, and
noise from which it has the size of a photograph's file.
"""
import io, sys, tarfile
import numpy as np
from PIL import Image

DISTINCT, CLASSES = 400, 10
WIDTH, HEIGHT = 500, 375  # the usual size in ImageNet
SHAPES, NOISE, QUALITY = (12, 16), 24, 85


def jpeg(random):
    shapes = Image.fromarray(random.integers(0, 256, (*SHAPES, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT), Image.BICUBIC)
    noisy = np.asarray(shapes).astype(int) + random.integers(-NOISE, NOISE + 1, (HEIGHT, WIDTH, 3))
    written = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


if __name__ == "__main__":
    count, path = int(sys.argv[1]), sys.argv[2]
    random = np.random.default_rng(0)
    jpegs = [jpeg(random) for _ in range(min(count, DISTINCT))]
    with tarfile.open(path, "w") as archive:
        for place in range(count):
            content = jpegs[place % len(jpegs)]
            entry = tarfile.TarInfo(f"{place % CLASSES}/{place:06d}.jpg")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
