from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.datasets.io.picture import read_bytes, read_text, safe_open
from core.errors import UnreadableData
from tests.pictures import encoded


def saved(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def pixel(picture: Image.Image, x: int = 0, y: int = 0) -> tuple[int, int, int]:
    assert picture.mode == "RGB"
    return picture.getpixel((x, y))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_reads_every_allowed_format(form):
    picture = safe_open(encoded((200, 30, 60), form=form))
    assert picture.size == (8, 6)
    np.testing.assert_allclose(pixel(picture), (200, 30, 60), atol=6)


@pytest.mark.parametrize("form", ["PPM", "ICO", "TGA", "PDF", "EPS", "JPEG2000", "SGI"])
def test_refuses_every_other_format(form):
    with pytest.raises(UnreadableData, match="none of PNG, JPEG"):
        safe_open(encoded(form=form, size=(16, 16)))


def test_the_content_decides_not_the_name(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded((1, 2, 3), form="PNG"))
    assert pixel(safe_open(tmp_path / "photo.jpg")) == (1, 2, 3)
    (tmp_path / "text.png").write_text("no picture at all")
    with pytest.raises(UnreadableData, match=r"^text\.png cannot be read as a picture: its content is none of"):
        safe_open(tmp_path / "text.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_a_truncated_file_is_named(form):
    rng = np.random.default_rng(0)
    noisy = Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = saved(noisy, form)
    with pytest.raises(UnreadableData, match=r"^cats/1\.x cannot be read"):
        safe_open(data[: len(data) // 2], name="cats/1.x")


def test_too_many_pixels_are_refused_before_decoding():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    with pytest.raises(UnreadableData, match=r"decompression bomb|more than"):
        safe_open(bomb)
    with pytest.raises(UnreadableData, match=r"20 x 10 pixels are more than the 199 allowed"):
        safe_open(encoded(size=(20, 10)), max_pixels=199)
    assert safe_open(encoded(size=(20, 10)), max_pixels=200).size == (20, 10)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_turns_the_picture_upright(form, orientation):
    upright = Image.new("RGB", (48, 32), (255, 255, 255))
    upright.paste((220, 20, 20), (0, 0, 16, 16))  # the mark belongs to the upper left corner
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright.transpose(undo) if undo is not None else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = safe_open(saved(stored, form, exif=exif))
    assert found.size == (48, 32)
    np.testing.assert_allclose(pixel(found, 4, 4), (220, 20, 20), atol=24)
    np.testing.assert_allclose(pixel(found, 44, 28), (255, 255, 255), atol=24)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_exif_block_does_not_matter():
    data = encoded((10, 200, 10), form="JPEG")
    segment = b"Exif\0\0II*\0" + b"\xff" * 60
    spoiled = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    np.testing.assert_allclose(pixel(safe_open(spoiled)), (10, 200, 10), atol=6)


def test_an_impossible_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert safe_open(saved(Image.new("RGB", (4, 2)), "JPEG", exif=exif)).size == (4, 2)


def test_cmyk_becomes_the_colour_it_stands_for():
    picture = safe_open(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    np.testing.assert_allclose(pixel(picture), (255, 0, 0), atol=12)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255), (257 * 100, 100), (32768, 128)])
def test_sixteen_bits_are_scaled_not_clipped(value, expected):
    grey = Image.fromarray(np.full((5, 5), value, np.uint16))
    assert pixel(safe_open(saved(grey, "PNG"))) == (expected,) * 3
    assert pixel(safe_open(saved(grey, "TIFF"))) == (expected,) * 3


def test_thirty_two_bit_pixels_are_refused_with_the_reason():
    with pytest.raises(UnreadableData, match="no agreed range"):
        safe_open(saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_transparency_is_composited_on_white():
    half = safe_open(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    np.testing.assert_allclose(pixel(half), (127, 127, 127), atol=1)
    assert pixel(safe_open(saved(Image.new("LA", (4, 4), (0, 0)), "PNG"))) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 50, 60, 70])
    assert pixel(safe_open(saved(palette, "PNG", transparency=1))) == (255, 255, 255)
    assert pixel(safe_open(saved(palette, "PNG", transparency=b"\xff\x00"))) == (255, 255, 255)
    assert pixel(safe_open(saved(palette, "PNG"))) == (50, 60, 70)
    assert pixel(safe_open(saved(Image.new("RGB", (4, 4), (7, 8, 9)), "PNG", transparency=(7, 8, 9)))) == (255,) * 3


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame_counts(form):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(pixel(safe_open(data)), (255, 0, 0), atol=4)


def test_grey_and_one_bit_pictures_become_rgb():
    assert pixel(safe_open(saved(Image.new("L", (3, 3), 40), "PNG"))) == (40, 40, 40)
    assert pixel(safe_open(saved(Image.new("1", (3, 3), 1), "PNG"))) == (255, 255, 255)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, "/dev/zero", tmp_path / "absent.png", "nul\0byte.png"):
        with pytest.raises(UnreadableData, match="cannot be read"):
            safe_open(path)
    with pytest.raises(UnreadableData, match="it is empty"):
        safe_open(b"")


def test_size_on_disk_is_bounded(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(300 * 2**20)  # sparse
    with pytest.raises(UnreadableData, match="larger than 256 MiB"):
        safe_open(tmp_path / "huge.jpg")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfname\n")
    assert read_text(tmp_path / "list.txt") == "name\n"
    assert read_bytes(tmp_path / "list.txt", limit=8) == b"\xef\xbb\xbfname\n"
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UnreadableData, match="not UTF-8"):
        read_text(tmp_path / "latin.txt")


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), st.data())
def test_damaged_bytes_never_raise_anything_else(noise, form, data):
    content = noise
    if form:
        whole = encoded(form=form)
        where = data.draw(st.integers(0, len(whole)))
        content = whole[:where] + noise + whole[where + len(noise) :]
    try:
        said = safe_open(content).mode
    except UnreadableData as error:
        said = str(error)
    assert said == "RGB" or said.startswith("The picture cannot be read as a picture: ")
