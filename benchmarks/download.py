"""Four archives of 120 MB from a server on this machine, fetched, checked, unpacked and compared; beside it the published script's way.

.venv/bin/python benchmarks/download.py
"""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from landmarks.config import load_config
from landmarks.remote import gldv2
from landmarks.stages.download import download

ARCHIVES, PHOTOS = {"train": 2, "index": 1, "test": 1}, 1000
PORT = 8753
# As download-dataset.sh of the dataset's repository: curl, md5sum, tar, side by side; nothing is resumed, compared or retried.
PLAIN = """
for name in {names}; do (
  split=${{name%/*}} file=${{name#*/}}
  mkdir -p {out}/$split && cd {out}/$split
  curl -sO {url}/$name.tar && curl -s {url}/md5sum/$split/md5.$file.txt -o $file.txt
  [ "$(md5sum < $file.tar | cut -c-32)" = "$(cut -c-32 $file.txt)" ] && tar -xf $file.tar && rm $file.tar $file.txt
) & done; wait
"""


def publish(folder: Path) -> list[str]:
    """Archives, md5 files and tables as the mirror has them; returns the archives' names."""
    chance, names, ids = random.Random(0), [], {}
    for split, count in ARCHIVES.items():
        for number in range(count):
            name = f"{split}/images_{number:03d}"
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for _ in range(PHOTOS):
                    id, photo = f"{chance.getrandbits(64):016x}", chance.randbytes(chance.randrange(60_000, 180_000))
                    info = tarfile.TarInfo(f"{id[0]}/{id[1]}/{id[2]}/{id}.jpg")
                    info.size = len(photo)
                    archive.addfile(info, io.BytesIO(photo))
                    ids.setdefault(split, []).append(id)
            sum = folder / f"md5sum/{split}/md5.images_{number:03d}.txt"
            for path in (folder / f"{name}.tar", sum):
                path.parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.tar").write_bytes(stream.getvalue())
            sum.write_text(f"{hashlib.md5(stream.getvalue()).hexdigest()}  images_{number:03d}.tar\n")
            names.append(name)
    tables = {split: "id\n" + "".join(f"{id}\n" for id in ids[split]) for split in ("index", "test")}
    tables |= {"train": "id,landmark_id\n" + "".join(f"{id},1\n" for id in ids["train"])}
    for place, name, text in [("metadata", split, text) for split, text in tables.items()] + [
        ("ground_truth", name.removesuffix(".csv"), f"{columns}\n") for name, columns in gldv2.SOLUTIONS.items()
    ]:
        (folder / place).mkdir(exist_ok=True)
        (folder / place / f"{name}.csv").write_text(text)
    return names


def main() -> None:
    gldv2.ARCHIVES = ARCHIVES
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        names = publish(folder / "mirror")
        size = sum(path.stat().st_size for path in (folder / "mirror").rglob("*.tar"))
        command = [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1", "--directory", str(folder / "mirror")]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            url = f"http://127.0.0.1:{PORT}"
            for turn in range(3):
                began = time.perf_counter()
                plain = PLAIN.format(names=" ".join(names), url=url, out=folder / f"plain{turn}")
                subprocess.run(["bash", "-c", plain], check=True)
                between = time.perf_counter()
                overrides = [f"dataset.folder={folder / f'ours{turn}'}", "download.gldv2=[train, index, test]", f"download.gldv2_url={url}"]
                download(load_config(None, overrides))
                ended = time.perf_counter()
                photos = [sorted(path.name for path in (folder / f"{who}{turn}").rglob("*.jpg")) for who in ("plain", "ours")]
                assert photos[0] == photos[1] and len(photos[0]) == PHOTOS * len(names)
                print(f"ours {size / 1e6 / (ended - between):.0f} MB/s, curl + md5sum + tar {size / 1e6 / (between - began):.0f} MB/s")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
