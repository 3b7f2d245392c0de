#!/usr/bin/env python3
"""Turns results of the benchmarks into the tables of docs/performance.md.

    build/bench/bin/octet_qs8_conv_bench --benchmark_out=conv.json --benchmark_out_format=json
    bench/tables.py conv.json ...

One table a family: a row a layer; for each instruction set the rate, the part of the measured peak,
and where another library ran beside it, its time divided by ours.
"""
import json
import re
import sys

ISAS = ["avx2", "avxvnni", "avx512vnni", "amx", "neon", "neondot", "neoni8mm"]


def read(paths):
    """{family: {layer: {isa: the best of its results}}}, in the order of the files."""
    families = {}
    for path in paths:
        with open(path) as file:
            results = json.load(file)["benchmarks"]
        for r in results:
            match = re.match(r"(.+?)__(\w+)/(.+?)(?:/min_time:[\d.]+)?$", r["name"])
            if not match or r.get("error_occurred") or match[2] not in ISAS:
                continue
            family = re.sub(r"_\d+x\d+$", "", match[1])
            unit = "GMAC/s" if "GMAC/s" in r else "GB/s"
            beside = " beside XNNPACK" if "ratio" in r else ""
            layers = families.setdefault((family + beside, unit), {})
            isas = layers.setdefault(match[3], {})
            if match[2] not in isas or r["us"] < isas[match[2]]["us"]:
                isas[match[2]] = r
    return families


def cell(result, unit):
    if result is None:
        return ""
    rate = result[unit]
    text = f"{rate:.0f}" if rate >= 9.5 else f"{rate:.1f}"
    if "of_peak" in result:
        text += f" ({100 * result['of_peak']:.0f} %)"
    if "ratio" in result:
        text += f" **{result['ratio']:.2f}**"
    return text


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    for (family, unit), layers in read(sys.argv[1:]).items():
        isas = [i for i in ISAS if any(i in results for results in layers.values())]
        print(f"### `{family}`, {unit}\n")
        print("| | " + " | ".join(isas) + " |")
        print("|---|" + "---|" * len(isas))
        for layer, results in layers.items():
            print(f"| {layer.replace('_', ' ')} | "
                  + " | ".join(cell(results.get(i), unit) for i in isas) + " |")
        ratios = {i: [r[i]["ratio"] for r in layers.values() if i in r and "ratio" in r[i]]
                  for i in isas}
        if any(ratios.values()):
            means = []
            for i in isas:
                product = 1.0
                for ratio in ratios[i]:
                    product *= ratio
                means.append(f"**{product ** (1 / len(ratios[i])):.2f}**" if ratios[i] else "")
            print("| geometric mean of ratios | " + " | ".join(means) + " |")
        peaks = {i: max((r[i].get("peak", 0) for r in layers.values() if i in r), default=0)
                 for i in isas}
        print("| peak | " + " | ".join(f"{peaks[i]:.0f}" for i in isas) + " |\n")


if __name__ == "__main__":
    main()
