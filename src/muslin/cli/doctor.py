"""muslin doctor"""

import sys
from dataclasses import asdict

from muslin.cli.options import Json, console, emit
from muslin.runs import doctor

MARKS = {"ok": "✓", "better": "–", "wrong": "✗"}
STYLES = {"ok": None, "better": "yellow", "wrong": "bold red"}


def command(json: Json = False) -> None:
    """What this machine has and lacks: Python, processor, the cores that one really gets, BLAS, engine, cache, data
    sets, extras, disk and clock, each with what to do. ✓ is well, – works and could work better, ✗ is wrong; the exit
    code is 1 if anything is wrong, else 0."""
    findings = doctor.examine()
    wrong = sum(finding.state == "wrong" for finding in findings)
    if json:
        emit({"healthy": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings, wrong)
    sys.exit(1 if wrong else 0)


def _show(findings, wrong):
    out = console(False)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        out.print(f"{MARKS[finding.state]} {finding.name:<{width}}  {finding.says}", style=STYLES[finding.state])
        if finding.remedy:
            out.print(f"  {'':<{width}}  → {finding.remedy}")
    out.print(f"{wrong} wrong" if wrong else "Nothing is wrong.", style="bold")
