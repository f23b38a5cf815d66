"""Write the lock files: pinned versions and hashes, no download address."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = str(Path(sys.executable).parent / "uv")
COMMON = ["--universal", "--generate-hashes", "--no-emit-index-url", "--python-version", "3.11", "--quiet"]


def compile_lock(name: str, *options: str) -> None:
    """Resolve `pyproject.toml` (or `uv.in`) with `options` into `requirements/<name>.txt`."""
    print(f"requirements/{name}.txt")
    source = "requirements/uv.in" if name == "uv" else "pyproject.toml"
    command = [UV, "pip", "compile", source, *options, *COMMON, "-o", f"requirements/{name}.txt"]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Every extra resolves inside the full set, so that no two lock files disagree on a version."""
    compile_lock("uv")
    compile_lock("dev", "--all-extras", "--group", "dev", "--group", "bench")
    full = ("--constraints", "requirements/dev.txt")
    compile_lock("core", *full)
    for extra in ("report", "tables", "lab", "web"):
        compile_lock(extra, "--extra", extra, *full)


if __name__ == "__main__":
    main()
