"""The programs in docs/examples, run as a reader would."""
import subprocess
import sys

from conftest import ROOT


def run(script, *arguments):
    return subprocess.run([sys.executable, ROOT / "docs" / "examples" / script, *arguments],
                          capture_output=True, text=True, timeout=120)


def test_main(tflite, tmp_path):
    done = run("python/main.py", tflite)
    assert done.returncode == 0, done.stderr
    assert "bytes of RAM" in done.stdout and "output scores: largest value 0." in done.stdout
    done = run("python/main.py", tmp_path / "absent.octet")
    assert done.returncode == 1 and "IO_ERROR" in done.stderr and "Traceback" not in done.stderr


def test_command(tflite):
    done = subprocess.run([sys.executable, "-c", "from octet._command import main; main()",
                           "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("octet "), done.stderr
