"""Makes images and what torchvision's transforms make of them, for the test that EagleEye's preprocessing does the same.

    python make.py FOLDER [SEED [ROUNDS]]

`cargo xtask preprocessing` runs it. Writes `images/`, `cases.json` (the image and the preprocessing of each case) and
`expected.bin.gz` (the tensors of all cases, one behind the other, float32, little-endian). Images and crops are small, as they
are committed; with more rounds there are more and other images.
"""
import gzip, io, json, pathlib, struct, sys, zlib
import numpy as np
from PIL import Image, ImageDraw, ImageOps
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
from torchvision.transforms.functional import InterpolationMode as Mode

folder = pathlib.Path(sys.argv[1])
seed, rounds = ([int(text) for text in sys.argv[2:]] + [0, 1][len(sys.argv) - 2:])[:2]
random = np.random.default_rng(seed)
FILTERS = {"bilinear": Mode.BILINEAR, "bicubic": Mode.BICUBIC, "nearest": Mode.NEAREST, "lanczos": Mode.LANCZOS}
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def scene(width, height):
    """What photographs have: gradients, edges, fine lines, saturated colours, and a little noise."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(random.uniform(2, 25) * (np.cos(a) * x + np.sin(a) * y)) for a in random.uniform(0, 6, 3)]
    pixels = np.stack(waves, -1) * 90 + 128 + random.normal(0, 4, (height, width, 3))
    image = Image.fromarray(pixels.clip(0, 255).astype("uint8"))
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        corners = sorted(random.integers(0, width, 2).tolist()), sorted(random.integers(0, height, 2).tolist())
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.ellipse([corners[0][0], corners[1][0], corners[0][1], corners[1][1]], fill=colour)
        draw.line([corners[0][0], corners[1][1], corners[0][1], corners[1][0]], fill=colour[::-1], width=2)
    return image


def jpeg(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, **options)
    return file.getvalue()


def deep_png(pixels):
    """Sixteen bits a channel, which PIL writes for grey only."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def deep(image):
    pixels = np.asarray(image).astype("uint16") * 257
    return (pixels ^ random.integers(0, 256, pixels.shape, "uint16")).reshape(image.height, image.width, -1)


def rgb(image):
    """What torchvision's loader does, but for grey of 16 bits, of which PIL makes white all that is above 255."""
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
    return image.convert("RGB")


def images():
    def side(low=30, high=80):
        return int(random.integers(low, high))

    def size():
        return side(), side()

    yield "wide_420.jpg", jpeg(scene(side(120, 160), side(90, 110)), quality=90, subsampling="4:2:0")
    yield "tall_420.jpg", jpeg(scene(side(60, 80), side(120, 150)), quality=75, subsampling="4:2:0")
    yield "odd_420.jpg", jpeg(scene(2 * side() // 2 + 1, 2 * side() // 2 + 1), quality=50, subsampling="4:2:0", restart_marker_blocks=3)
    yield "444.jpg", jpeg(scene(*size()), quality=95, subsampling="4:4:4")
    yield "422.jpg", jpeg(scene(*size()), quality=85, subsampling="4:2:2")
    yield "progressive.jpg", jpeg(scene(*size()), quality=80, progressive=True)
    yield "rgb.jpg", jpeg(scene(*size()), quality=90, keep_rgb=True)
    yield "grey.jpg", jpeg(scene(*size()).convert("L"), quality=85)
    yield "cmyk.jpg", jpeg(scene(*size()).convert("CMYK"), quality=85)
    yield "rotated.jpg", jpeg(scene(*size()), quality=85, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    yield "colour.png", png(scene(*size()))
    yield "alpha.png", png(Image.merge("RGBA", (*scene(50, 45).split(), scene(50, 45).convert("L"))))
    yield "palette.png", png(scene(*size()).quantize(60))
    yield "palette_alpha.png", png(scene(*size()).quantize(16), transparency=3)
    yield "palette_2_bits.png", png(scene(*size()).quantize(4), bits=2)
    yield "grey.png", png(scene(*size()).convert("L"))
    yield "grey_alpha.png", png(Image.merge("LA", (scene(45, 50).convert("L"), scene(45, 50).convert("L"))))
    yield "one_bit.png", png(scene(*size()).convert("1"))
    yield "grey_16_bits.png", deep_png(deep(scene(40, 45).convert("L")))
    yield "colour_16_bits.png", deep_png(deep(scene(30, 28)))


def preprocessings(name, width, height):
    """Pairs of what a request says and what torchvision is told."""
    short = min(width, height)

    def case(resize, filter, width, height, transform, order="rgb"):
        said = {"channels": 3, "width": width, "height": height, "mean": MEAN, "deviation": DEVIATION}
        said |= {"resize": resize, "filter": filter, "order": order}
        # Where the network's channels are blue, green and red, mean and deviation are in that order.
        swap = (lambda tensor: tensor.flip(0)) if order == "bgr" else (lambda tensor: tensor)
        return said, Compose([transform, ToTensor(), swap, Normalize(MEAN, DEVIATION)])

    def shorter_side(size, crop, filter, order="rgb"):
        transform = Compose([Resize(size, FILTERS[filter]), CenterCrop(crop)])
        return case({"mode": "shorter_side", "size": size}, filter, crop[1], crop[0], transform, order)

    def stretch(width, height, filter):
        return case({"mode": "stretch"}, filter, width, height, Resize((height, width), FILTERS[filter]))

    def cover(width, height, filter):
        transform = lambda image: ImageOps.fit(image, (width, height), getattr(Image, filter.upper()))
        return case({"mode": "cover"}, filter, width, height, transform)

    # Decoded and cut, nothing else.
    yield shorter_side(short, (22, 21), "bilinear")
    if name not in ("wide_420.jpg", "tall_420.jpg"):
        yield shorter_side(21, (18, 17), "bilinear")
        return
    for filter in FILTERS:
        yield shorter_side(26, (22, 21), filter)
        yield shorter_side(2 * short + 3, (20, 19), filter)
        if name == "wide_420.jpg":
            yield stretch(20, 17, filter)
            yield stretch(width + 9, 7, filter)
            yield cover(19, 18, filter)
    # Smaller than the crop in one direction, and in both.
    yield shorter_side(17, (20, 21), "bicubic")
    yield shorter_side(9, (20, 21), "bilinear")
    yield shorter_side(24, (20, 20), "bilinear", "bgr")


def main():
    (folder / "images").mkdir(parents=True, exist_ok=True)
    cases, expected = [], io.BytesIO()
    for number in range(rounds):
        for name, content in images():
            stored = name if number == 0 else f"{number}_{name}"
            (folder / "images" / stored).write_bytes(content)
            image = rgb(Image.open(io.BytesIO(content)))
            for said, apply in preprocessings(name, image.width, image.height):
                cases.append({"image": stored, "preprocess": said})
                expected.write(apply(image).numpy().astype("<f4").tobytes())
    lines = ",\n".join(json.dumps(case) for case in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")
    (folder / "expected.bin.gz").write_bytes(gzip.compress(expected.getvalue(), 9, mtime=0))


main()
