#!/usr/bin/env python3
"""Static estimates of the ARM kernels' inner loops, by llvm-mca.

    bench/mca.py build/aarch64 [--mca llvm-mca-19] [--objdump aarch64-linux-gnu-objdump]
    bench/mca.py build/aarch64 --peer libXNNPACK.so.0     # of the same architecture

--peer adds, for each instruction, the best of another library's loops on the same core. Libraries
from distributions have no symbols left, so loops are told by their instructions: every innermost
loop that multiplies is estimated, and the one with most multiply-accumulates a cycle is shown with
the products of a round.

Finds, in the object files of a cross build, the innermost loop of each kernel that multiplies most,
and asks llvm-mca how many cycles a round takes on models of ARM cores. Prints a Markdown table of
multiply-accumulates per cycle, beside the instruction's own rate, and beside what the loop's busiest
resource (a unit, or the width of dispatch) allows were all work dealt out best. These are estimates
of the steady loop out of first-level cache: good for comparing two loops on one core, no more.
In-order cores (A53, A55) are modelled roughly.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

# Multiply-accumulates of an instruction with 128-bit operands, and of 64-bit ones.
MACS = {"sdot": 16, "smmla": 32, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8}

# Kernel, object file, a pattern that the symbol must have, cores.
KERNELS = [
    ("qs8_conv_4x8__neon", "qs8_conv/qs8_conv_neon.cc.o", r"Tiles<4, 1>", ("cortex-a53", "cortex-a72")),
    ("qs8_conv_8x8__neondot", "qs8_conv/qs8_conv_neondot.cc.o", r"Tiles<8, 1>",
     ("cortex-a55", "neoverse-n1")),
    ("qs8_conv_6x16__neoni8mm", "qs8_conv/qs8_conv_neoni8mm.cc.o", r"Tiles<6, 2>", ("neoverse-n2",)),
    ("qs8_conv_8x8__neoni8mm", "qs8_conv/qs8_conv_neoni8mm.cc.o", r"Tiles<8, 1>", ("neoverse-n2",)),
    # Four outputs, requantised.
    ("qs8_dwconv__neon, 3x3, sums of 3, 3, 3", "qs8_dwconv/qs8_dwconv_neon.cc.o", r"NinePiece<3, 2>",
     ("cortex-a53", "cortex-a72")),
    ("qs8_dwconv__neon, 3x3, sums of 3, 2, 2, 2", "qs8_dwconv/qs8_dwconv_neon.cc.o", r"NinePiece<1, 2>",
     ("cortex-a53", "cortex-a72")),
    ("qs8_dwconv__neon, 3x3, sums of 2, 2, 2, 2, 1", "qs8_dwconv/qs8_dwconv_neon.cc.o",
     r"NinePiece<0, 2>", ("cortex-a53", "cortex-a72")),
    # Two taps.
    ("qs8_dwconv__neon, any kernel", "qs8_dwconv/qs8_dwconv_neon.cc.o", r"(?<!Nine)Piece<false|Tile\(",
     ("cortex-a53", "cortex-a72")),
    ("qs8_dwconv__neondot, any kernel", "qs8_dwconv/qs8_dwconv_neondot.cc.o", "",
     ("cortex-a55", "neoverse-n1")),
]

# What the core's model does with nothing but the multiplication, independent of each other.
PEAKS = {
    "sdot": "sdot v{0}.4s, v30.16b, v31.4b[0]",
    "smmla": "smmla v{0}.4s, v30.16b, v31.16b",
    # Two products and the sum of a pair: 16 MACs.
    "smlal2": "smull v{0}.8h, v30.8b, v31.8b;smlal2 v{0}.8h, v30.16b, v31.16b;"
              "sadalp v{1}.4s, v{0}.8h",
    # Depthwise kernels add more products before they widen, and not in pairs: the products alone.
    "saddw": "smull v{0}.8h, v30.8b, v31.8b;smlal2 v{0}.8h, v30.16b, v31.16b",
}

BRANCH = re.compile(r"^(b|b\.\w+|cbn?z|tbn?z)$")


def disassemble(objdump, path):
    text = subprocess.run([objdump, "-d", "-C", "--no-show-raw-insn", str(path)], check=True,
                          capture_output=True, text=True).stdout
    function, code = "", []
    for line in text.splitlines():
        if line.endswith(">:"):
            if code:
                yield function, code
            function, code = line[line.index("<") + 1:-2], []
        else:
            match = re.match(r"\s+([0-9a-f]+):\s+(\S+)\s*(.*)", line)
            if match:
                code.append((int(match[1], 16), match[2], match[3].split("//")[0].strip()))
    if code:
        yield function, code


def loops(code):
    """Innermost loops: from a backward branch's target to the branch."""
    place = {address: i for i, (address, _, _) in enumerate(code)}
    for i, (address, name, operands) in enumerate(code):
        target = re.search(r"([0-9a-f]+) <", operands)
        if not BRANCH.match(name) or not target:
            continue
        start = place.get(int(target[1], 16))
        if start is None or start > i:
            continue
        body = code[start:i + 1]
        if not any(BRANCH.match(n) for _, n, _ in body[:-1]):
            yield body


