"""`marketplace demo`, as somebody at a terminal runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from marketplace.running.system import NOT_PASSED_ON
from marketplace_embedded.process import until

MARKETPLACE = Path(sys.executable).with_name("marketplace")


def outside():
    """The environment without the servers and settings of this test run."""
    return {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}


def demo(*arguments):
    return subprocess.run([MARKETPLACE, "demo", *arguments], capture_output=True, text=True, timeout=300, env=outside())


def test_the_journey_is_played_to_its_end():
    played = demo()

    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert "All 12 steps answered as the contract says." in played.stdout
    assert "\x1b[" not in played.stdout  # plain where it is piped
    for told in ("402 POST /payments", "sse refund.succeeded", "sse booking.cancelled", "mail     to customer-"):
        assert told in played.stdout


def test_what_does_not_answer_ends_it_with_an_error():
    played = demo("--url", "http://127.0.0.1:1")

    assert played.returncode == 1
    assert "Step 1 failed" in played.stdout


def test_the_script_is_there():
    assert shutil.which(MARKETPLACE)


def test_told_to_stop_it_leaves_nothing_behind(tmp_path):
    done = subprocess.Popen(
        [MARKETPLACE, "demo"],
        env=outside() | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert until(lambda: [*tmp_path.glob("marketplace-*/run.json")] != [], 60)  # its system is starting, or runs
    done.terminate()

    assert done.communicate(timeout=60)[1].endswith("Interrupted.\n")
    assert done.returncode == 130
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("marketplace-")] == []
