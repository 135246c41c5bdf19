"""A Google Landmarks v2 of a few hundred kilobytes, published on a KaggleServer as the real one is."""

import hashlib
import io
import random
import tarfile
import zipfile

ARCHIVES = {"train": 3, "index": 2, "test": 1}
PHOTOS = 6  # an archive


def publish(server):
    """Put tables, archives and md5 files on the server: what dataset.folder should hold in the end, path -> bytes."""
    chance = random.Random(0)
    files, ids = {}, {}
    for split, count in ARCHIVES.items():
        for number in range(count):
            photos = {f"{chance.getrandbits(64):016x}": chance.randbytes(chance.randrange(2000, 12_000)) for _ in range(PHOTOS)}
            ids.setdefault(split, []).extend(photos)
            paths = {f"{id[0]}/{id[1]}/{id[2]}/{id}.jpg": content for id, content in photos.items()}
            content = tar_of(paths)
            server.files[f"/{split}/images_{number:03d}.tar"] = content
            sum = f"{hashlib.md5(content).hexdigest()}  images_{number:03d}.tar\n"
            server.files[f"/md5sum/{split}/md5.images_{number:03d}.txt"] = sum.encode()
            files |= {f"{split}/{path}": content for path, content in paths.items()}
    tables = {
        "metadata/train_clean.csv": "landmark_id,images\n" + f"1,{' '.join(ids['train'][:9])}\n2,{' '.join(ids['train'][9:])}\n",
        "metadata/index.csv": "\n".join(["id", *ids["index"], ""]),
        "metadata/test.csv": "\n".join(["id", *ids["test"], ""]),
        "ground_truth/retrieval_solution_v2.1.csv": "id,images,Usage\n" + "".join(f"{id},None,Ignored\n" for id in ids["test"]),
        "ground_truth/recognition_solution_v2.1.csv": "id,landmarks,Usage\n" + "".join(f"{id},,Private\n" for id in ids["test"]),
    }
    for path, text in tables.items():
        server.files[f"/{path}"] = files[path.split("/")[1]] = text.encode()
    return files


def tar_of(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zip_of(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def lying_in(folder):
    """What dataset.folder holds, but for the notes of the download."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: content for path, content in files.items() if not path.startswith(".download/")}
