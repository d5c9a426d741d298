"""Measures and prints: python -m benchmarks [names] [--quick] [--json FILE].

A benchmark is a module of this folder, without underscore, with a function ``run`` that yields rows; its keyword
arguments are the full measurement, its QUICK the short one.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from benchmarks import __path__ as here

NAMES = sorted(module.name for module in iter_modules(here) if not module.ispkg and not module.name.startswith("_"))

RESTING = 15  # per cent of all cores: less other work does not change the ratios


def main(arguments: list[str] | None = None) -> None:
    """Runs the benchmarks named on the command line, all by default."""
    from benchmarks._measure import Row, busy, machine, to_json
    from course_lib.show.tables import table

    about = {name: import_module(f"benchmarks.{name}") for name in NAMES}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Prints medians, quartiles and ratios of the course beside its peers, measured in turn in one run.",
        epilog="benchmarks: "
        + "; ".join(f"{name}: {module.__doc__.splitlines()[0].rstrip('.')}" for name, module in about.items())
        + ". What the rows mean: benchmarks/README.md",
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to run (default: all): {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and a tenth of the files, scaled up")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, rows and all samples to FILE")
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.names) - set(NAMES)):
        parser.error(f"no benchmark {', '.join(unknown)}. There are: {', '.join(NAMES)}.")

    where = machine()
    print("\n".join(f"{name}: {value}" for name, value in where.items() if name != "packages"))
    print("packages:", ", ".join(f"{name} {version}" for name, version in where["packages"].items()))
    before = busy()
    results: dict[str, list[Row]] = {}
    for name in chosen.names or NAMES:
        print(f"\nmeasuring {name} …", file=sys.stderr, flush=True)
        results[name] = list(about[name].run(**(about[name].QUICK if chosen.quick else {})))
        columns = ["", "median (or percentile)", "quartiles", "repeats", "target", ""]
        print(table([row.cells for row in results[name]], columns, f"\n{name}: {about[name].__doc__.splitlines()[0]}"))
        sys.stdout.flush()
    where["busy with other work"] = {"before, per cent": before, "after, per cent": (after := busy())}
    verdicts = [row.holds for rows in results.values() for row in rows if row.holds is not None]
    print(f"\n{sum(verdicts)} of {len(verdicts)} targets hold." if verdicts else "")
    print(f"The machine was {before:.0f} % busy with other work before, and {after:.0f} % after.")
    if max(before, after) > RESTING:
        print("What runs in several threads suffers most from that: measure again when the machine rests.")
    if chosen.json:
        beside = chosen.json.with_name(f"{chosen.json.name}.part")
        beside.write_text(to_json(results, where), encoding="utf-8")
        os.replace(beside, chosen.json)


if __name__ == "__main__":
    main()
