#!/usr/bin/env python3
"""The course's commands: lab, test, run NN, doctor.

Needs nothing but Python. It makes the environment .venv beside this file, installs what the course needs there and
goes on inside it. Every Python from 3.8 on can run this file; the environment itself needs one of SUPPORTED.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "course_stamp.json"  # what was set up; its "done" is written last
LOG = VENV / "setup.log"
COMMAND = "py course.py" if os.name == "nt" else "python3 course.py"

SUPPORTED = ((3, 11), (3, 12), (3, 13))
MACHINES = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")}
DOWNLOAD = {"cpu": "0.45 GB to download, 1 to 2 minutes", "gpu": "3.6 GB to download, 3 to 10 minutes"}
PLATFORMS = (
    "TensorFlow, and with it the course, runs on Linux x86_64 (glibc 2.28 or newer) and aarch64 (2.34), "
    "on macOS 12 or newer with Apple silicon, and on Windows x64, with a 64-bit Python."
)
NEEDED_GB = {"cpu": 4, "gpu": 14}  # free disk for the environment, pip's cache and its temporary files

TEXT = {"encoding": "utf-8", "errors": "replace"}

# Small files that belong into the environment.
SETTINGS = {
    # No news pop-up and no question for it: nothing asks the network.
    "share/jupyter/lab/settings/overrides.json": {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
    },
    # TensorFlow's start-up lines come from C++, past Python's stderr. They go to the terminal, not into the notebook.
    "etc/ipython/ipython_kernel_config.json": {"IPKernelApp": {"capture_fd_output": False, "log_level": "ERROR"}},
}


DISK_FULL = re.compile(r"No space left on device|not enough space on the disk|Disk quota exceeded")
NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|"
    r"Connection broken|ConnectionResetError|Failed to establish a new connection|getaddrinfo failed|"
    r"name resolution|Network is unreachable"
)


class Stop(Exception):
    """Ends the command with one sentence for the user."""


# ---------------------------------------------------------------- set-up


def prepare(test: bool = False, gpu: bool = False) -> None:
    """Brings .venv to what requirements and constraints ask for; does nothing when it is there already.

    test: with the test tools. gpu: with TensorFlow's GPU build. Both stay once they were asked for.
    Raises Stop where that is impossible.
    """
    state = read_stamp()
    version = python_version([str(PYTHON)])
    extras = {"test": test or state.get("test", False), "gpu": gpu or state.get("gpu", False)}
    if version and state == {**extras, "done": digest(version)}:
        return
    if extras["gpu"] and platform.system() != "Linux":
        raise Stop("--gpu: TensorFlow has a GPU build for Linux with an NVIDIA card only. Leave --gpu out.")
    began = time.monotonic()
    if not usable(version):
        version = make_venv(extras["gpu"])
    elif state.get("done"):
        say("Adding to .venv what is new in the list of required packages.")
    else:
        say("Finishing the set-up of .venv.")
    write_stamp({**extras, "done": None})
    install(extras, site_packages(version))
    # course_lib is importable in every notebook; a relative path survives moving the whole folder.
    (site_packages(version) / "course.pth").write_text(os.path.relpath(ROOT, site_packages(version)) + "\n")
    for name, content in SETTINGS.items():
        (VENV / name).parent.mkdir(parents=True, exist_ok=True)
        (VENV / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    write_stamp({**extras, "done": digest(version)})
    say(f"The course is set up ({time.monotonic() - began:.0f} s).")


def usable(version: tuple[int, int] | None) -> bool:
    """True when .venv can be completed; False when it has to be made, then nothing is in the way any more."""
    ours = STAMP.exists()
    if not VENV.exists() or (VENV.is_dir() and not any(VENV.iterdir())):
        return False
    if not ours and not (VENV / "pyvenv.cfg").exists():
        raise Stop(f"{VENV} is no Python environment. Move it away: the course makes its own under this name.")
    if version and version not in SUPPORTED and not ours:
        raise Stop(f"{VENV} is of Python {dotted(version)}; the course needs {supported()}. Remove it, then repeat.")
    if version in SUPPORTED and not failure(inside("-m", "pip", "--version")):
        return True
    say(".venv is broken or half made: making it anew.")
    try:
        shutil.rmtree(VENV)
    except OSError as error:
        raise Stop(f"{VENV} is broken and in use ({error}). Close what uses it, delete it, then repeat.") from None
    return False


def make_venv(gpu: bool) -> tuple[int, int]:
    """Makes an empty .venv with a supported Python and returns its version."""
    if (platform.system(), platform.machine()) not in MACHINES or sys.maxsize < 2**32:
        bits = "64" if sys.maxsize > 2**32 else "32"
        raise Stop(f"This is a {bits}-bit Python for {platform.system()} on {platform.machine()}. {PLATFORMS}")
    python, version = find_python()
    need, free = NEEDED_GB["gpu" if gpu else "cpu"], shutil.disk_usage(ROOT).free / 1e9
    if free < need:
        raise Stop(
            f"The set-up needs {need} GB of disk; where {ROOT} lies, {free:.1f} GB are free. Free more, then repeat."
        )
    say(f"Setting up the course in .venv with Python {dotted(version)}, once: {DOWNLOAD['gpu' if gpu else 'cpu']}.")
    VENV.mkdir(exist_ok=True)
    write_stamp({"done": None})  # from here on a half-made .venv is known as ours
    trouble = failure([*python, "-m", "venv", str(VENV)])
    if "ensurepip is not available" in trouble:
        raise Stop(
            f"This Python cannot make environments. On Debian and Ubuntu: apt install python{dotted(version)}-venv"
        )
    if trouble:
        LOG.write_text(trouble, encoding="utf-8")
        raise Stop(explain(trouble, "Python could not make .venv"))
    return version


def find_python() -> tuple[list[str], tuple[int, int]]:
    """A command that starts a supported Python, and its version: the running one, else one from PATH."""
    running = sys.version_info[:2]
    if running in SUPPORTED:
        # Inside an environment, the Python that made it: .venv must not hang on another environment, or on itself.
        return [getattr(sys, "_base_executable", None) or sys.executable], running
    for version in SUPPORTED:
        found = shutil.which(f"python{dotted(version)}")
        launcher = shutil.which("py") if os.name == "nt" else None
        for command in ([found] if found else [], [launcher, f"-{dotted(version)}"] if launcher else []):
            if command and python_version(command) == version:
                say(f"This is Python {dotted(running)}; the course needs {supported()}. Using {' '.join(command)}.")
                return command, version
    raise Stop(f"This is Python {dotted(running)}; the course needs {supported()}. Install one of them, then repeat.")


def install(extras: dict[str, bool], packages: Path) -> None:
    """Has pip install the requirements under the constraints."""
    for info in packages.glob("*.dist-info"):
        # pip writes INSTALLER after a package's files. Where it was cut short, pip must not take a part for the whole.
        if not (info / "INSTALLER").exists():
            shutil.rmtree(info)
    if extras["gpu"] and any(packages.glob("tensorflow_cpu-*.dist-info")):
        pip("uninstall", "--yes", "tensorflow-cpu")  # both builds own the same files
    pip("install", "--no-input", "--constraint", str(ROOT / "constraints.txt"), *requirements(**extras))


def requirements(test: bool, gpu: bool) -> list[str]:
    """What to install, in pip's words."""
    wanted = specifiers("requirements.txt")
    if gpu:  # in place of the plain TensorFlow
        wanted = [line for line in wanted if not line.startswith("tensorflow")] + specifiers("requirements-gpu.txt")
    return wanted + (specifiers("requirements-test.txt") if test else [])