def macs(body):
    return sum(MACS.get(name, 0) for _, name, _ in body)


def best_loop(objdump, path, wanted):
    found = None
    for function, code in disassemble(objdump, path):
        if not re.search(wanted, function):
            continue
        for body in loops(code):
            if found is None or macs(body) / len(body) > macs(found) / len(found):
                found = body
    return found


def peer_loops(objdump, path):
    """Distinct loops of a stripped library, by the instruction that does most of the work."""
    kinds = {"smmla": {}, "sdot": {}, "smlal2": {}, "saddw": {}}
    for _, code in disassemble(objdump, path):
        for body in loops(code):
            names = [n for _, n, _ in body]
            kind = next((k for k in ("smmla", "sdot", "smlal2") if names.count(k) >= 4), None)
            if kind is None and names.count("smlal") + names.count("smlal2") >= 4:
                kind = "smlal2"
            # Depthwise ones widen without adding pairs. Those that multiply 16 bits are left out.
            if kind == "smlal2" and "saddw" in names and "sadalp" not in names:
                kind = "saddw"
            if any(n in MACS and n.startswith("sm") and o.split(",")[0].endswith(".4s")
                   and kind in ("smlal2", "saddw") for _, n, o in body):
                continue
            if kind is not None and len(body) < 400:
                kinds[kind][tuple((n, o) for _, n, o in body)] = body
    return {kind: list(bodies.values()) for kind, bodies in kinds.items()}


def best_peer(mca, cpu, bodies):
    found = (0, None)
    # llvm-mca takes a while: the densest suffice.
    for body in sorted(bodies, key=lambda b: -macs(b) / len(b))[:12]:
        total, _ = cycles(mca, cpu, text_of(body))
        if total is not None and macs(body) / total > found[0]:
            found = (macs(body) / total, body)
    return found


def cycles(mca, cpu, assembly, rounds=200):
    out = subprocess.run(
        [mca, "-mtriple=aarch64-linux-gnu", f"-mcpu={cpu}", "-mattr=+dotprod,+i8mm",
         f"-iterations={rounds}"], input=assembly, capture_output=True, text=True)
    if out.returncode != 0:
        return None, None
    total = re.search(r"Total Cycles:\s+(\d+)", out.stdout)
    block = re.search(r"Block RThroughput:\s+([\d.]+)", out.stdout)
    return int(total[1]) / rounds, float(block[1])


def text_of(body):
    lines = []
    for _, name, operands in body[:-1]:
        lines.append(f"{name} {operands}")
    return "\n".join(lines) + "\n"


def peak(mca, cpu, kind):
    lines = [part.format(i, i + 12) for part in PEAKS[kind].split(";") for i in range(12)]
    total, _ = cycles(mca, cpu, "\n".join(lines) + "\n")
    each = {"sdot": 16, "smmla": 32, "smlal2": 16, "saddw": 16}[kind]
    return 12 * each / total if total else None


def kind_of(body):
    names = {n for _, n, _ in body}
    if "smlal2" in names and "saddw" in names and "sadalp" not in names:
        return "saddw"
    return next((k for k in ("smmla", "sdot", "smlal2") if k in names), None)


def print_row(args, name, cpu, body, kind):
    total, bound = cycles(args.mca, cpu, text_of(body))
    limit = peak(args.mca, cpu, kind)
    if total is None or limit is None:
        print(f"{args.mca} knows no {cpu}", file=sys.stderr)
        return
    rate, most = macs(body) / total, macs(body) / bound
    spills = sum("[sp" in operands for _, _, operands in body)
    print(f"| {name} | {cpu} | {macs(body)} | {len(body)} | {spills} | {rate:.1f} | {limit:.1f} "
          f"| {100 * rate / limit:.0f} % | {100 * rate / most:.0f} % |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--mca", default="llvm-mca-19")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    parser.add_argument("--peer", type=Path)
    args = parser.parse_args()
    objects = args.build / "kernels/CMakeFiles/octet_kernels.dir"
    print("| kernel | core | MACs a round | instructions | spills | MACs a cycle | limit of the "
          "instruction | of that | of the loop's bound |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, path, wanted, cpus in KERNELS:
        body = best_loop(args.objdump, objects / path, wanted)
        if body is None:
            print(f"no loop in {path}", file=sys.stderr)
            continue
        for cpu in cpus:
            print_row(args, f"`{name}`", cpu, body, kind_of(body))
    if args.peer is None:
        return
    peers = peer_loops(args.objdump, args.peer)
    for kind, cpus in (("smlal2", ("cortex-a53", "cortex-a72")), ("saddw", ("cortex-a53", "cortex-a72")),
                       ("sdot", ("cortex-a55", "neoverse-n1")), ("smmla", ("neoverse-n2",))):
        for cpu in cpus:
            rate, body = best_peer(args.mca, cpu, peers[kind])
            if body is None:
                print(f"no loop with {kind} in {args.peer}", file=sys.stderr)
                continue
            what = "depthwise loop" if kind == "saddw" else f"loop with `{kind}`"
            print_row(args, f"{args.peer.name.split('.')[0]}, best {what}", cpu, body, kind)


if __name__ == "__main__":
    main()
