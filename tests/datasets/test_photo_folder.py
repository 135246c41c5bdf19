from landmarks.datasets.photo_folder import find_photos


def test_photos_are_found_through_links_once_and_named_by_their_landmark(tmp_path, capsys):
    source, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for path in (source / "b" / "deep" / "1.webp", source / "a" / "2.JPG", elsewhere / "3.png", source / "a" / ".hidden" / "4.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    (source / "c").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(source)
    for name in ("a/notes.txt", "a/LICENSE", "loose.jpg", "b/._1.jpg"):
        (source / name).touch()
    photos, ignored = find_photos(source)
    assert [(photo.name, photo.label) for photo in photos] == [("a/2.JPG", "a"), ("b/deep/1.webp", "b"), ("c/3.png", "c")]
    assert {photo.size for photo in photos} == {5}
    assert ignored == {".txt": 1, "no suffix": 1, "photo in no landmark folder": 1, "hidden": 1}
    assert capsys.readouterr().out == "import: ignored 4 files: 1 .txt, 1 hidden, 1 no suffix, 1 photo in no landmark folder\n"
