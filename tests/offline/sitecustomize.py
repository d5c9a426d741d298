"""Python imports this at its start when this folder is on PYTHONPATH: child processes are guarded as well."""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

import offline_guard

offline_guard.install()

# This file stands before a sitecustomize that the installation may have: run that one too.
_here = os.path.dirname(os.path.abspath(__file__))
_next = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.abspath(path) != _here])
if _next and _next.loader:
    _next.loader.exec_module(importlib.util.module_from_spec(_next))
