"""Writes what torchvision's and timm's weights say about preprocessing, for the test of the presets.

    python make.py FOLDER

`cargo xtask preprocessing --write` runs it.
"""
import json, math, pathlib, sys
import torchvision
from timm.models import get_pretrained_cfg
from torchvision.models import get_model_weights, list_models

# One of timm's weights for each of its presets.
TIMM = {
    "timm": "convnext_tiny.fb_in1k",
    "timm_crop_90": "deit3_base_patch16_224.fb_in1k",
    "timm_crop_95": "resnet50.a1_in1k",
    "timm_crop_100": "caformer_m36.sail_in1k",
    "timm_half": "tf_efficientnet_b0.ap_in1k",
    "timm_half_crop_90": "efficientnet_b0.ra4_e3600_r224_in1k",
    "timm_half_crop_95": "coatnet_0_rw_224.sw_in1k",
    "timm_half_crop_100": "vit_large_patch14_clip_224.laion2b",
    "timm_inception": "inception_v3.tf_in1k",
    "timm_inception_crop_897": "legacy_xception.tf_in1k",
    "clip": "vit_base_patch16_clip_224.laion2b",
    "timm_dpn": "dpn68.mx_in1k",
}


def torchvision_weights():
    settings = {}
    for network in list_models(module=torchvision.models):
        for weights in get_model_weights(network):
            transform = weights.transforms()
            (resize,), (crop,) = transform.resize_size, transform.crop_size
            setting = (resize, crop, transform.interpolation.value, *transform.mean, *transform.std)
            settings.setdefault(setting, []).append(f"{network} {weights.name}")
    for (resize, crop, filter, *values), weights in settings.items():
        yield {"weights": weights, "resize": resize, "crop": crop, "filter": filter, "mean": values[:3], "deviation": values[3:]}


def timm_weights():
    for preset, name in TIMM.items():
        config = get_pretrained_cfg(name)
        (_, side, _), resize = config.input_size, math.floor(config.input_size[1] / config.crop_pct)
        values = {"mean": config.mean, "deviation": config.std}
        yield {"preset": preset, "weights": [name], "resize": resize, "crop": side, "filter": config.interpolation, **values}


for name, entries in [("torchvision", torchvision_weights()), ("timm", timm_weights())]:
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (pathlib.Path(sys.argv[1]) / f"{name}.json").write_text(f"[\n{lines}\n]\n")
