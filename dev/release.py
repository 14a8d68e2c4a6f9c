"""Create a release's files in build/: the zip that HACS installs, and the notes."""

from datetime import UTC, datetime
from pathlib import Path
import sys
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dev.checks.agreement import section
from dev.checks.project import DOMAIN, Project

ROOT = Path(__file__).parent.parent
# The zip is reproducible: the same files make the same bytes.
_DATE = datetime(2026, 1, 1, tzinfo=UTC).timetuple()[:6]


def write_zip(integration: Path, target: Path) -> None:
    """Write an integration's files to a zip, with the manifest at its top."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in sorted(integration.rglob("*")):
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            info = ZipInfo(path.relative_to(integration).as_posix(), _DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())


def main() -> int:
    """Write build/bitrix24_sip.zip and build/notes.md."""
    project = Project(ROOT)
    version = project.json(project.integration / "manifest.json")["version"]
    notes = section(project, version)
    if not notes:
        print(f"package: CHANGELOG.md has no section about {version}", file=sys.stderr)
        return 1
    build = ROOT / "build"
    write_zip(project.integration, build / f"{DOMAIN}.zip")
    (build / "notes.md").write_text(f"{notes}\n", encoding="utf-8")
    print(f"Version {version}: build/{DOMAIN}.zip and build/notes.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