def specifiers(name: str) -> list[str]:
    """The lines of a requirements file without comments."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]


def pip(verb: str, *arguments: str) -> None:
    """Runs pip inside .venv, shows what it is busy with, keeps its words in setup.log. Raises Stop when it fails."""
    command = inside("-m", "pip", "--disable-pip-version-check", verb, *arguments)
    lines: list[str] = []
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **TEXT}
    with LOG.open("w", encoding="utf-8") as log, subprocess.Popen(command, env=environment(), **pipe) as process:
        try:
            for line in process.stdout:
                lines.append(line)
                log.write(line)
                progress(line)
        except BaseException:
            process.terminate()
            raise
        finally:
            status_line("")
    if process.returncode:
        raise Stop(explain("".join(lines), "pip could not install the packages"))


def progress(line: str) -> None:
    """Tells what a line of pip's output means, in one line that is written over."""
    found = re.match(r"\s*(Collecting|Downloading|Using cached) ([\w.]+)(.*?)(\(\S+ .B\))?$", line)
    if found and not (found[4] and ".metadata" in found[3]):
        status_line(f"  {found[1].lower()} {found[2]} {found[4] or ''}")
    elif line.startswith("Installing collected packages"):
        status_line("")
        say(f"  unpacking {line.count(',') + 1} packages (about half a minute) ...")


