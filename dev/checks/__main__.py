"""Run the checks: `python -m dev.checks [--root FOLDER] [--tag TAG]`."""

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path
import sys

from . import agreement, icons, publishing
from .project import Check, Finding, Project, UnreadableError

# The workflows run hassfest and HACS's action; their checks are not repeated here.
CHECKS: tuple[Check, ...] = (icons.check, publishing.check, agreement.check)


def validate(root: Path, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return all findings in a work tree, sorted, without duplicates."""
    project = Project(root)
    findings: set[Finding] = set()
    for check in checks:
        try:
            findings.update(check(project))
        except UnreadableError as error:
            findings.add(error.finding)
    return sorted(findings)


def main() -> int:
    """Print the findings; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/validate", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument("--tag", help="the tag of a release, such as v1.0.0")
    arguments = parser.parse_args()
    checks = list(CHECKS)
    if arguments.tag:
        checks.append(partial(agreement.check_tag, tag=arguments.tag))
    findings = validate(arguments.root, checks)
    for finding in findings:
        print(finding)
    if findings:
        print(f"Validation: {len(findings)} findings")
        return 1
    print("Validation: no findings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
