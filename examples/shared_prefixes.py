"""How much of a search its candidates could share: the layers at the front that two of them keep alike compute the same activations.

usage: shared_prefixes.py SEARCH      as in: shared_prefixes.py http://127.0.0.1:8080/api/v1/searches/SEARCH_ID

For each candidate, the multiply-adds of the layers up to the first one in which it differs from an earlier candidate, as a part of its
own: with the earlier candidate of which it could take the most, and with the one right before it. Also what the activations at that
place take in memory, of all calibration and scoring images in float32. Probes, which leave most groups whole, stand apart.
"""
import json, sys, urllib.request

if len(sys.argv) != 2:
    sys.exit(__doc__)
SEARCH = sys.argv[1].rstrip("/")
API = SEARCH.rsplit("/searches/", 1)[0]


def ask(url):
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def pages(url):
    cursor = ""
    while cursor is not None:
        page = ask(f"{url}?probes=true&limit=100{cursor}")
        yield from page["items"]
        cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None


search = ask(SEARCH)
details = ask(f"{API}/models/{search['request']['model_id']}")
images = search["request"]["calibration_images"] + search["request"]["scoring_images"]

# By layer: the groups of its weight's axes.
groups = {}
for group in details["groups"]:
    for member in group["members"]:
        layer = member["parameter"].rsplit(".", 1)[0]
        groups.setdefault(layer, {})[member["axis"]] = group["name"]
layers = [layer for layer in details["layers"] if layer["macs"] > 0]
unknown = [layer["name"] for layer in layers if layer["name"] not in groups]
if unknown:
    sys.exit(f"no group has the weights of {', '.join(unknown)}")


def kept(candidate, layer):
    """What a layer keeps of its groups, and its multiply-adds."""
    parts = {group["group"]: (group["kept"], group["size"]) for group in candidate["groups"]}
    of = [parts[name] for name in groups[layer["name"]].values() if name in parts]
    share = 1.0
    for count, size in of:
        share *= count / size
    return tuple(count for count, _ in of), layer["macs"] * share


def shared(candidate, earlier):
    """Multiply-adds that both have alike, of those of the candidate, and bytes of the activations behind them."""
    ours, common, size, agrees = 0.0, 0.0, 0, True
    for layer in layers:
        keeps, macs = kept(candidate, layer)
        ours += macs
        agrees = agrees and keeps == kept(earlier, layer)[0]
        if agrees:
            common += macs
            outputs = 1
            for length in layer["shape"]:
                outputs *= length
            size = images * outputs * 4
    return common / ours, size


candidates = sorted(pages(f"{SEARCH}/candidates"), key=lambda candidate: candidate["index"])
for kind, is_probe in (("probes", True), ("others", False)):
    best, before, sizes = [], [], []
    for place, candidate in enumerate(candidates):
        if place == 0 or candidate["origin"]["is_probe"] != is_probe:
            continue
        found = [shared(candidate, earlier) for earlier in candidates[:place]]
        part, size = max(found)
        best.append(part), before.append(found[-1][0]), sizes.append(size)
    if best:
        mean = lambda values: sum(values) / len(values)
        print(f"{len(best)} {kind}: {mean(best):.1%} of the multiply-adds are an earlier candidate's at best, "
              f"{mean(before):.1%} the one's right before; the activations take {mean(sizes) / 1e6:.0f} MB on average, "
              f"{max(sizes) / 1e6:.0f} MB at most")
