"""course.py: set-up, its failures in one sentence, and the verbs. No test here needs the network."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import psutil
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_lib.commands import doctor, run

ROOT = Path(__file__).parent.parent
FILES = ("course.py", "requirements.txt", "requirements-gpu.txt", "requirements-test.txt", "constraints.txt")


@pytest.fixture
def course(tmp_path: Path) -> ModuleType:
    """course.py as it stands in a fresh copy of the project, without .venv."""
    home = tmp_path / "fresh copy"
    (home / "notebooks").mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, home / name)
    spec = importlib.util.spec_from_file_location("fresh_course", home / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pips(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The calls of pip, none of which does anything; .venv is made without pip, which is quick."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(course, "pip", lambda *arguments: calls.append(arguments))
    plain = course.failure

    def without_pip(command: list[str], env: dict[str, str] | None = None) -> str:
        if command[1:3] == ["-m", "pip"]:
            return "" if course.PYTHON.exists() else "no pip"
        return plain([*command, "--without-pip"] if "venv" in command else command, env)

    monkeypatch.setattr(course, "failure", without_pip)
    return calls


@pytest.fixture
def handed(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that course.py would go on with, in a set-up environment."""
    commands: list[list[str]] = []
    monkeypatch.setattr(course, "hand_over", commands.append)
    monkeypatch.setattr(course, "prepare", lambda **extras: None)
    monkeypatch.setattr(course, "trust", lambda: None)
    return commands


def pretend_python(course: ModuleType, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]) -> None:
    """Makes ``course`` believe that this Python runs it."""
    fake = SimpleNamespace(
        version_info=(*version, 0), executable=sys.executable, stdout=sys.stdout, maxsize=sys.maxsize
    )
    monkeypatch.setattr(course, "sys", fake)


# ---------------------------------------------------------------- which Python


def test_an_old_python_can_read_the_file() -> None:
    ast.parse((ROOT / "course.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_needs_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "course.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 14)])
def test_an_unsupported_python_gets_one_sentence(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]
) -> None:
    pretend_python(course, monkeypatch, version)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(course.Stop, match=rf"This is Python 3\.{version[1]}; the course needs Python 3\.11 to 3\.13\."):
        course.prepare()
    assert not course.VENV.exists()


