#!/usr/bin/env python3
"""Whole models: Octet beside TFLite + XNNPACK and ONNX Runtime, in turns, in one run.

    ./dev peers                             every model, every class this CPU has, 1 and 2 threads
    bench/peers/compare.py --models DIR --filter mobilenet --classes avx2,full --threads 1

Makes its own virtual environment under build/ (packages from PyPI: requirements.txt). In every class
TFLite and Octet are held to the same instruction sets; ONNX Runtime, which takes all that the CPU has,
runs in the class "full" only, with the same layers as ONNX (onnx_model.py). They share a process and
take turns of 60 ms;
a time is the best of a turn, the median over the turns; a ratio is theirs / ours, the median over the
pairs of neighbouring turns. Times are of the run alone, called directly, with the inputs of the model's
first test case copied in before each.
"""
import argparse
import json
import math
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Class: Octet's cap and the target of its file. "" is everything that the CPU has.
CLASSES = {"avx2": ("avx2", "x86-avx2"), "avxvnni": ("avxvnni", "x86-avxvnni"), "full": ("", "native")}


def prepare_environment(folder):
    python = os.path.join(folder, "bin", "python")
    requirements = os.path.join(HERE, "requirements.txt")
    done = os.path.join(folder, "requirements.done")
    wanted = open(requirements).read()
    if not os.path.exists(done) or open(done).read() != wanted:
        print(f"Installing {requirements} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r",
                        requirements], check=True)
        with open(done, "w") as f:
            f.write(wanted)
    return python


def cpu_flags():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("flags"):
                return set(line.split(":")[1].split())
    return set()


def classes_here():
    flags = cpu_flags()
    names = ["avx2"] if "avx2" in flags else []
    if "avx_vnni" in flags:
        names.append("avxvnni")
    return names + ["full"]


def find_models(folder, pattern):
    models = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "model.tflite")
        if os.path.exists(path) and pattern in name:
            models.append((name, path))
    return models


def convert(octet, models, target, folder):
    os.makedirs(folder, exist_ok=True)
    done = []
    for name, path in models:
        output = os.path.join(folder, f"{name}.{target}.octet")
        p = subprocess.run([octet, "convert", path, "-o", output, "--target", target],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if p.returncode != 0:
            print(f"{name}: {p.stderr.strip()}", file=sys.stderr)
            continue
        done.append({"name": name, "tflite": path, "octet": output})
    return done


def run_worker(python, job):
    environment = dict(os.environ, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
    worker = subprocess.Popen([python, os.path.join(HERE, "worker.py")], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment)
    worker.stdin.write(json.dumps(job))
    worker.stdin.close()
    for line in worker.stdout:
        yield json.loads(line)
    errors = worker.stderr.read()
    if worker.wait() != 0:
        lines = errors.strip().splitlines() or ["no message"]
        yield {"crash": f"the process died ({worker.returncode}): {lines[-1]}"[:100]}


def run_class(python, job):
    """Rows of all models; one that takes the process down is reported, the others go on."""
    models = job["models"]
    while models:
        done = 0
        for row in run_worker(python, dict(job, models=models)):
            if "crash" in row:
                if done == 0 and "xnnpack_kernel" not in job:
                    sys.exit(row["crash"])
                name = models[done // len(job["threads"])]["name"]
                for threads in job["threads"][done % len(job["threads"]):]:
                    yield {"model": name, "class": job["class"], "threads": threads,
                           "error": row["crash"]}
                done += len(job["threads"]) - done % len(job["threads"])
            elif "xnnpack_kernel" in row:
                job["xnnpack_kernel"] = row["xnnpack_kernel"]
            else:
                done += 1
                yield row
        models = models[done // len(job["threads"]):]


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else float("nan")


def exactness(r, name):
    value = r.get(name + "_exact")
    return "" if value is None else "yes" if value else "no"


HEADER = (f"{'model':34} {'TFLite us':>10} {'Octet us':>10} {'ratio':>6} {'(low-high)':>13} "
          f"{'exact T/O':>9} {'TFLite init':>11} {'Octet':>8} {'ORT us':>10} {'ratio':>6} exact")


def print_row(r):
    if "error" in r:
        print(f"{r['model']:34} {r['error']}")
        return
    spread = f"({r['ratio_low']:.2f}-{r['ratio_high']:.2f})"
    exact = f"{exactness(r, 'tflite')}/{exactness(r, 'octet')}"
    print(f"{r['model']:34} {r['tflite_us']:10.1f} {r['octet_us']:10.1f} {r['ratio']:6.2f} {spread:>13} "
          f"{exact:>9} {r['tflite_init_us']:11.0f} {r['octet_init_us']:8.0f}"
          + (f" {r['onnx_us']:10.1f} {r['onnx_ratio']:6.2f} {exactness(r, 'onnx')}"
             if "onnx_ratio" in r else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=os.path.join(ROOT, "..", "shared", "models"),
                        help="folder of NAME/model.tflite")
    parser.add_argument("--filter", default="", help="only models whose name contains this")
    parser.add_argument("--classes", default=",".join(classes_here()))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"),
                        help="build folder with bin/octet and src/liboctet.so")
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "peers"),
                        help="virtual environment, converted models and the timer go here")
    parser.add_argument("--json", default=os.path.join(ROOT, "build", "peers", "results.json"))
    options = parser.parse_args()

    os.makedirs(options.work, exist_ok=True)
    python = prepare_environment(os.path.join(options.work, "venv"))
    timer = os.path.join(options.work, "timer.so")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", timer,
                    os.path.join(HERE, "timer.c")], check=True)
    models = find_models(options.models, options.filter)
    if not models:
        sys.exit(f"no models in {options.models}")
    octet = os.path.join(options.build, "bin", "octet")
    results, kernels = [], {}
    for name in options.classes.split(","):
        isa, target = CLASSES[name]
        job = {
            "class": name,
            "isa": isa,
            "models": convert(octet, models, target, os.path.join(options.work, "models")),
            "threads": [int(t) for t in options.threads.split(",")],
            "rounds": options.rounds,
            "library": os.path.join(options.build, "src", "liboctet.so"),
            "timer": timer,
        }
        rows = []
        for row in run_class(python, job):
            rows.append(row)
            print(f"{name} {row['model']} {row['threads']}", file=sys.stderr, flush=True)
        kernels[name] = job["xnnpack_kernel"]
        for threads in job["threads"]:
            print(f"\n{name}, {threads} thread{'s' * (threads > 1)} (XNNPACK: {kernels[name]})\n{HEADER}")
            for row in rows:
                if row["threads"] == threads:
                    print_row(row)
            ratios = [r["ratio"] for r in rows if r["threads"] == threads and "ratio" in r]
            onnx = [r["onnx_ratio"] for r in rows if r["threads"] == threads and "onnx_ratio" in r]
            print(f"{'geometric mean':34} {'':10} {'':10} {geometric_mean(ratios):6.2f}"
                  + (f" {'':53} {geometric_mean(onnx):6.2f}" if onnx else ""), flush=True)
        results += rows
        with open(options.json, "w") as f:
            json.dump({"xnnpack_kernels": kernels, "results": results}, f, indent=1)


if __name__ == "__main__":
    main()
