"""What `course.py lab` changes in Jupyter's server: answers of a kernel leave for the browser at once."""

from __future__ import annotations

import asyncio

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own connection of a kernel with the browser, without Nagle's algorithm.

    A kernel sends "busy" before it answers. By default, TCP holds the answer back until the browser has acknowledged
    that message, which it does after 40 ms: too long for a widget that follows the hand.
    """

    def connect(self) -> asyncio.Future[None] | None:
        self.websocket_handler.set_nodelay(True)
        return super().connect()
