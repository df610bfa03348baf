# SPDX-License-Identifier: MIT
"""What is published is what is in the tree: one version, every module, nothing hidden from git."""

import ast
import json
import shutil
import tomllib

import pytest

import layout
import limpet
import package_json
import stage
from layout import ROOT


def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _manifest():
    """Return what manifest.py tells: {"metadata": keywords, "package": (args, keywords)}."""
    told = {}

    def metadata(**keywords):
        told["metadata"] = keywords

    def package(*args, **keywords):
        told["package"] = (args, keywords)

    names = {"metadata": metadata, "package": package}
    exec(compile((ROOT / "manifest.py").read_text(), "manifest.py", "exec"), names)
    return told


def test_there_is_one_version():
    listed = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert limpet.__version__ == layout.version()
    assert listed["version"] == limpet.__version__
    assert _manifest()["metadata"]["version"] == limpet.__version__
    assert _project()["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "limpet.__version__"


def test_package_json_lists_every_module_of_a_board():
    text = (ROOT / "package.json").read_text(encoding="utf-8")
    assert text == package_json.text(), "run `make package.json`"
    urls = dict(json.loads(text)["urls"])
    places = {"lib/limpet": "", "transport": "transport/", "ports/micropython/port": "port/"}
    for folder, place in places.items():
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT / folder)
            assert urls.pop(f"limpet/{place}{name}") == f"{folder}/{name}"
    assert urls == {}


def test_manifest_freezes_the_staged_tree():
    args, keywords = _manifest()["package"]
    assert args == ("limpet",)
    assert keywords == {"base_path": "build/micropython"}


def test_the_packages_of_pyproject_are_those_of_the_tree():
    setuptools = _project()["tool"]["setuptools"]
    wanted = {
        name: str(folder.relative_to(ROOT)) for name, folder in layout.packages("cpython").items()
    }
    assert setuptools["package-dir"] == wanted
    assert sorted(setuptools["packages"]) == sorted(wanted)
    for folder in wanted.values():
        assert (ROOT / folder / "__init__.py").is_file()


def test_the_source_archive_has_every_folder():
    text = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    grafted = {line.split()[1] for line in text.splitlines() if line.startswith("graft ")}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    folders = {name for name in folders if not name.startswith(".")}
    assert folders - {"build", "dist"} <= grafted


def test_git_sees_the_sources():
    text = (ROOT / ".gitignore").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    names = {line.strip("/") for line in lines}
    assert {"/build/", "/dist/"} <= set(lines)
    assert not names & {"lib", "lib64", "ports", "boards", "transport", "*.py"}
    assert "build" not in lines and "dist" not in lines


def test_the_public_names_are_told_and_there():
    tree = ast.parse((ROOT / "lib/limpet/__init__.py").read_text(encoding="utf-8"))
    bound = [ast.unparse(t) for n in tree.body if isinstance(n, ast.Assign) for t in n.targets]
    assert "__all__" in bound
    for name in limpet.__all__:
        assert hasattr(limpet, name)
    assert (ROOT / "lib/limpet/py.typed").exists()


@pytest.fixture
def small_tree(tmp_path):
    """A tree with one module of each kind, staged for CPython."""
    for name in ("lib/limpet/a.py", "transport/b.py", "ports/cpython/port/c.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert stage.stage("cpython", tmp_path, tmp_path / "build") == 3
    return tmp_path


def test_staging_follows_the_tree(small_tree):
    top = small_tree / "build/cpython/limpet"
    assert {p.name for p in top.iterdir()} == {"a.py", "transport", "port"}
    assert (top / "port/c.py").is_file() and (top / "transport/b.py").is_file()
    (small_tree / "lib/limpet/a.py").rename(small_tree / "lib/limpet/d.py")
    (small_tree / "ports/cpython/host").mkdir()
    (small_tree / "ports/cpython/host/e.py").touch()
    stage.stage("cpython", small_tree, small_tree / "build")
    assert {p.name for p in top.iterdir()} == {"d.py", "transport", "port", "host"}


def test_staging_touches_nothing_that_is_right(small_tree):
    top = small_tree / "build/cpython/limpet"
    (top / "__pycache__").mkdir()
    assert stage.stage("cpython", small_tree, small_tree / "build") == 0
    (top / "stray").mkdir()
    (top / "transport").unlink()
    (top / "transport").symlink_to("nowhere")
    assert stage.stage("cpython", small_tree, small_tree / "build") == 3
    assert stage.stage("cpython", small_tree, small_tree / "build") == 0


def test_a_staged_tree_may_be_moved(small_tree, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "tree"
    shutil.move(small_tree, moved)
    assert (moved / "build/cpython/limpet/port/c.py").is_file()
    assert stage.stage("cpython", moved, moved / "build") == 0


def test_package_json_drifts_when_a_module_comes(small_tree):
    (small_tree / "ports/micropython/port").mkdir(parents=True)
    (small_tree / "lib/limpet/__init__.py").write_text('__version__ = "1.2.3"\n')
    before = package_json.text(small_tree)
    (small_tree / "lib/limpet/z.py").touch()
    after = package_json.text(small_tree)
    assert "limpet/z.py" in after and "limpet/z.py" not in before
    (small_tree / "lib/limpet/__init__.py").write_text("")
    with pytest.raises(layout.Trouble, match="__version__"):
        package_json.text(small_tree)
