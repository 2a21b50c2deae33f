import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.media.forms import (
    Part,
    fields_of,
    is_form,
    read_form,
    with_field,
    write_form,
)

TYPE = b"multipart/form-data; boundary=xyz"


def form(*parts: bytes) -> bytes:
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + b"--xyz--\r\n"


def field(name: str, value: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def test_fields_and_files_come_in_their_order() -> None:
    file = (
        b'content-disposition: form-data; name="image"; filename="a \\"b\\".png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--xy\r\n"
    )
    model, image = read_form(form(field("model", b"m"), file), TYPE, 8)
    assert (model.name, model.data, model.filename) == ("model", b"m", None)
    assert (image.name, image.filename, image.content_type) == ("image", 'a "b".png', "image/png")
    assert image.data == b"\x89PNG\r\n--xy\r\n"


def test_a_boundary_may_be_quoted_and_words_may_stand_before_the_first() -> None:
    body = b"hello\r\n" + form(field("a", b"1"))
    (part,) = read_form(body, b'Multipart/Form-Data; charset=x; boundary="xyz"', 8)
    assert part.data == b"1"
    assert is_form(b'Multipart/Form-Data; boundary="xyz"')


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", TYPE),
        (b"nothing", TYPE),
        (form(field("a", b"1"))[:-9], TYPE),
        (form(field("a", b"1")), b"multipart/form-data"),
        (form(field("a", b"1")), b"multipart/form-data; boundary=" + b"x" * 71),
        (form(b"content-disposition: form-data\r\n\r\n1"), TYPE),
        (form(b'content-disposition: attachment; name="a"\r\n\r\n1'), TYPE),
        (form(b"no end of the headers"), TYPE),
        (form(b"content-transfer-encoding: base64\r\n" + field("a", b"MQ==")), TYPE),
        (form(field("a", b"1")).replace(b"--xyz\r\n", b"--xyzz\r\n", 1), TYPE),
        (form(field("x" * 9000, b"1")), TYPE),
    ],
)
def test_a_form_that_is_not_whole_is_refused(body: bytes, content_type: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read_form(body, content_type, 8)


def test_a_form_has_no_more_parts_than_it_may() -> None:
    body = form(*[field(f"a{number}", b"1") for number in range(3)])
    assert len(read_form(body, TYPE, 3)) == 3
    with pytest.raises(InvalidRequestError):
        read_form(body, TYPE, 2)


def test_a_field_that_is_given_twice_is_refused_but_for_a_list() -> None:
    twice = read_form(form(field("n", b"1"), field("n", b"9")), TYPE, 8)
    with pytest.raises(InvalidRequestError):
        fields_of(twice)
    listed = read_form(form(field("a[]", b"1"), field("a[]", b"2")), TYPE, 8)
    assert fields_of(listed) == {"a[]": "2"}


def test_a_field_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        fields_of(read_form(form(field("a", b"\xff")), TYPE, 8))


def test_replacing_a_field_leaves_every_other_byte_as_it_was() -> None:
    body = form(field("model", b"old"), field("prompt", b"old old"))
    parts = read_form(body, TYPE, 8)
    changed = with_field(body, TYPE, parts, Part("model", b"newer"))
    assert changed == form(field("model", b"newer"), field("prompt", b"old old"))


def test_a_field_that_was_not_there_is_put_before_the_others() -> None:
    body = form(field("prompt", b"p"))
    changed = with_field(body, TYPE, read_form(body, TYPE, 8), Part("model", b"m"))
    assert fields_of(read_form(changed, TYPE, 8)) == {"model": "m", "prompt": "p"}


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=10)


@given(
    st.lists(
        st.tuples(names, st.binary(max_size=200), st.none() | names),
        max_size=6,
        unique_by=lambda part: part[0],
    )
)
def test_what_is_written_is_read_again(parts: list[tuple[str, bytes, str | None]]) -> None:
    written = [Part(name, data, filename) for name, data, filename in parts]
    body, content_type = write_form(written)
    read = read_form(body, content_type, 8)
    assert [(part.name, part.data, part.filename) for part in read] == parts


def test_a_boundary_never_stands_in_what_it_bounds() -> None:
    data = b"\r\n--tollbridge-form-0--\r\n tollbridge-form-1"
    body, content_type = write_form([Part("a", data, "a")])
    (part,) = read_form(body, content_type, 8)
    assert part.data == data


def test_a_name_cannot_end_its_header() -> None:
    body, content_type = write_form([Part('a"\r\nx: y', b"1", 'b"\r\n\r\nz')])
    (part,) = read_form(body, content_type, 8)
    assert part.data == b"1"
