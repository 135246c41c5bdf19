from landmarks.training.journal import JOURNAL, append_line, read_lines, remove_lines_after


def test_lines_are_read_as_they_were_written(tmp_path):
    assert read_lines(tmp_path) == []
    lines = [{"step": 1, "loss": 0.1}, {"step": 2, "loss": 1 / 3}]
    for line in lines:
        append_line(tmp_path, line)
    assert read_lines(tmp_path) == lines


def test_a_line_that_was_cut_off_is_ignored_and_removed(tmp_path):
    for step in (5, 10, 15):
        append_line(tmp_path, {"step": step})
    with open(tmp_path / JOURNAL, "a") as file:
        file.write('{"step": 2')
    assert [line["step"] for line in read_lines(tmp_path)] == [5, 10, 15]
    remove_lines_after(tmp_path, 10)
    assert (tmp_path / JOURNAL).read_text() == '{"step": 5}\n{"step": 10}\n'


def test_without_a_journal_an_empty_one_is_made(tmp_path):
    remove_lines_after(tmp_path, 0)
    assert (tmp_path / JOURNAL).read_text() == ""
