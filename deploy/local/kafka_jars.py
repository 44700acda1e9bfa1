"""Apache Kafka's jars, resolved once with the machine's own Maven and kept in the checkout."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.local.commands import run_to_end

KAFKA_DIRECTORY = Path(__file__).parent / "kafka"
POM = KAFKA_DIRECTORY / "pom.xml"
# 43 MB took 16 to 40 s; a network that needs longer than this leaves the newcomer waiting for too long.
RESOLVE_DEADLINE_SECONDS = 180.0
# Kafka 4's brokers need it.
LEAST_JAVA = 17
JAVA_DEADLINE_SECONDS = 30


def kafka_version() -> str:
    names = {"maven": "http://maven.apache.org/POM/4.0.0"}
    pom = ET.parse(POM)  # noqa: S314 - this package's own file
    version = pom.findtext("maven:dependencies/maven:dependency/maven:version", namespaces=names)
    if version is None:
        raise ValueError(f"{POM} names no version")
    return version


def java() -> Path | None:
    """Find a Java that is new enough: JAVA_HOME's, as Maven does, or else the path's."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if found is None or not Path(found).exists():
        return None
    answer = subprocess.run(  # noqa: S603 - the machine's own java
        [found, "-version"], check=False, capture_output=True, text=True, timeout=JAVA_DEADLINE_SECONDS
    )
    version = re.search(r'version "(\d+)', answer.stderr)
    return Path(found) if version is not None and int(version[1]) >= LEAST_JAVA else None


def kept_jars(cache: Path) -> Path | None:
    directory = _directory(cache)
    return directory if directory.exists() else None


def resolve_jars(cache: Path, log_file: Path) -> Path:
    """Let Maven resolve them; the directory appears under its name only when it is whole. Raises StartError."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="apache-kafka-", dir=cache) as unfinished:
        jars = Path(unfinished, "jars")
        command = [
            "mvn",
            "--batch-mode",
            "--no-transfer-progress",
            f"--file={POM}",
            f"-DoutputDirectory={jars}",
            "dependency:copy-dependencies",
        ]
        run_to_end("its fetch by Maven", command, log_file, RESOLVE_DEADLINE_SECONDS, _maven_environment())
        # Another call may have been quicker.
        if kept_jars(cache) is None:
            jars.rename(_directory(cache))
    return _directory(cache)


def _maven_environment() -> dict[str, str]:
    """Give Maven a home directory: Java takes the account's, which does not exist for nobody and the like."""
    environment = dict(os.environ)
    try:
        known_home = Path(pwd.getpwuid(os.getuid()).pw_dir).is_dir()
    except KeyError:
        known_home = False
    if not known_home and "HOME" in environment:
        options = environment.get("JAVA_TOOL_OPTIONS", "")
        environment["JAVA_TOOL_OPTIONS"] = f'{options} "-Duser.home={environment["HOME"]}"'
    return environment


def _directory(cache: Path) -> Path:
    return cache / f"apache-kafka-{kafka_version()}"
