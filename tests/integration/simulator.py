"""The Meta simulator, run as the independent program it is."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deploy.local.stack import inherited_environment
from tests.integration.environment import Environment

ROOT = Path(__file__).parents[2]
# The largest play of these tests takes 10 s on a quiet machine.
DEADLINE_SECONDS = 120.0


async def play(environment: Environment, report: Path, *options: str) -> dict[str, Any]:
    """Play a campaign; fail unless the tables end as the simulator meant. Give its report."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.simulator",
        "play",
        "--report",
        str(report),
        *options,
        cwd=ROOT,
        env={**inherited_environment(), **environment.values},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    written: dict[str, Any] = json.loads(await asyncio.to_thread(report.read_text))
    return written
