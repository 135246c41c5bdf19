import json

import numpy as np

from landmarks.training.skipped import SKIPPED, SkippedImages, read_skipped

IDS = np.array(["a", "b", "c"], object)


def test_each_image_is_listed_once_and_said(tmp_path, capsys):
    skipped = SkippedImages("tiny", tmp_path, IDS)
    skipped.add({2: "truncated"})
    skipped.add({2: "truncated", 0: "missing"})
    assert read_skipped(tmp_path) == {"a": "missing", "c": "truncated"}
    assert capsys.readouterr().out.count("skipped 'c': truncated") == 1
    assert read_skipped(tmp_path / "none") == {}


def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path):
    (tmp_path / SKIPPED).write_text(json.dumps({"id": "a", "why": "missing"}) + '\n{"id": "b", "wh')
    SkippedImages("tiny", tmp_path, IDS).add({2: "truncated"})
    assert read_skipped(tmp_path) == {"a": "missing", "c": "truncated"}
