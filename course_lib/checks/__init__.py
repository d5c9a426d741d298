"""Checks for the exercises, one module a lesson."""
