"""The training plot: when it draws, and what it leaves in a saved notebook."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from course_lib.show import training_plot
from course_lib.show.training_plot import TrainingPlot


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """Stands in for the notebook; each drawing takes ``cost`` seconds."""

    pause = 0.5

    def __init__(self, clock: Clock, cost: float) -> None:
        self.clock, self.cost = clock, cost
        self.shown: list[tuple[float, str]] = []
        self.ended: list[str] = []

    def show(self, history: dict, line: str) -> None:
        self.shown.append((self.clock.now, line))
        self.clock.now += self.cost

    def end(self, history: dict, line: str) -> None:
        self.ended.append(line)


@pytest.mark.parametrize(("cost", "apart"), [(0.0, 0.5), (0.125, 19 * 0.125)])
def test_it_draws_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch, cost: float, apart: float) -> None:
    clock = Clock()
    screen = Screen(clock, cost)
    monkeypatch.setattr(training_plot, "_Terminal", lambda: screen)
    watch = TrainingPlot(clock=clock)
    for epoch in range(1, 101):
        watch({"loss": [1.0] * epoch}, epoch, 100, (100 - epoch) * 0.125)
        clock.now += 0.125
    times = [time for time, _ in screen.shown]
    assert times[0] == 100.0
    assert {later - earlier - cost for earlier, later in zip(times, times[1:], strict=False)} == {apart}
    assert screen.ended == ["epoch 100 of 100 · loss 1"]


def test_it_ends_when_training_stops_early_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, screens = Clock(), []

    def screen() -> Screen:
        screens.append(Screen(clock, 0))
        return screens[-1]

    monkeypatch.setattr(training_plot, "_Terminal", screen)
    watch = TrainingPlot(clock=clock)
    watch({"loss": [2.0], "val_loss": [3.0]}, 1, 50, 83.0)
    watch({"loss": [2.0, 1.0], "val_loss": [3.0, 4.0]}, 2, 50, 0.0)
    watch({"loss": [5.0]}, 1, 2, 1.0)
    assert [s.shown[0][1] for s in screens] == [
        "epoch 1 of 50 · loss 2 · validation loss 3 · 1 min 23 s left",
        "epoch 1 of 2 · loss 5 · 1 s left",
    ]
    assert screens[0].ended == ["epoch 2 of 50 · loss 1 · validation loss 4"]


def test_outside_a_notebook_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    watch = TrainingPlot()
    for epoch in (1, 2, 3):
        watch({"loss": [1 / epoch]}, epoch, 3, 3.0 - epoch)
    assert capsys.readouterr().out.splitlines() == ["epoch 1 of 3 · loss 1 · 2 s left", "epoch 3 of 3 · loss 0.333"]


def test_a_saved_notebook_keeps_one_still_picture() -> None:
    source = """
from course_lib.show import TrainingPlot
watch = TrainingPlot("MiniBach")
for epoch in (1, 2, 3):
    watch({"loss": [3.0, 2.0, 1.0][:epoch], "val_loss": [3.0, 2.0, 2.5][:epoch]}, epoch, 3, 3.0 - epoch)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    alt = "Training curves: MiniBach. epoch 3 of 3 · loss 1 · validation loss 2.5."
    assert output.data["text/plain"] == alt
    assert f'<img alt="{alt}"' in output.data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" not in output.data
