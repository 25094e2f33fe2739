"""Labels come out in letters, not in boxes with a cross."""

import pytest

from artdet.fonts import font_for


def drawn(font, text):
    return bytes(font.getmask(text))


@pytest.mark.parametrize("text", ["", "water_body 0.87", "SS. Peter & Paul"])
def test_plain_text_has_the_bundled_font(text):
    assert font_for(text, 20).getname() == ("Aileron", "Regular")


@pytest.mark.parametrize("text", ["Bäume", "женщина", "Παναγία", "łódź"])
def test_other_letters_have_a_font_with_them(text):
    pytest.importorskip("matplotlib", reason="the font with these letters comes with matplotlib")
    font = font_for(text, 20)
    assert all(drawn(font, letter) != drawn(font, "\U0010fffe") for letter in text)
    assert drawn(font, text) != drawn(font_for("", 20), text)


def test_letters_that_no_font_has_are_no_error():
    assert font_for("\U0010fffe", 20).getlength("\U0010fffe") > 0


def test_size_is_in_pixels():
    small, large = (font_for("Bä", size).getbbox("Bä")[3] for size in (10, 40))
    assert 3.5 < large / small < 4.5
