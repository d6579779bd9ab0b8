"""The rules of the house that a machine can check: imports, layers, packaging, tracked files."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

# Rooms from the ground up; a room may import its own level and those below.
LEVELS = (
    {"__init__", "constants", "errors", "tree", "variables", "units", "grid", "regular_grid", "files", "io"},
    {"kernels"},
    {"land", "operators", "assimilation"},
    {"learning", "evaluation", "forcing", "observations", "surface_maps", "retrieval"},
    {"twin"},
    {"experiments"},
    {"cli", "config", "__main__"},
)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
ONLY_IN = {"lightning": "learning", "pytorch_lightning": None, "matplotlib": "evaluation"}


def python_files(repository: Path) -> list[Path]:
    return sorted((repository / "dalearn").rglob("*.py"))


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module path below the package: its first folder or file, the package itself ``__init__``."""
    return parts[0].removesuffix(".py") if parts else "__init__"


def imported_modules(path: Path, package: Path) -> list[tuple[str, ...]]:
    """Every module that a file imports, anywhere in it, as absolute dotted parts."""
    modules: list[tuple[str, ...]] = []
    here = ("dalearn", *path.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else ()
            module = base + tuple((node.module or "").split(".") if node.module else ())
            # `from dalearn import grid` names the room in the list of names, not in the module
            modules += [(*module, alias.name) for alias in node.names] if len(module) == 1 else [module]
    return modules


def room_imports(repository: Path) -> set[tuple[str, str, str]]:
    """(file, its room, imported room) for every import between rooms of the package."""
    package = repository / "dalearn"
    rooms = {path.name.removesuffix(".py") for path in package.iterdir()}
    found = set()
    for path in python_files(repository):
        name = str(path.relative_to(repository))
        for module in imported_modules(path, package):
            if module[0] == "dalearn":
                room = module[1] if len(module) > 1 and module[1] in rooms else "__init__"
                found.add((name, room_of(path.relative_to(package).parts), room))
    return found


def test_every_room_has_its_level(repository: Path) -> None:
    rooms = {room_of(path.relative_to(repository / "dalearn").parts) for path in python_files(repository)}
    assert rooms <= set(LEVEL), "a new room: give it a level here"


def test_dependencies_point_down(repository: Path) -> None:
    imports = room_imports(repository)
    assert len(imports) > 20
    upward = {row for row in imports if LEVEL[row[2]] > LEVEL[row[1]]}
    assert not upward


def test_rooms_of_one_level_do_not_import_each_other_in_a_circle(repository: Path) -> None:
    below = {room: set[str]() for room in LEVEL}
    for _, room, imported in room_imports(repository):
        if room != imported:
            below[room].add(imported)

    def reachable(room: str, seen: set[str]) -> set[str]:
        for other in below[room] - seen:
            seen.add(other)
            reachable(other, seen)
        return seen

    assert [room for room in below if room in reachable(room, set())] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_heavy_libraries_stay_in_their_room(repository: Path, library: str) -> None:
    package = repository / "dalearn"
    users = {
        room_of(path.relative_to(package).parts)
        for path in python_files(repository)
        if any(module[0] == library for module in imported_modules(path, package))
    }
    allowed = ONLY_IN[library]
    assert users <= ({allowed} if allowed else set())


def test_import_is_light() -> None:
    code = (
        "import sys, dalearn; print([m for m in ('lightning', 'matplotlib', 'netCDF4', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def project_table(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def test_malicious_releases_are_excluded(repository: Path) -> None:
    requirements = [Requirement(line) for line in project_table(repository)["dependencies"]]
    (lightning,) = [requirement for requirement in requirements if requirement.name == "lightning"]
    for version in ("2.6.2", "2.6.3"):
        assert version not in lightning.specifier
    assert "2.6.6" in lightning.specifier


def test_constraints_satisfy_the_ranges(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = {name.lower(): version for name, version in (line.split("==") for line in lines if "==" in line)}
    assert all("+" not in version for version in pins.values()), "a local version is not installable elsewhere"
    project = project_table(repository)
    for line in project["dependencies"] + project["optional-dependencies"]["test"]:
        requirement = Requirement(line)
        assert pins[requirement.name.lower()] in requirement.specifier


def test_extras(repository: Path) -> None:
    assert set(project_table(repository)["optional-dependencies"]) == {
        "test", "obs", "grib", "maps", "zarr", "download", "dev"
    }  # fmt: skip


def test_no_registry_host_is_fixed(repository: Path) -> None:
    for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run"):
        text = (repository / name).read_text()
        assert not re.search(r"index-url|find-links|\[\[tool\.uv|://", text), name


def tracked_files(repository: Path) -> list[Path]:
    if not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    result = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True)
    return [repository / name for name in result.stdout.split("\0") if name]


def test_no_machine_path_is_tracked(repository: Path) -> None:
    folders = re.compile(r"(?<![\w.~/])/(?:work|home|root|Users|mnt|scratch)/\w")
    found = []
    for path in tracked_files(repository):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        if folders.search(text) or f"{repository}/" in text:
            found.append(str(path.relative_to(repository)))
    assert found == []


def test_commands_are_executable(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "make test" in script.read_text()
