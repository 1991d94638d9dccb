#!/bin/sh
# Stands in for eagleeye-worker: the first line of a file says what is to be found in it.

# What is not said of a model is this. Its space is one layer of 32 channels, which makes all MACs.
format=onnx shape=1,1,28,28 guessed=true macs=1000000 batch_norms=0 state=folded classes=10 smallest=0.25
operators='{}' layers='[]' groups='[]' graph='' version='"version": 2,'
space=', "space": {"cost": {"units": [32], "sizes": [[0, 0, 32]], "macs": [[31250, 0]], "parameters": [[1562, 0], [16]]}, "groups": [{"name": "features.0", "size": 32, "channels_per_unit": 1}]}'

model() {
    cat << REPORT
{$version "format": "$format", "inputs": [{"name": "x", "shape": [$shape]}], "outputs": [], "guessed_shape": $guessed,
 "macs": $macs, "parameters": 50000, "batch_norms": $batch_norms, "reachable": {"min": $smallest, "max": 1.0}, "classes": $classes,
 "element_type": "float32", "notices": [], "batch_norm_state": "$state", "operators": $operators, "layers": $layers,
 "groups": $groups $space $graph}
REPORT
}

# Of a kind, with so many images of so many channels and so many pixels each way, and these classes.
dataset() {
    size="{\"width\": $4, \"height\": $4}"
    cat << REPORT
{"version": 2, "kind": "$1", "images": $2, "classes": [$5], "channels": $3, "width": $4, "height": $4,
 "shapes": {"min": $size, "max": $size, "most_common": $size}}
REPORT
}

task=$1
read -r first < "${2:-/dev/null}" 2>/dev/null
case "$task $first" in
"run "*)
    # As the real one: works until its server is gone. A file of this name beside the database tells it to die instead.
    data=$(dirname "${EAGLEEYE_DATABASE#sqlite://}")
    echo "$$ $*, database $EAGLEEYE_DATABASE, files $EAGLEEYE_FILES" >> "$data/workers"
    [ -e "$data/die" ] && exit 3
    cat > /dev/null
    echo "$$ released" >> "$data/workers"
    ;;
"inspect good"*)
    format=torchscript guessed=false batch_norms=2 state=present smallest=0.125 operators='{"conv2d": 2, "linear": 1}'
    layers='[{"name": "features.0", "operator": "conv2d", "shape": [1, 32, 28, 28], "macs": 900000, "parameters": 40000}]'
    groups='[{"name": "features.0", "size": 32, "prunable": true, "reason": null, "normalised_by": null, "computed": [],
              "members": [{"parameter": "features.0.weight", "axis": 0}]},
             {"name": "classifier", "size": 10, "prunable": false, "reason": "the output", "normalised_by": null, "computed": [],
              "members": [{"parameter": "classifier.weight", "axis": 0}]}]'
    graph=', "graph": {"nodes": [
      {"name": "x", "operator": "input", "inputs": [], "shape": [1, 1, 28, 28], "groups": [], "macs": 0, "parameters": 0},
      {"name": "features.0", "operator": "conv2d", "inputs": ["x"], "shape": [1, 32, 28, 28], "groups": ["features.0"],
       "macs": 900000, "parameters": 40000}]},
     "tensors": {"tensors": [
      {"name": "features.0.weight", "layer": "features.0", "shape": [32, 1, 3, 3], "not_finite": 0, "zeros": 8, "mean": 0.5,
       "deviation": 0.25, "histogram": {"low": 0, "high": 1, "counts": [88, 100, 100]}}]}'
    model
    ;;
"inspect shaped"*)
    # A network whose cost follows its input, and which takes one channel.
    format=torchscript macs=784000
    while [ $# -gt 0 ]; do
        [ "$1" = --input-shape ] && { shape=$2; guessed=false; macs=64000; }
        shift
    done
    case "$shape" in
    1,3,*)
        echo "error: \`stem\` takes 1 channel" >&2
        exit 2
        ;;
    esac
    model
    ;;
"inspect aged"*)
    # As versions before reports had a version and a cost model.
    version= space=
    model
    ;;
"inspect colour"*)
    shape=1,3,32,32 classes=2
    model
    ;;
"inspect headless"*)
    classes=null
    model
    ;;
"check-dataset good"*)
    for picture in 000 001; do printf 'picture %s' "$picture" > "$5/$picture.png"; done
    dataset npz 100 1 28 '{"index": 0, "name": "bag", "count": 60}, {"index": 1, "name": "boot", "count": 40}'
    ;;
"check-dataset small"*)
    dataset npz 100 1 8 '{"index": 0, "name": "bag", "count": 100}'
    ;;
"check-dataset bare"*)
    dataset idx 100 1 28 "" | sed 's/"classes"/"labelled": false, "classes"/'
    ;;
"check-dataset colour"*)
    dataset zip 6 3 8 '{"index": 0, "name": "cat", "count": 6}'
    ;;
"check-dataset many"*)
    dataset zip 100 1 8 '{"index": 11, "name": "lynx", "count": 100}'
    ;;
"check-search "*)
    # On as many images as the search scores on; with seed 13 it is refused.
    while [ $# -gt 0 ]; do
        case "$1" in
        --request) request=$2 ;;
        --images) read -r data < "$2" ;;
        esac
        shift
    done
    grep -q '"seed":13' "$request" && { echo "error: image 7 cannot be read" >&2; exit 2; }
    images=$(sed 's/.*"scoring_images":\([0-9]*\).*/\1/' "$request")
    cat << REPORT
{"images": $images, "labelled": true, "score": {"top1": 0.9, "top5": 1.0, "cross_entropy": 0.3, "agreement": 1.0, "kl": 0.0},
 "intervals": {"top1": {"low": 0.8, "high": 0.95}, "top5": {"low": 0.9, "high": 1.0}, "cross_entropy": null, "agreement": null, "kl": null},
 "classes": [{"index": 0, "name": "$data", "answers": $images, "labels": $images}], "preset_images": $images,
 "presets": [{"name": "mnist", "top1": 0.5, "interval": {"low": 0.4, "high": 0.6}, "requested": false}], "best_preset": null,
 "warnings": [{"code": "few_scoring_images", "message": "few", "at": "before"}], "seconds": 0.1}
REPORT
    ;;
*" bad"*)
    echo "error: \`stem/wavelet\` cannot be used" >&2
    exit 2
    ;;
*" arguments"*)
    shift
    echo "error: $* with $EAGLEEYE_MEMORY_LIMIT bytes and $TMPDIR, in $(ls "$(dirname "$1")" | tr '\n' ' ')" >&2
    exit 2
    ;;
*" environment"*)
    echo "error: $(env | tr '\n' ' ')" >&2
    exit 2
    ;;
*" crash"*)
    kill -9 $$
    ;;
*" hang"*)
    # As the real one: not beyond its server.
    while kill -0 "$PPID" 2> /dev/null; do sleep 0.2; done
    ;;
*)
    echo "error: this is no file that the fake worker knows" >&2
    exit 2
    ;;
esac