def explain(output: str, what: str) -> str:
    """One sentence for what a failed step of the set-up printed."""
    again = f"then repeat: the set-up goes on where it stopped (details: {LOG})"
    if DISK_FULL.search(output) or shutil.disk_usage(ROOT).free < 1e8:
        return f"The disk is full: free some space in {ROOT} and in the folder for temporary files, {again}"
    if NO_NETWORK.search(output):
        return f"The network cannot be reached, and the first set-up needs it: connect, or set the proxy, {again}"
    # Under constraints, older releases of pip call a package that has no build for this machine a conflict with itself.
    missing = re.search(r"(?:No matching distribution found for|Cannot install) ([\w-]+)", output)
    if missing:
        return f"There is no {missing[1]} for this machine. {PLATFORMS} (details: {LOG})"
    errors = re.findall(r"^(?:ERROR|Error): (.+)", output, re.MULTILINE) or output.strip().splitlines() or ["no reason"]
    return f"{what}: {errors[-1].strip()} Mend that, {again}"


def digest(version: tuple[int, int]) -> str:
    """Changes when anything changes that the set-up depends on."""
    parts = [dotted(version), json.dumps(SETTINGS, sort_keys=True)]
    for name in ("requirements.txt", "requirements-gpu.txt", "requirements-test.txt", "constraints.txt"):
        parts.append((ROOT / name).read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_stamp() -> dict:
    """What write_stamp left, or nothing."""
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_stamp(state: dict) -> None:
    """Writes the stamp whole or not at all."""
    beside = STAMP.with_suffix(".new")
    beside.write_text(json.dumps(state), encoding="utf-8")
    os.replace(beside, STAMP)


def site_packages(version: tuple[int, int]) -> Path:
    """The folder of .venv's packages."""
    return VENV / ("Lib" if os.name == "nt" else f"lib/python{dotted(version)}") / "site-packages"


# ---------------------------------------------------------------- the verbs


def lab(arguments: argparse.Namespace, others: list[str]) -> NoReturn:
    """Opens JupyterLab on the first notebook; `others` go to JupyterLab."""
    trust()
    options = [
        "--ServerApp.log_level=WARN",
        "--ServerApp.websocket_ping_timeout=30000",  # its default is longer than the interval, and warns of it
        "--LabApp.log_level=WARN",
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.kernel_websocket_connection_class=course_lib.commands.lab.PromptConnection",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
        *(["--no-browser"] if arguments.no_browser else []),
        *([f"--port={arguments.port}"] if arguments.port else []),
        # JupyterLab refuses to serve root (as in a container) unless it is told so.
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    say("Starting JupyterLab. To end it, press Ctrl-C here, twice.")
    hand_over(inside("-m", "jupyterlab", *options, *others))


def trust() -> None:
    """Has Jupyter trust the notebooks as they are now, so that it shows their saved sounds and panels."""
    books = notebooks()
    contents = hashlib.sha256(b"".join(path.read_bytes() for path in books)).hexdigest()
    mark = VENV / "course_trusted.txt"
    if books and not (mark.exists() and mark.read_text() == contents):
        if not failure(inside("-m", "nbformat.sign", *map(str, books))):
            mark.write_text(contents)


def test(arguments: argparse.Namespace, others: list[str]) -> NoReturn:
    """Runs the tests; `others` go to pytest."""
    # Two processes: TensorFlow takes several cores by itself. loadgroup keeps together what is marked xdist_group.
    options = ["--numprocesses=2", "--dist=loadgroup"] + (["-m", "not slow"] if arguments.fast else [])
    hand_over(inside("-m", "pytest", *options, *others))


def run(arguments: argparse.Namespace, others: list[str]) -> NoReturn:
    """Executes one notebook without a browser."""
    number = arguments.notebook.zfill(2)
    found = [path for path in notebooks() if path.name.startswith(number + "_")]
    if not found:
        there = ", ".join(path.name[:2] for path in notebooks())
        raise Stop(f"There is no notebook {number}. There are: {there or 'none'}.")
    if arguments.full:
        os.environ["COURSE_PROFILE"] = "full"
    hand_over(inside("-m", "course_lib.commands.run", str(found[0]), str(ROOT / "results" / number)))


def doctor(arguments: argparse.Namespace, others: list[str]) -> NoReturn:
    """Shows what works and what to do about the rest."""
    version, stamp = python_version([str(PYTHON)]), read_stamp()
    if version not in SUPPORTED or not stamp.get("done"):
        raise Stop(f"TO DO  set-up: .venv is missing, broken or half made; {COMMAND} lab completes it")
    facts = {
        "root": str(ROOT),
        "remake": f"delete the folder .venv, then {COMMAND} lab",
        "complete": stamp["done"] == digest(version),
        "gpu": stamp.get("gpu", False),
        "needed": requirements(stamp.get("test", False), stamp.get("gpu", False)),
        "tested": specifiers("constraints.txt"),
    }
    hand_over(inside("-m", "course_lib.commands.doctor", json.dumps(facts)))


def notebooks() -> list[Path]:
    """The lessons, in order."""
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


# ---------------------------------------------------------------- small tools


def say(words: str) -> None:
    """Prints at once, also into a pipe."""
    print(words, flush=True)


def status_line(words: str) -> None:
    """Writes over the current line of a terminal; elsewhere nothing."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r" + words[:width].ljust(width), end="\r", flush=True)


def dotted(version: tuple[int, ...]) -> str:
    """(3, 11) as "3.11"."""
    return ".".join(map(str, version))


def supported() -> str:
    """The supported versions in words."""
    return f"Python {dotted(SUPPORTED[0])} to {dotted(SUPPORTED[-1])}"


def inside(*arguments: str) -> list[str]:
    """A command for .venv's Python."""
    return [str(PYTHON), *arguments]


def environment() -> dict[str, str]:
    """The environment variables of everything that is started here."""
    # Without byte code, each start of TensorFlow takes three times as long. PYTHONHOME points at another Python.
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME")}
    # TensorFlow says less; text files are UTF-8 on Windows too.
    return {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1", **kept}


def python_version(command: list[str]) -> tuple[int, int] | None:
    """(major, minor) of a Python command, None when it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        # Its complaints go nowhere: a shim on PATH that stands for no Python is no news.
        answer = subprocess.check_output(
            [*command, "-c", code], env=environment(), stderr=subprocess.DEVNULL, timeout=60
        )
        major, minor = map(int, answer.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return major, minor


def failure(command: list[str], env: dict[str, str] | None = None) -> str:
    """Runs a command quietly. Empty when it succeeds, else what it said."""
    try:
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **TEXT}
        done = subprocess.run(command, env=env or environment(), **pipe)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stdout or f"exit status {done.returncode}"


def hand_over(command: list[str]) -> NoReturn:
    """Ends this process with `command` in its place. On POSIX it stays the same process: every signal reaches it."""
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment())
    child = subprocess.Popen(command, env=environment())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child as well; the child decides
    sys.exit(child.wait())


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command line as (verb and options, what is passed on)."""
    about = {
        "lab": "set up what is missing, then open JupyterLab; other options go to JupyterLab",
        "test": "set up with the test tools, then run the tests; other arguments go to pytest",
        "run": "execute a notebook without a browser, as in: run 02",
        "doctor": "say what works on this machine, and what to do about the rest",
    }
    parser = argparse.ArgumentParser(prog=COMMAND, description="The course in four commands.")
    verbs = parser.add_subparsers(dest="verb", metavar="|".join(about))
    verb = {
        name: verbs.add_parser(name, allow_abbrev=False, help=text, description=text) for name, text in about.items()
    }
    for one in verb.values():
        one.add_argument("--gpu", action="store_true", help="install TensorFlow's GPU build (Linux, NVIDIA); it stays")
    verb["lab"].add_argument("--no-browser", action="store_true", help="only print the address")
    verb["lab"].add_argument("--port", type=int, help="where to serve (default: 8888 or the next free one)")
    verb["test"].add_argument("--fast", action="store_true", help="leave out the tests marked slow")
    verb["run"].add_argument("notebook", metavar="NN", help="the notebook's number")
    verb["run"].add_argument("--full", action="store_true", help="train from scratch (COURSE_PROFILE=full)")
    known, others = parser.parse_known_args(arguments)
    if not known.verb:
        parser.print_help()
        sys.exit(2)
    if others and known.verb in ("run", "doctor"):
        parser.error(f"{known.verb} does not know {' '.join(others)}")
    return known, others


def main(arguments: list[str]) -> int:
    """Runs one verb. Returns an exit status only where it failed; what goes wrong is one sentence on stderr."""
    known, others = parse(arguments)
    try:
        if known.verb != "doctor" or known.gpu:
            prepare(test=known.verb == "test", gpu=known.gpu)
        {"lab": lab, "test": test, "run": run, "doctor": doctor}[known.verb](known, others)
    except Stop as stop:
        print(stop, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. What is unfinished, the next call finishes.", file=sys.stderr)
        return 130
    except OSError as error:
        full = DISK_FULL.search(str(error))
        print(
            explain(str(error), "") if full else f"The system refused: {error}. Mend that, then repeat.",
            file=sys.stderr,
        )
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, so that no pip is left behind
    sys.exit(main(sys.argv[1:]))
