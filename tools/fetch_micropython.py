# SPDX-License-Identifier: MIT
"""Set up the MicroPython VMs for the tests: build/vm32/micropython and build/vm64/micropython.

Usage: fetch_micropython.py [--vm32 COMMAND] [--vm64 COMMAND]. A command that is named is used as
it is. Otherwise Debian's packages are downloaded from the mirror that the machine's own apt
sources name, with a private sources list and state folder, and unpacked under build/: no root,
nothing is installed. A launcher is written only after the VM behind it has run and has told the
right small-int width.
"""

from __future__ import annotations

import argparse
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import vms
from apt_sources import Mirror, mirrors
from layout import BUILD, Trouble

_SUITE = "trixie"
_PACKAGES = (
    "micropython libc6 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7 libgcc-s1".split()
)
# bits: (Debian's architecture, the loader, the libraries)
_FORM = {
    32: ("i386", "usr/lib/i386-linux-gnu/ld-linux.so.2", "usr/lib/i386-linux-gnu"),
    64: ("amd64", "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
}
_FETCHED = """#!/bin/sh
# fetched from {suite}
root=${{0%/*}}/root
exec "$root/{loader}" --library-path "$root/{libraries}" "$root/usr/bin/micropython" "$@"
"""
_NAMED = """#!/bin/sh
# named by the user
exec {command} "$@"
"""
_FOUND = """#!/bin/sh
# found on PATH
exec {command} "$@"
"""
# Hooks of the machine's own apt configuration are for its own lists, not for ours.
_APT_CONF = """#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{first}";
APT::Architectures {{ {architectures} }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "60";
Acquire::https::Timeout "60";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::Etc::sourcelist "{top}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "{top}/state";
Dir::State::status "{top}/status";
Dir::Cache "{top}/cache";
"""


def advice(bits: list[int]) -> str:
    """Return what to install or set when no VM can be had."""
    names = {32: "MICROPYTHON32", 64: "MICROPYTHON"}
    return "; ".join(
        f"give a {b}-bit MicroPython 1.24 or newer by `make {names[b]}=/path/to/micropython ...`"
        for b in bits
    )


def run(command: list[str], where: Path) -> str:
    """Run a command in a folder and return its error output, empty when all went well."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
    errors = [line for line in said if line.startswith("E:")] or said[-3:]
    return " ".join(errors[:3])


def download(mirror: Mirror, bits: list[int], top: Path) -> str:
    """Fetch the packages for all `bits` into `top`; return what went wrong, empty for nothing."""
    architectures = [_FORM[b][0] for b in bits]
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (top / folder).mkdir(parents=True)
    (top / "status").touch()
    (top / "sources.list").write_text(mirror.line(_SUITE))
    quoted = " ".join(f'"{a}";' for a in architectures)
    conf = _APT_CONF.format(first=architectures[0], architectures=quoted, top=top)
    (top / "apt.conf").write_text(conf)
    apt = ["apt-get", "-q", "-c", str(top / "apt.conf")]
    print(
        f"vm: apt-get update ({_SUITE}, {' and '.join(architectures)}, private lists)", flush=True
    )
    trouble = run([*apt, "update"], top)
    if not trouble:
        wanted = [f"{name}:{a}" for a in architectures for name in _PACKAGES]
        print(f"vm: apt-get download {' '.join(wanted)}", flush=True)
        trouble = run([*apt, "download", *wanted], top)
    return trouble


def unpack(bits: int, top: Path) -> None:
    """Unpack what was downloaded into build/vm<bits>, try the VM, then write its launcher."""
    architecture, loader, libraries = _FORM[bits]
    target = vms.launcher(bits).parent
    shutil.rmtree(target, ignore_errors=True)
    (target / "root").mkdir(parents=True)
    for package in sorted(top.glob(f"*_{architecture}.deb")):
        trouble = run(["dpkg", "-x", str(package), str(target / "root")], top)
        if trouble:
            raise Trouble(f"dpkg cannot unpack {package.name}: {trouble}")
    install(bits, _FETCHED.format(suite=_SUITE, loader=loader, libraries=libraries))


def install(bits: int, text: str) -> None:
    """Write a launcher under a trial name, run the VM through it, and give it its real name."""
    target = vms.launcher(bits)
    target.parent.mkdir(parents=True, exist_ok=True)
    trial = target.with_name("micropython.trial")
    trial.write_text(text)
    trial.chmod(0o755)
    try:
        version = vms.probe(trial, bits)
    except Trouble as e:
        trial.unlink()
        if bits == 64 or "# fetched" not in text:
            raise
        hint = f"Does this kernel run 32-bit x86 programs? Otherwise {advice([32])}."
        raise Trouble(f"{e} {hint}") from e
    trial.replace(target)
    print(f"vm: build/vm{bits}/micropython is MicroPython {version}, {bits}-bit")


def current(bits: int, *marks: str) -> bool:
    """Return True if the VM is there, runs, and has a wanted mark in its launcher."""
    path = vms.launcher(bits)
    if not path.exists() or not any(mark in path.read_text() for mark in marks):
        return False
    try:
        version = vms.probe(path, bits)
    except Trouble:
        return False
    print(f"vm: build/vm{bits}/micropython is MicroPython {version}, {bits}-bit")
    return True


def fetch(bits: list[int]) -> None:
    """Download and unpack the VMs, trying one mirror after the other."""
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing or platform.machine() not in ("x86_64", "AMD64"):
        why = f"{' and '.join(missing)} missing" if missing else f"{platform.machine()} processor"
        raise Trouble(f"MicroPython cannot be fetched on this machine ({why}): {advice(bits)}.")
    found = mirrors()
    if not found:
        raise Trouble(
            "The machine's apt sources (/etc/apt/sources.list, sources.list.d) name no Debian "
            "archive to fetch MicroPython from: add one with component main, "
            f"or {advice(bits)}."
        )
    troubles = []
    BUILD.mkdir(exist_ok=True)
    for mirror in found:
        with tempfile.TemporaryDirectory(prefix="apt-", dir=BUILD) as top:
            trouble = download(mirror, bits, Path(top))
            if not trouble:
                for b in bits:
                    unpack(b, Path(top))
                return
        place = re.sub(r"//[^/]*@", "//", mirror.uri)  # without a password
        print(f"vm: {place} did not give it: {trouble}", file=sys.stderr)
        troubles.append(f"{place}: {trouble}")
    raise Trouble(
        f"No mirror of the machine's apt sources gave MicroPython ({'; '.join(troubles)}): "
        f"mend the network or the keyring (package debian-archive-keyring), or {advice(bits)}."
    )


def main() -> None:
    """Set up what is not there yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vm32", default="", help="a 32-bit MicroPython to use instead")
    parser.add_argument("--vm64", default="", help="a 64-bit MicroPython to use instead")
    options = parser.parse_args()
    wanting = []
    for bits, command in ((32, options.vm32), (64, options.vm64)):
        if command:
            path = shutil.which(command)
            if path is None or Path(path).resolve() == vms.launcher(bits).resolve():
                name = "MICROPYTHON32" if bits == 32 else "MICROPYTHON"
                raise Trouble(f"{command} is no program of its own: {name}= must name one.")
            text = _NAMED.format(command=shlex.quote(str(Path(path).absolute())))
            if not current(bits, text):
                install(bits, text)
        elif not current(bits, "# fetched", "# found"):
            wanting.append(bits)
    if not wanting:
        return
    try:
        fetch(wanting)
    except Trouble as e:
        own = shutil.which("micropython")
        if wanting != [64] or own is None:
            raise
        print(f"vm: {e} Trying {own} instead.", file=sys.stderr)
        install(64, _FOUND.format(command=shlex.quote(own)))


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"vm: {problem}")
