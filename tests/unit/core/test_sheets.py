"""Is what leaves as CSV what every reader of CSV takes it for?"""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.sheets import csv_lines

CELLS = st.one_of(
    st.none(), st.integers(), st.text(max_size=5), st.text(alphabet='a,"\n\r\x1e {}', max_size=6)
)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3)), places=st.sets(st.integers(0, 2)))
def test_lines_are_those_of_the_standard_library(
    rows: list[list[str | int | None]], places: set[int]
) -> None:
    """Whichever cells are said to be JSON."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    assert csv_lines(rows, sorted(places)) == file.getvalue()


@given(cell=CELLS)
def test_a_line_of_one_cell_is_no_empty_line(cell: str | int | None) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerow([cell])
    assert csv_lines([[cell]]) == file.getvalue()