def test_a_supported_python_on_the_path_is_used_and_named(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pretend_python(course, monkeypatch, (3, 14))
    monkeypatch.setattr(course.shutil, "which", lambda name: f"/there/{name}")
    # A shim of this name stands on PATH but no Python stands behind it.
    monkeypatch.setattr(course, "python_version", lambda command: {"/there/python3.12": (3, 12)}.get(command[0]))
    assert course.find_python() == (["/there/python3.12"], (3, 12))
    assert "Using /there/python3.12" in capsys.readouterr().out


def test_python_version_of_what_is_no_python(course: ModuleType, tmp_path: Path) -> None:
    assert course.python_version([sys.executable]) == sys.version_info[:2]
    assert course.python_version([str(tmp_path / "missing")]) is None
    assert course.python_version([sys.executable, "-c", "print('hello')"]) is None


@pytest.mark.parametrize("system, machine", [("Darwin", "x86_64"), ("Windows", "ARM64"), ("Linux", "i686")])
def test_a_machine_without_tensorflow_gets_one_sentence(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(course.platform, "system", lambda: system)
    monkeypatch.setattr(course.platform, "machine", lambda: machine)
    with pytest.raises(course.Stop, match=f"Python for {system} on {machine}.*Apple silicon"):
        course.prepare()


# ---------------------------------------------------------------- set-up


def test_set_up_once_then_never_again(course: ModuleType, pips: list) -> None:
    course.prepare()
    assert len(pips) == 1 and pips[0][:3] == ("install", "--no-input", "--constraint")
    assert any(argument.startswith("jupyterlab>=") for argument in pips[0])
    course.prepare()
    assert len(pips) == 1


def test_the_environment_knows_the_library_and_its_settings(course: ModuleType, pips: list) -> None:
    (course.ROOT / "course_lib").mkdir()
    (course.ROOT / "course_lib" / "__init__.py").touch()
    course.prepare()
    moved = course.ROOT.rename(course.ROOT.with_name("moved"))
    python = moved / course.PYTHON.relative_to(course.ROOT)
    where = subprocess.check_output([python, "-c", "import course_lib; print(course_lib.__file__)"], cwd="/", text=True)
    assert Path(where.strip()).parent == moved / "course_lib"
    for name, content in course.SETTINGS.items():
        assert json.loads((moved / ".venv" / name).read_text()) == content


def test_changed_requirements_are_installed(course: ModuleType, pips: list) -> None:
    course.prepare()
    with (course.ROOT / "requirements.txt").open("a") as file:
        file.write("one-more>=1  # for this test\n")
    course.prepare()
    assert len(pips) == 2 and "one-more>=1" in pips[1]


def test_extras_are_added_and_stay(course: ModuleType, pips: list) -> None:
    course.prepare()
    course.prepare(test=True)
    assert len(pips) == 2 and any(argument.startswith("pytest>=") for argument in pips[1])
    course.prepare()
    course.prepare(test=True)
    assert len(pips) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the GPU build is for Linux")
def test_gpu_build_takes_the_place_of_the_plain_one(course: ModuleType, pips: list) -> None:
    course.prepare()
    (course.site_packages(sys.version_info[:2]) / "tensorflow_cpu-2.21.0.dist-info").mkdir()
    (course.site_packages(sys.version_info[:2]) / "tensorflow_cpu-2.21.0.dist-info" / "INSTALLER").touch()
    course.prepare(gpu=True)
    assert pips[1] == ("uninstall", "--yes", "tensorflow-cpu")
    assert [a.split(">")[0] for a in pips[2] if a.startswith("tensorflow")] == ["tensorflow[and-cuda]"]
    course.prepare()
    assert len(pips) == 3


def test_gpu_elsewhere_gets_one_sentence(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course.platform, "system", lambda: "Darwin")
    with pytest.raises(course.Stop, match="Leave --gpu out"):
        course.prepare(gpu=True)


def test_an_interrupted_set_up_is_finished_by_the_next_call(
    course: ModuleType, pips: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    packages = course.site_packages(sys.version_info[:2])

    def interrupted(*arguments: str) -> None:
        for name, files in {"whole-1.dist-info": ["METADATA", "INSTALLER"], "half-1.dist-info": ["METADATA"]}.items():
            (packages / name).mkdir()
            for file in files:
                (packages / name / file).touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(course, "pip", interrupted)
        assert course.main(["lab"]) == 130
    assert "the next call finishes" in capsys.readouterr().err
    course.prepare()
    assert len(pips) == 1
    assert (packages / "whole-1.dist-info").exists() and not (packages / "half-1.dist-info").exists()
    assert "Finishing the set-up" in capsys.readouterr().out
    course.prepare()
    assert len(pips) == 1


def test_a_cut_off_stamp_counts_as_none(course: ModuleType, pips: list) -> None:
    course.prepare()
    course.STAMP.write_text(course.STAMP.read_text()[:20])
    course.prepare()
    assert len(pips) == 2


@pytest.mark.parametrize("damage", ["python gone", "python does not run", "packages gone"])
def test_a_broken_environment_is_made_anew(
    course: ModuleType, pips: list, capsys: pytest.CaptureFixture, damage: str
) -> None:
    course.prepare(test=True)
    if damage == "packages gone":
        shutil.rmtree(course.VENV / "lib", ignore_errors=True)
        course.STAMP.write_text("{}")
    course.PYTHON.unlink()
    if damage == "python does not run":
        course.PYTHON.write_text("not a program")
        course.PYTHON.chmod(0o755)
    course.prepare()
    assert "making it anew" in capsys.readouterr().out
    assert course.python_version([str(course.PYTHON)]) == sys.version_info[:2]
    assert len(pips) == 2


def test_a_folder_that_is_no_environment_is_left_alone(course: ModuleType) -> None:
    course.VENV.mkdir()
    (course.VENV / "thesis.txt").write_text("two years")
    with pytest.raises(course.Stop, match="Move it away"):
        course.prepare()
    assert (course.VENV / "thesis.txt").read_text() == "two years"


def test_an_environment_of_another_python_is_left_alone(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    course.VENV.mkdir()
    (course.VENV / "pyvenv.cfg").touch()
    monkeypatch.setattr(course, "python_version", lambda command: (3, 9))
    with pytest.raises(course.Stop, match=r"is of Python 3\.9; the course needs Python 3\.11 to 3\.13\. Remove it"):
        course.prepare()
    assert (course.VENV / "pyvenv.cfg").exists()


# ---------------------------------------------------------------- what goes wrong, in one sentence


def test_too_little_disk_is_reported_before_anything_is_made(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: SimpleNamespace(free=1.5e9))
    with pytest.raises(course.Stop, match=r"needs 4 GB of disk; .* 1\.5 GB are free"):
        course.prepare()
    assert not course.VENV.exists()


@pytest.mark.parametrize(
    "output, sentence",
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: No matching distribution found for keras<3.17,>=3.15",
            "The network cannot be reached",
        ),
        ("ERROR: No matching distribution found for verovio<7,>=6.4", "There is no verovio for this machine"),
        (
            "ERROR: Cannot install tensorflow-cpu<2.22 and >=2.21 because these package versions have conflicting "
            "dependencies.\nERROR: ResolutionImpossible: for help visit https://example.org",
            "There is no tensorflow-cpu for this machine",
        ),
        ("Collecting x\nERROR: The wheel is odd.\n", "It failed: The wheel is odd. Mend that"),
        ("Segmentation fault\n", "It failed: Segmentation fault"),
        ("", "It failed: no reason"),
    ],
)
def test_what_pip_prints_becomes_one_sentence(course: ModuleType, output: str, sentence: str) -> None:
    explained = course.explain(output, "It failed")
    assert explained.startswith(sentence) and "\n" not in explained


def test_without_network_the_set_up_ends_in_one_sentence(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """The real thing: a real environment, a real pip, and the guard for a network that is not there."""
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "https://192.0.2.1/simple", "PIP_RETRIES": "1"}
    for name, value in {**settings, "OFFLINE_GUARD_LOG": str(tmp_path / "refused.txt")}.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    assert course.main(["lab"]) == 1
    error = capfd.readouterr().err
    assert error.startswith("The network cannot be reached, and the first set-up needs it") and error.count("\n") == 1
    assert course.read_stamp()["done"] is None


def test_a_python_without_venv_gets_the_remedy(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = "The virtual environment was not created successfully because ensurepip is not available."
    monkeypatch.setattr(course, "failure", lambda command: printed)
    with pytest.raises(course.Stop, match=r"apt install python3\.1\d-venv"):
        course.prepare()


@pytest.mark.parametrize(
    "error, sentence",
    [
        (
            PermissionError(13, "Permission denied", "/somewhere"),
            "The system refused: [Errno 13] Permission denied: '/some",
        ),
        (OSError(28, "No space left on device"), "The disk is full: free some space"),
    ],
)
def test_a_system_error_is_no_traceback(
    course: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    error: OSError,
    sentence: str,
) -> None:
    def refuse(**extras: bool) -> None:
        raise error

    monkeypatch.setattr(course, "prepare", refuse)
    assert course.main(["lab"]) == 1
    assert capsys.readouterr().err.startswith(sentence)


# ---------------------------------------------------------------- the verbs


def test_lab_opens_the_first_notebook(course: ModuleType, handed: list) -> None:
    course.main(["lab", "--no-browser", "--port", "8899", "--ServerApp.token=abc"])
    (command,) = handed
    assert command[:3] == [str(course.PYTHON), "-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in command
    assert {"--no-browser", "--port=8899", "--ServerApp.token=abc", f"--ServerApp.root_dir={course.ROOT}"} <= set(
        command
    )
    assert "--ServerApp.kernel_websocket_connection_class=course_lib.commands.lab.PromptConnection" in command


def test_test_passes_its_arguments_on(course: ModuleType, handed: list) -> None:
    course.main(["test", "--fast", "tests/music", "-k", "piece"])
    (command,) = handed
    assert command[:3] == [str(course.PYTHON), "-m", "pytest"]
    assert command[-5:] == ["-m", "not slow", "tests/music", "-k", "piece"]


def test_run_finds_the_notebook_by_its_number(
    course: ModuleType, handed: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (course.ROOT / "notebooks" / "02_feedforward.ipynb").touch()
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    course.main(["run", "2", "--full"])
    assert handed[0][1:3] == ["-m", "course_lib.commands.run"]
    assert [Path(path).name for path in handed[0][3:]] == ["02_feedforward.ipynb", "02"]
    assert os.environ["COURSE_PROFILE"] == "full"
    assert course.main(["run", "7"]) == 1
    assert capsys.readouterr().err == "There is no notebook 07. There are: 02.\n"


def test_doctor_without_an_environment_tells_what_to_do(course: ModuleType, capsys: pytest.CaptureFixture) -> None:
    assert course.main(["doctor"]) == 1
    assert re.fullmatch(r"TO DO  set-up: .*course\.py lab completes it\n", capsys.readouterr().err)
    assert not course.VENV.exists()


def test_doctor_gets_what_course_py_knows(course: ModuleType, handed: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "python_version", lambda command: (3, 11))
    course.VENV.mkdir()
    for done, complete in ((course.digest((3, 11)), True), ("older", False)):
        course.write_stamp({"done": done})
        course.main(["doctor"])
        facts = doctor.Course(**json.loads(handed[-1][-1]))
        assert facts.complete is complete and facts.root == str(course.ROOT) and not facts.gpu
        assert facts.needed == course.requirements(test=False, gpu=False)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run"], ["run", "02", "--fast"], ["doctor", "now"]])
def test_a_wrong_command_line_is_explained(
    course: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as end:
        course.main(arguments)
    captured = capsys.readouterr()
    assert end.value.code == 2 and "usage:" in captured.out + captured.err


def test_children_write_byte_code(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    assert "PYTHONDONTWRITEBYTECODE" not in course.environment()
    assert course.environment()["TF_CPP_MIN_LOG_LEVEL"] == "0"
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    assert course.environment()["TF_CPP_MIN_LOG_LEVEL"] == "3"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_signals_reach_what_was_started() -> None:
    code = "import course, sys; course.hand_over([sys.executable, '-c', sys.argv[1]])"
    child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, child], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM


def test_shipped_notebooks_are_trusted_once(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    course.VENV.mkdir()
    signed: list[list[str]] = []
    monkeypatch.setattr(course, "failure", lambda command: signed.append(command[1:]) or "")
    notebook = course.ROOT / "notebooks" / "00_start_here.ipynb"
    notebook.write_text("{}")
    (course.ROOT / "notebooks" / "downloaded.ipynb").write_text("{}")
    course.trust()
    course.trust()
    assert signed == [["-m", "nbformat.sign", str(notebook)]]
    notebook.write_text("{} ")
    course.trust()
    assert len(signed) == 2


# ---------------------------------------------------------------- run


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook with code cells, and markdown cells where a text begins with #."""
    make = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    nbformat.write(nbformat.v4.new_notebook(cells=[make[text.startswith("#")](text) for text in cells]), path)
    return path


def test_run_shows_progress_and_where_the_results_lie(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "notebooks").mkdir()
    results = tmp_path / "results" / "02"
    results.mkdir(parents=True)
    (results / "old.txt").touch()
    os.utime(results / "old.txt", (0, 0))
    save = "open('../results/02/tune.mid', 'wb').write(bytes(2000)); x = 20 + 1"
    notebook = write_notebook(
        tmp_path / "notebooks" / "02_a.ipynb", "# A title", "import course_lib", save, "## Next", "x * 2"
    )
    assert run.run_notebook(str(notebook), str(results)) == 0
    printed = capfd.readouterr().out
    assert re.findall(r"^\[(\d/\d)\] (A title|Next) +\d+\.\d s$", printed, re.MULTILINE) == [
        ("1/3", "A title"),
        ("2/3", "A title"),
        ("3/3", "Next"),
    ]
    assert f"The results lie in {results}:" in printed and "tune.mid  (2 kB)" in printed and "old.txt" not in printed
    executed = nbformat.read(results / "02_a.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "42"
    assert not nbformat.read(notebook, as_version=4).cells[-1].outputs


def test_a_failing_cell_ends_the_run_with_its_error(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    notebook = write_notebook(tmp_path / "02_b.ipynb", "a = 1", "raise ValueError('pitch 200')", "print('never')")
    assert run.run_notebook(str(notebook), str(tmp_path / "results")) == 1
    printed = capfd.readouterr().out
    assert "ValueError: pitch 200" in printed and "never" not in printed and "\x1b" not in printed
    executed = nbformat.read(tmp_path / "results" / "02_b.ipynb", as_version=4)
    assert [cell.execution_count for cell in executed.cells] == [1, 2, None]


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_stopped_run_leaves_no_python_behind(tmp_path: Path) -> None:
    cell = "import os, time; open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'pid.txt'); time.sleep(600)"
    notebook = write_notebook(tmp_path / "02_d.ipynb", cell)
    command = [sys.executable, "-m", "course_lib.commands.run", str(notebook), str(tmp_path / "results")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "pid.txt").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "\nStopped.\n"
    assert process.returncode == 130
    assert not psutil.pid_exists(int((tmp_path / "pid.txt").read_text()))


def test_short_keeps_the_end_of_a_traceback() -> None:
    assert run.short("\x1b[31ma\x1b[0m\nb\nc", keep=2) == "...\nb\nc"
    assert run.short("a\nb", keep=2) == "a\nb"


# ---------------------------------------------------------------- doctor


HERE = doctor.Course(str(ROOT), "make it anew", complete=True, gpu=False, needed=[], tested=[])


def test_doctor_prints_ok_or_what_to_do(capsys: pytest.CaptureFixture) -> None:
    def fine(course: doctor.Course) -> doctor.Finding:
        return True, "as it should be"

    def short(course: doctor.Course) -> doctor.Finding:
        return False, "too little: get more"

    def broken(course: doctor.Course) -> doctor.Finding:
        raise ImportError("no module")

    assert doctor.examine(HERE, (fine,)) == 0
    assert doctor.examine(HERE, (broken, short, fine)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[3] == "OK     fine: as it should be"
    assert lines[1].startswith("TO DO  broken: ImportError: no module. make it anew")
    assert lines[2] == "TO DO  short: too little: get more"


@pytest.mark.parametrize("examine", [doctor.widgets, doctor.sound, doctor.memory, doctor.disk])
def test_doctor_finds_this_machine_well(examine: Callable[[doctor.Course], doctor.Finding]) -> None:
    well, words = examine(HERE)
    assert well, words


def test_doctor_finds_a_wrong_pitch(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from course_lib.show import audio

    flat = np.sin(2 * np.pi * 430 * np.arange(48_000) / 24_000)
    monkeypatch.setattr(audio, "synthesize", lambda piece: (flat, 24_000))
    well, words = doctor.sound(HERE)
    assert not well and "sounds at 430.0 (-40 cents)" in words


def test_doctor_compares_versions_with_the_lock() -> None:
    needed, tested = ["numpy", "not-there>=1", "other; os_name == 'x'"], ["numpy==0.1", "elsewhere==2 ; os_name == 'x'"]
    well, words = doctor.versions(HERE._replace(needed=needed, tested=tested))
    assert not well
    assert re.match(r"not-there is missing; numpy is [\d.]+ where ==0\.1 was tested: make it anew", words)


# ---------------------------------------------------------------- the lists of packages and settings


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("requirements")])
def test_each_requirement_has_a_range_a_reason_and_a_tested_version(course: ModuleType, name: str) -> None:
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines and all(re.search(r"  # .{10,}", line) for line in lines)
    tested = {
        canonicalize_name(Requirement(line).name): Requirement(line) for line in course.specifiers("constraints.txt")
    }
    for requirement in map(Requirement, course.specifiers(name)):
        assert {clause.operator for clause in requirement.specifier} == {">=", "<"}, requirement
        pinned = next(iter(tested[canonicalize_name(requirement.name)].specifier))
        assert pinned.operator == "==" and pinned.version in requirement.specifier


def test_the_lock_is_free_of_places() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--|/\w|\\", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert "://" not in text and "uv pip compile --universal --python-version 3.11" in text


@pytest.mark.parametrize(
    "system, machine, build",
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
        ("win32", "AMD64", "tensorflow"),
    ],
)
def test_each_platform_gets_one_tensorflow(course: ModuleType, system: str, machine: str, build: str) -> None:
    place = {"sys_platform": system, "platform_machine": machine}
    wanted = [r for r in map(Requirement, course.specifiers("requirements.txt")) if r.name.startswith("tensorflow")]
    assert [r.name for r in wanted if r.marker.evaluate(place)] == [build]


def test_jupyterlab_knows_the_settings_that_keep_it_off_the_network(course: ModuleType) -> None:
    folder = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    for name, settings in course.SETTINGS["share/jupyter/lab/settings/overrides.json"].items():
        extension, plugin = name.split(":")
        known = json.loads((folder / extension / f"{plugin}.json").read_text(encoding="utf-8"))["properties"]
        for key, value in settings.items():
            allowed = [choice["const"] for choice in known[key].get("oneOf", [])] or [True, False]
            assert value in allowed


def test_what_libraries_write_past_python_stays_out_of_notebooks(
    course: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = course.SETTINGS["etc/ipython/ipython_kernel_config.json"]
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_kernel_config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    code = "import os, sys\nos.write(2, b'noise\\n')\nprint('a warning', file=sys.stderr)"
    notebook = write_notebook(tmp_path / "02_c.ipynb", code)
    assert run.execute(notebook, tmp_path / "out" / "02_c.ipynb") == 0
    (output,) = nbformat.read(tmp_path / "out" / "02_c.ipynb", as_version=4).cells[0].outputs
    assert output.text == "a warning\n"
