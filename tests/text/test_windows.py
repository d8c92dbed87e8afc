from graphmem.text.windows import windows


def test_windows_cover_a_text_without_gaps() -> None:
    for text in ("One two. " * 500, "x" * 5000, "word " * 3000, "Short."):
        found = windows(text)
        assert found[0].start == 0 and found[-1].end == len(text)
        assert all(a.end == b.own for a, b in zip(found, found[1:], strict=False))
        assert all(w.end - w.start <= 1000 for w in found)
