"""First steps on a fresh Debian-like machine, before anything of kerp's is installed (standard library only)."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

# What the tests need from Debian: package -> a program that shows it is there.
DEBIAN = {
    "chromium": ("chromium",),
    "fonts-dejavu-core": (),
    "poppler-utils": ("pdftoppm",),
    "postgresql": (),
}


def installed(package: str) -> bool:
    """Whether a Debian package, or the program it brings, is present."""
    programs = DEBIAN.get(package, ())
    if programs and all(shutil.which(name) for name in programs):
        return True
    if package == "postgresql" and list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return True
    if not shutil.which("dpkg-query"):
        return False
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return "install ok installed" in found.stdout


def apt_install(packages: list[str]) -> None:
    """Install Debian packages when root; otherwise name them and stop with exit code 2."""
    missing = [package for package in packages if not installed(package)]
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"kerp: these Debian packages are missing: {names}\nInstall them: sudo apt-get install {names}")
    print(f"kerp: installing from Debian: {names}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = {"env": environment, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, **quiet)


def make_venv(python: str, venv: str) -> None:
    """Create the virtual environment; Debian splits `venv` off, so bring it when it is missing."""
    command = [python, "-m", "venv", venv]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        DEBIAN["python3-venv"] = ()
        apt_install(["python3-venv"])
        subprocess.run(command, check=True)


def main() -> None:
    """`bootstrap.py venv --python P --venv V` or `bootstrap.py debian`."""
    if sys.version_info < (3, 11):  # noqa: UP036  this file is read by whatever python3 there is
        sys.exit("kerp needs Python 3.11 or newer; this is " + sys.version.split()[0])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["venv", "debian"])
    parser.add_argument("--python", default="python3")
    parser.add_argument("--venv", default=".venv")
    options = parser.parse_args()
    if options.step == "venv":
        make_venv(options.python, options.venv)
    else:
        apt_install(list(DEBIAN))


if __name__ == "__main__":
    main()
