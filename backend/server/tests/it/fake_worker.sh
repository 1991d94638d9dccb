#!/bin/sh
# Stands in for eagleeye-worker: the first line of a file says what is to be found in it.
# What can be pruned: one layer of 32 channels, which makes all MACs.
space='"space": {"cost": {"units": [32], "sizes": [[0, 0, 32]], "macs": [[31250, 0]], "parameters": [[1562, 0], [16]]}, "groups": [{"name": "features.0", "size": 32, "channels_per_unit": 1}]}'
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
    # Its MACs are those of one layer of 32 channels.
    cat << REPORT
{"format": "torchscript", "inputs": [{"name": "x", "shape": [1, 1, 28, 28]}], "outputs": [], "macs": 1000000, "parameters": 50000,
 "batch_norms": 2, "batch_norm_state": "present", "guessed_shape": false, "operators": {"conv2d": 2, "linear": 1},
 "reachable": {"min": 0.125, "max": 1.0}, "classes": 10,
 $space,
 "layers": [{"name": "features.0", "operator": "conv2d", "shape": [1, 32, 28, 28], "macs": 900000, "parameters": 40000}],
 "groups": [{"name": "features.0", "size": 32, "prunable": true, "reason": null, "normalised_by": null, "computed": [],
             "members": [{"parameter": "features.0.weight", "axis": 0}]},
            {"name": "classifier", "size": 10, "prunable": false, "reason": "the output", "normalised_by": null, "computed": [],
             "members": [{"parameter": "classifier.weight", "axis": 0}]}],
 "only_in_the_report": 1}
REPORT
    ;;
"inspect shaped"*)
    # A network whose cost follows its input, and which takes one channel.
    shape=1,1,28,28 guessed=true macs=784000
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
    cat << REPORT
{"format": "torchscript", "inputs": [{"name": "x", "shape": [$shape]}], "outputs": [], "macs": $macs, "parameters": 50000,
 "batch_norms": 0, "batch_norm_state": "folded", "guessed_shape": $guessed, "operators": {}, "layers": [], $space, "reachable": {"min": 0.25, "max": 1.0}, "classes": 10, "groups": []}
REPORT
    ;;
"inspect aged"*)
    # As versions before reports had a cost model.
    cat << REPORT
{"format": "onnx", "inputs": [{"name": "x", "shape": [1, 1, 28, 28]}], "outputs": [], "macs": 1000000, "parameters": 50000,
 "batch_norms": 0, "batch_norm_state": "folded", "guessed_shape": true, "operators": {}, "layers": [], "reachable": {"min": 0.25, "max": 1.0}, "classes": 10, "groups": []}
REPORT
    ;;
"inspect colour"*)
    cat << REPORT
{"format": "onnx", "inputs": [{"name": "x", "shape": [1, 3, 32, 32]}], "outputs": [], "macs": 1000000, "parameters": 50000,
 "batch_norms": 0, "batch_norm_state": "folded", "guessed_shape": true, "operators": {}, "layers": [], $space, "reachable": {"min": 0.25, "max": 1.0}, "classes": 2, "groups": []}
REPORT
    ;;
"inspect headless"*)
    cat << REPORT
{"format": "onnx", "inputs": [{"name": "x", "shape": [1, 1, 28, 28]}], "outputs": [], "macs": 1000000, "parameters": 50000,
 "batch_norms": 0, "batch_norm_state": "folded", "guessed_shape": true, "operators": {}, "layers": [], $space, "reachable": {"min": 0.25, "max": 1.0}, "classes": null, "groups": []}
REPORT
    ;;
"check-dataset good"*)
    for picture in 000 001; do printf 'picture %s' "$picture" > "$5/$picture.png"; done
    cat << REPORT
{"kind": "npz", "images": 100, "channels": 1, "width": 28, "height": 28,
 "classes": [{"index": 0, "name": "bag", "count": 60}, {"index": 1, "name": "boot", "count": 40}]}
REPORT
    ;;
"check-dataset colour"*)
    echo '{"kind": "zip", "images": 6, "channels": 3, "width": 8, "height": 8,
           "classes": [{"index": 0, "name": "cat", "count": 6}]}'
    ;;
"check-dataset many"*)
    echo '{"kind": "zip", "images": 100, "channels": 1, "width": 8, "height": 8,
           "classes": [{"index": 11, "name": "lynx", "count": 100}]}'
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
