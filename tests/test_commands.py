"""What the course changes in Jupyter's server."""

from types import SimpleNamespace

import pytest

from course_lib.commands.lab import PromptConnection


def test_answers_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP gets this setting once the connection is open, and everything else is Jupyter's own."""
    calls = []
    monkeypatch.setattr(PromptConnection.__base__, "connect", lambda self: calls.append("connect"))
    monkeypatch.setattr(
        PromptConnection, "websocket_handler", SimpleNamespace(set_nodelay=lambda value: calls.append(value))
    )
    PromptConnection.connect(object.__new__(PromptConnection))
    assert calls == [True, "connect"]
