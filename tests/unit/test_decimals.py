import pytest

from kserve_client.decimals import (
    decimal_sign,
    doubtful,
    readings,
    shows_comma,
    shows_point,
    ungrouped,
)


@pytest.mark.parametrize(
    ("columns", "sign"),
    [
        ([["5,1", "3"]], ","),
        ([["-0,5e3"]], ","),
        ([["1.999,76"]], ","),
        ([["1,234"]], ","),
        ([["1,234"], ["5"]], ","),
        # One of them parts thousands, and nobody can say which.
        ([["1,234"], ["1.234"]], "."),
        ([["1.200"], ["60,5"]], ","),
        # Both signs are seen for sure.
        ([["0.5"], ["60,5"]], "."),
        ([["1,999.76"], ["1.999,76"]], "."),
        # Points alone: thousands, a version, an address.
        ([["1.234.567"]], "."),
        ([["1.100.200"], ["1.250"]], "."),
        ([["192.168.100.200"], ["1.250"]], "."),
        ([["1.234.567,8"]], ","),
        ([["0.5"], ["1,234"]], "."),
        ([["1,234"], ["1,234,567"]], "."),
        ([["1,999.76"]], "."),
        ([["1,234,567"]], "."),
        ([["1.200"]], "."),
        ([["5", ""], []], "."),
        # Half of the cells are numbers, and fewer than half.
        ([["5,1", "k.A."]], ","),
        ([["5,1", "six", "seven"]], "."),
        ([["1,2,3", "01.04.2022"]], "."),
    ],
)
def test_the_sign_of_a_table(columns: list[list[str]], sign: str) -> None:
    """A comma that can only be a decimal one, or may be one, decides where no point refutes it."""
    assert decimal_sign(columns, ";") == sign


@pytest.mark.parametrize(
    ("cells", "delimiter", "sign"),
    [
        (["1,234", "2,500"], ";", ","),
        (["1,234", "2,500"], "\t", "."),
        (["1,234", "2,500"], "|", "."),
        (["1,234", "2,5"], "\t", ","),
        (["5,1"], ",", "."),
    ],
)
def test_what_parts_the_cells_says_something(cells: list[str], delimiter: str, sign: str) -> None:
    """Between tabs and bars English thousands are as likely as decimals; commas leave a point."""
    assert decimal_sign([cells], delimiter) == sign


@pytest.mark.parametrize(
    ("cell", "has_point", "has_comma"),
    [
        ("5.1", True, False),
        ("1,999.76", True, False),
        ("1.20e3", True, False),
        ("5,1", False, True),
        ("1.999,76", False, True),
        ("1.234", False, False),
        ("1,234", False, False),
        ("1.234.567", False, False),
        ("1,234,567", False, False),
        ("12", False, False),
    ],
)
def test_numbers_that_show_their_sign(cell: str, has_point: bool, has_comma: bool) -> None:
    """Those that can be read in one way."""
    assert (shows_point(cell), shows_comma(cell)) == (has_point, has_comma)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("1.999,76", "1999,76"),
        ("-1.234.567", "-1234567"),
        (" 12.000 ", " 12000 "),
        ("1.20", "1.20"),
        ("0.500", "0.500"),
        ("1234.567", "1234.567"),
        ("1.2345", "1.2345"),
        ("1.99,76", "1.99,76"),
        ("k.A.", "k.A."),
    ],
)
def test_points_go_where_they_part_groups_of_three_digits(cell: str, found: str) -> None:
    """Only after one to three digits, of which the first is no zero."""
    assert ungrouped(cell) == found


@pytest.mark.parametrize(
    ("cells", "cell"),
    [
        (["60", "1.200", "1.350"], "1.200"),
        (["1.200", "0.500"], ""),
        (["1.200", "12.34"], ""),
        (["1.200", "1.200e3"], ""),
        (["0.123", "7"], ""),
        (["k.A.", "", "-999.999"], "-999.999"),
        (["1,200", "60,5"], ""),
    ],
)
def test_a_cell_is_doubtful_where_no_neighbour_settles_it(cells: list[str], cell: str) -> None:
    """A number that surely has a decimal point speaks for its whole column."""
    assert doubtful(cells) == cell


def test_both_readings_of_a_doubtful_cell() -> None:
    """With a decimal point, and without the point."""
    assert readings("1.200") == ("1.2", "1200")
    assert readings("-999.999") == ("-999.999", "-999999")
