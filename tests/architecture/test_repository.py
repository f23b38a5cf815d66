"""What is committed: no lock with an address, no machine path, licence and notices in place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.fail("this test reads the list of tracked files; run it in a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_lock_files_pin_hashes_and_name_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert not re.search(r"https?://|index-url [^\s]*/", text), path.name
        pinned = re.findall(r"^[A-Za-z0-9_.\-\[\]]+==", text, flags=re.MULTILINE)
        assert pinned, path.name
        assert text.count("--hash=sha256:") >= len(pinned), path.name


def test_each_extra_has_a_lock_file_that_agrees_with_the_full_one() -> None:
    full = (ROOT / "requirements" / "dev.txt").read_text()
    everything = set(re.findall(r"^([A-Za-z0-9_.\-\[\]]+==\S+)", full, flags=re.MULTILINE))
    for name in ("core", "report", "tables", "lab", "web"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert set(re.findall(r"^([A-Za-z0-9_.\-\[\]]+==\S+)", text, flags=re.MULTILINE)) <= everything, name


def test_other_peoples_data_files_are_not_in_the_repository() -> None:
    names = {path.name for path in tracked()}
    assert not names & {"metapsy_ybocs.csv", "fev_data.csv", "uv.lock"}


def test_no_file_names_a_path_of_one_machine() -> None:
    pattern = re.compile(r"/(?:home|root|Users)/[a-z]|/work/")
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".txt", ".csv", ".json", ".html", ".js", ".css"}:
            found = pattern.search(path.read_text(encoding="utf-8", errors="ignore"))
            if path.name != Path(__file__).name:
                assert not found, f"{path}: {found and found.group(0)}"


def test_the_engine_imports_without_numpy_django_or_any_prediction() -> None:
    code = (
        "import importlib, pkgutil, sys, kerp.session\n"
        "for m in pkgutil.walk_packages(kerp.session.__path__, 'kerp.session.'): importlib.import_module(m.name)\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in {'numpy', 'scipy', 'django', 'jax', 'pydantic'}"
        " or m.startswith(('kerp.drug.kinetics', 'kerp.drug.effect', 'kerp.learning', 'kerp.simulate'))]\n"
        "print(bad); sys.exit(bool(bad))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_kerp_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom kerp.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "bad = {'numpy', 'scipy', 'pydantic', 'rich', 'jinja2', 'matplotlib', 'django'} & set(sys.modules)\n"
        "sys.exit(', '.join(bad) if bad else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
