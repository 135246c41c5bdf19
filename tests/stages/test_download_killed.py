"""Killed at any moment and run again, a download ends with the same files, and nothing comes twice but what was on the wire."""

import random
import signal
import subprocess
import sys
import time

from small_gldv2 import ARCHIVES, lying_in, publish

KILLS = 10
ON_THE_WIRE = 3 * 4096  # sent by the server, not yet written by the client: pieces of 4096 bytes, slowly
# Unpacking is slowed down too, so that it is hit as well.
RUN = f"""
import sys, time
from landmarks.cli import main
from landmarks.remote import gldv2
from landmarks.remote import archives
gldv2.ARCHIVES = {ARCHIVES}
write = archives._write
archives._write = lambda *arguments: (time.sleep(0.02), write(*arguments))
sys.exit(main(sys.argv[1:]))
"""


def start(folder, server):
    (folder / "c.yaml").write_text(
        f"dataset: {{folder: {folder / 'data'}, train_table: train_clean.csv}}\n"
        f"download: {{gldv2: [train, index, test], gldv2_url: '{server.url}', parallel: 2}}\n"
    )
    command = [sys.executable, "-c", RUN, "download", "--config", str(folder / "c.yaml")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_killed_downloads_end_as_an_undisturbed_one(server, tmp_path):
    expected = publish(server)
    server.bytes_per_second = 40_000
    chance = random.Random(0)
    for _ in range(KILLS):
        asked = len(server.requests)
        process = start(tmp_path, server)
        while len(server.requests) == asked:  # from here on it is at work
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        time.sleep(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
        assert lying_in(tmp_path / "data").items() <= expected.items()
    process = start(tmp_path, server)
    assert process.wait() == 0, process.stderr.read()
    assert lying_in(tmp_path / "data") == expected
    assert sorted(path.name for path in (tmp_path / "data/.download").iterdir()) == ["done", "lock"]
    resumed = 0
    for path, content in server.files.items():
        have = 0
        for method, asked, first, sent in list(server.requests):
            if asked != path or sent <= 1:  # a single byte is asked for to learn the size
                continue
            assert method == "GET" and have - ON_THE_WIRE <= first <= have, path
            have, resumed = first + sent, resumed + (first > 0)
        assert have == len(content)
    assert resumed > 0
