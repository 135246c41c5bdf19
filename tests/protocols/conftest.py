"""Miniatures of the benchmarks in their authors' own layout, of small rendered pictures."""

import pickle

import numpy as np
import pytest
from PIL import Image

MODEL = [
    "models.tiny={backbone: test_resnet, dimensions: 0, pretrained: false, train: false, local: {dimensions: 32}}",
    "extract={longest_side: 96, scales: [1.0], workers: 0, local: {scales: [1.0], max_features: 60}}",
    "run.device=cpu",
]


def facade(landmark, side=96):
    """A picture (side, side, 3) uint8 of its own for every landmark: blocks of colour."""
    rng = np.random.default_rng(1000 + landmark)
    tint = rng.integers(0, 256, 3)
    blocks = rng.integers(0, 256, (12, 12, 3)) * 0.6 + tint * 0.4
    return np.kron(blocks, np.ones((side // 12, side // 12, 1))).astype(np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


@pytest.fixture
def roxford(tmp_path):
    """Three queries, cropped out of larger pictures; each with an easy, a hard and a junk image, and nine images beside."""
    folder = tmp_path / "roxford5k"
    index, queries, gnd = [], [], []
    for landmark in range(3):
        whole = np.random.default_rng(landmark).integers(0, 256, (144, 192, 3), np.uint8)
        whole[30:126, 50:146] = facade(landmark)
        queries.append(f"college_{landmark:06d}")
        save(folder / "jpg" / f"{queries[-1]}.jpg", whole)
        pictures = {
            "easy": [facade(landmark)],
            "hard": [(facade(landmark) * 0.5).astype(np.uint8)],
            "junk": [np.roll(facade(landmark), 8, axis=0)],
        }
        numbers = {}
        for kind, pixels in pictures.items():
            numbers[kind] = np.arange(len(index), len(index) + len(pixels))
            for one in pixels:
                index.append(f"{kind}_{landmark}_{len(index):06d}")
                save(folder / "jpg" / f"{index[-1]}.jpg", one)
        gnd.append({"bbx": [50.2, 29.8, 145.6, 126.1], **numbers})
    for other in range(9):
        index.append(f"other_{other:06d}")
        save(folder / "jpg" / f"{index[-1]}.jpg", facade(100 + other))
    gnd[2] |= {"hard": [], "junk": np.concatenate([gnd[2]["hard"], gnd[2]["junk"]])}  # one query has no hard image
    path = folder / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps({"gnd": gnd, "imlist": index, "qimlist": queries}, protocol=2))
    return folder


@pytest.fixture
def pitts(tmp_path):
    """Four queries, database pictures at 0, 20, 30 and 300 metres of their places; the last query's place is not in the database."""
    folder = tmp_path / "pitts30k" / "images" / "test"
    for place in range(4):
        east, north = 584000.0 + 1000 * place, 4476000.0
        name = "@{:.2f}@{:.2f}@17@T@40.44@-80.01@pano{}@@{}@@@@2014@@.jpg"
        save(folder / "queries" / name.format(east, north, place, 0), facade(place))
        for number, metres in enumerate((0, 20, 30, 300) if place < 3 else (60, 300)):
            # The query's own picture lies 20 metres off at the first place, 30 metres off at the second.
            shown = place if number == (1, 2, 0)[place % 3] and place < 3 else 50 + 10 * place + number
            save(folder / "database" / name.format(east + metres, north, place, number), facade(shown))
    return folder


@pytest.fixture
def msls(tmp_path):
    """Two cities of two drives with five frames each, in the query and in the database; one panorama."""
    folder = tmp_path / "msls"
    for city_number, city in enumerate(("cph", "sf")):
        for part in ("query", "database"):
            rows = {name: [] for name in ("postprocessed", "raw", "seq_info", "subtask_index")}
            for number in range(10):
                drive, frame = divmod(number, 5)
                key = f"{city}{part[0]}{number:02d}"
                east = 1000.0 * city_number + 10000.0 * drive + 15.0 * frame
                heading = 90.0 if part == "query" or drive == 0 else 200.0  # the second drive looks the other way in the database
                rows["postprocessed"].append(f"{number},{key},{east},5000.0,False,Forward,True")
                rows["raw"].append(f"{number},{key},12.5,55.7,{heading},2016-01-01,{part == 'query' and number == 9}")
                rows["seq_info"].append(f"{number},{key},drive{drive},{frame}")
                rows["subtask_index"].append(f"{number},True,{number % 2 == 0}")
                save(folder / "train_val" / city / part / "images" / f"{key}.jpg", facade(20 * city_number + number))
            heads = {
                "postprocessed": ",key,easting,northing,night,view_direction,unique_cluster",
                "raw": ",key,lon,lat,ca,captured_at,pano",
                "seq_info": ",key,sequence_key,frame_number",
                "subtask_index": ",all,s2w",
            }
            for name, head in heads.items():
                path = folder / "train_val" / city / part / f"{name}.csv"
                path.write_text("\n".join([head, *rows[name]]) + "\n")
    return folder
